"""裁决 judge: a frame and its measures held against a contract.

1. polars measures every rule in one pass over the data, out of core;
2. Great Expectations decides on the one-row frame of what was measured (constant in the number of rows);
3. polars names up to five rows of each rule that found any.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from importlib.metadata import version

import polars as pl

from data_contracts.contract import Contract
from data_contracts.errors import ContractError
from data_contracts.expectations import decide
from data_contracts.rules import COLUMNS, Rule
from data_contracts.verdict import RuleResult, Sample, Verdict

SAMPLES = 5
_LENGTH = "\0rows"  # no rule is called so
VALUE_CHARS, EXCERPT_CHARS = 60, 80
COLUMNS_RULE = Rule(COLUMNS, "列与契约一致 columns and types are as described", unit="columns")


def judge(
    frame: pl.LazyFrame, contract: Contract, dataset: str = "", measures: Mapping[str, float] | None = None
) -> Verdict:
    """Hold `frame` against `contract`. `measures` are the numbers of the dataset's manifest.

    An empty frame breaks no rule about rows; a metric that has nothing to measure (the mean of no rows) fails.
    ContractError for a rule about a measure that the dataset does not have.
    """
    started = time.perf_counter()
    strange, usable = _columns(frame, contract)
    found = {COLUMNS_RULE.name: float(len(strange)), **_measure(frame, usable, measures or {}, contract)}
    rows = int(found.pop(_LENGTH) or 0)
    samples = {
        r.name: _samples(frame, contract, r) for r in usable if found[r.name] and (r.violation is not None or r.unique)
    }
    samples[COLUMNS_RULE.name] = tuple(Sample(id=name, value=problem) for name, problem in strange.items())[:SAMPLES]
    polars_seconds = time.perf_counter() - started
    rules = [COLUMNS_RULE, *usable]
    started = time.perf_counter()
    passed = decide(f"{contract.name}@{contract.version}", rules, found)
    results = tuple(
        RuleResult(
            rule=rule.name,
            title=rule.title,
            column=rule.column,
            severity=rule.severity,
            unit=rule.unit,
            asked=f"{rule.bounds} %" if rule.unit == "percent" else str(rule.bounds),
            found=found[rule.name],
            passed=passed[rule.name],
            samples=samples.get(rule.name, ()),
        )
        for rule in rules
    )
    return Verdict(
        contract=contract.name,
        contract_version=contract.version,
        contract_digest=contract.digest,
        title=contract.title,
        dataset=dataset,
        rows=rows,
        passed=not any(r.blocks for r in results),
        results=results,
        polars_seconds=polars_seconds,
        expectations_seconds=time.perf_counter() - started,
        engines={"polars": pl.__version__, "great_expectations": version("great_expectations")},
    )


def _columns(frame: pl.LazyFrame, contract: Contract) -> tuple[dict[str, str], list[Rule]]:
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


def _measure(
    frame: pl.LazyFrame, rules: list[Rule], measures: Mapping[str, float], contract: Contract
) -> dict[str, float | None]:
    """The number of every rule, by name, and the number of rows."""
    for rule in rules:
        if rule.measure is not None and rule.measure not in measures:
            raise ContractError(
                f"{contract.path}: {rule.name}: the dataset has no measure {rule.measure!r}; "
                f"it has {', '.join(sorted(measures)) or 'none'}"
            )
    expressions = {r.name: e for r in rules if (e := r.measured()) is not None}
    row = (
        frame.select(pl.len().alias(_LENGTH), *[e.alias(name) for name, e in expressions.items()])
        .collect(engine="streaming")
        .row(0, named=True)
    )
    row |= {r.name: measures[r.measure] for r in rules if r.measure is not None}
    return {name: float(v) if v is not None and math.isfinite(v) else None for name, v in row.items()}


def _samples(frame: pl.LazyFrame, contract: Contract, rule: Rule) -> tuple[Sample, ...]:
    """Up to five rows that break a rule, the first in the dataset's order."""
    have = frame.collect_schema()
    if rule.unique:
        twice = frame.drop_nulls(list(rule.unique)).group_by(rule.unique).len().filter(pl.col("len") > 1)
        bad = twice.bottom_k(SAMPLES, by=list(rule.unique))
        shown = bad.select(
            id=pl.concat_str([pl.col(c).cast(pl.String) for c in rule.unique], separator=" "),
            value=pl.concat_str(pl.col("len").cast(pl.String), pl.lit(" 次 times")),
            excerpt=pl.lit(""),
        )
    else:
        assert rule.violation is not None
        key = contract.key if contract.key in have else next(iter(have))
        text = _excerpt() if have.get("text") == pl.String else pl.lit("")
        value = _value(rule.column, have) if rule.column not in (None, "text", key) else pl.lit("")
        shown = frame.filter(rule.violation.fill_null(False)).select(
            id=pl.col(key).cast(pl.String), value=value, excerpt=text
        ).head(SAMPLES)  # fmt: skip
    rows = shown.collect(engine="streaming").fill_null("").to_dicts()
    return tuple(Sample(**{name: " ".join(text.split()) for name, text in row.items()}) for row in rows)


def _excerpt() -> pl.Expr:
    # A verdict is read by more people than the data: long runs of digits may be somebody's number.
    return pl.col("text").str.head(EXCERPT_CHARS).str.replace_all(r"[0-9]{6,}[Xx]?", "######")


def _value(column: str | None, have: Mapping[str, pl.DataType]) -> pl.Expr:
    assert column is not None
    kind = have[column]
    if kind == pl.Binary:
        return pl.col(column).bin.size().cast(pl.String) + " bytes"
    if isinstance(kind, pl.List):
        return pl.col(column).list.len().cast(pl.String) + " items"
    return pl.col(column).cast(pl.String).str.head(VALUE_CHARS)
