"""裁决 judge: a frame and its measures held against a contract.

1. polars measures every rule in one pass over the data, out of core (measuring.py);
2. Great Expectations decides on the one-row frame of what was measured (constant in the number of rows);
3. polars names up to five rows of each rule that found any.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from importlib.metadata import version

import polars as pl

from data_contracts.contract import Contract
from data_contracts.expectations import decide
from data_contracts.measuring import columns, measured
from data_contracts.rules import COLUMNS, Rule
from data_contracts.verdict import RuleResult, Sample, Verdict

SAMPLES = 5
VALUE_CHARS, EXCERPT_CHARS = 60, 80
COLUMNS_RULE = Rule(COLUMNS, "列与契约一致 columns and types are as described", unit="columns")


def judge(
    frame: pl.LazyFrame,
    contract: Contract,
    dataset: str = "",
    measures: Mapping[str, float] | None = None,
    parts: Sequence[Mapping[str, float]] | None = None,
) -> Verdict:
    """Hold `frame` against `contract`. `measures` are the numbers of the dataset's manifest.

    `parts` are what `measuring.sums` found in each part of the frame; nothing of that is measured again. An empty frame
    breaks no rule about rows; a metric that has nothing to measure (the mean of no rows) fails. ContractError for a
    rule about a measure that the dataset does not have.
    """
    started = time.perf_counter()
    strange, usable = columns(frame, contract)
    rows, found = measured(frame, usable, measures or {}, contract, parts)
    found[COLUMNS_RULE.name] = float(len(strange))
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
