"""测量 measuring: the numbers of a contract's rules, over a whole frame or from sums over parts of it.

Most rules count rows that are bad by themselves, or divide one sum by another: parts of a dataset are measured apart,
by several processes, and a part that is not new not again. What asks about all rows at once (unique values, metrics and
conditions in SQL) is measured over the whole, of which only the columns that it names are read.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import polars as pl

from data_contracts.contract import Contract
from data_contracts.errors import ContractError
from data_contracts.rules import Rule

_LENGTH = "\0rows"  # no rule is called so
_ABOVE, _BELOW = "above ", "below "  # names of the two sums of a rule begin so


def columns(frame: pl.LazyFrame, contract: Contract) -> tuple[dict[str, str], list[Rule]]:
    """Columns that are not as described, and the rules that can still be measured without them."""
    have = frame.collect_schema()
    strange = {name: f"要 want {kind}, 有 have {have.get(name, '无 nothing')}"
               for name, kind in contract.columns.items() if have.get(name) != kind}  # fmt: skip
    strange |= {name: "契约没有这一列 not in the contract" for name in have if name not in contract.columns}
    usable = [rule for rule in contract.rules if not _needs(rule) & set(strange)]
    return strange, usable


def _needs(rule: Rule) -> set[str]:
    expression = rule.measured()
    return set(expression.meta.root_names()) if expression is not None else set()


def sums(frame: pl.LazyFrame, contract: Contract) -> dict[str, float]:
    """The sums over a part of a dataset from which the numbers of most rules are made."""
    wanted: dict[str, pl.Expr] = {}
    for rule in columns(frame, contract)[1]:
        if (addends := rule.addends()) is not None:
            wanted |= {_ABOVE + rule.name: addends[0], _BELOW + rule.name: addends[1]}
    if not wanted:
        return {}
    row = frame.select(e.cast(pl.Float64).alias(name) for name, e in wanted.items()).collect(engine="streaming")
    return {name: float(value or 0.0) for name, value in row.row(0, named=True).items()}


def measured(
    frame: pl.LazyFrame,
    rules: Sequence[Rule],
    measures: Mapping[str, float],
    contract: Contract,
    parts: Sequence[Mapping[str, float]] | None,
) -> tuple[int, dict[str, float | None]]:
    """How many rows there are, and the number of every rule, by name; None for one that cannot be measured."""
    for rule in rules:
        if rule.measure is not None and rule.measure not in measures:
            raise ContractError(
                f"{contract.path}: {rule.name}: the dataset has no measure {rule.measure!r}; "
                f"it has {', '.join(sorted(measures)) or 'none'}"
            )
    apart = {r.name: r for r in rules if parts is not None and r.addends() is not None}
    expressions = {r.name: e for r in rules if r.name not in apart and (e := r.measured()) is not None}
    row = (
        frame.select(pl.len().alias(_LENGTH), *[e.alias(name) for name, e in expressions.items()])
        .collect(engine="streaming")
        .row(0, named=True)
    )
    rows = int(row.pop(_LENGTH))
    row |= {r.name: measures[r.measure] for r in rules if r.measure is not None}
    for name, rule in apart.items():
        above, below = (sum(part[sum_of + name] for part in parts or ()) for sum_of in (_ABOVE, _BELOW))
        row[name] = rule.of_sums(above, below)
    return rows, {name: float(v) if v is not None and math.isfinite(v) else None for name, v in row.items()}
