"""规则 rules: what one line of a contract means: a number measured on the data, and the bounds it must keep.

A rule about rows measures how many rows violate it (or what percent), by a polars expression that is True on a
violation, and can name those rows. A rule about the whole measures one number, by an aggregating expression or by a
measure that a stage wrote into the manifest.

Null semantics: a null breaks `required` and nothing else, so that it is neither lost nor counted twice.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import polars as pl

from data_contracts.model import Model

Severity = Literal["error", "warning", "info"]
COLUMNS = "schema.columns"  # the rule that every contract has: columns and types are as described
OPERATORS = (
    "mustBe",
    "mustNotBe",
    "mustBeGreaterThan",
    "mustBeGreaterOrEqualTo",
    "mustBeLessThan",
    "mustBeLessOrEqualTo",
    "mustBeBetween",
)


@dataclass(frozen=True)
class Check:
    """自定义检查: a named domain check that a caller registers, for `implementation: {check: NAME}`.

    `make(column, **arguments)` returns a boolean expression of a violation, or an aggregating expression of one number.
    `column` is the property under which the check stands, None at the level of the whole dataset. Parts of a dataset
    are counted apart, so whether a row violates must depend on that row alone. A metric that is one sum divided by
    another is measured apart too, where `sums(column, **arguments)` returns both.
    """

    yields: Literal["violation", "metric"]
    make: Callable[..., pl.Expr]
    sums: Callable[..., tuple[pl.Expr, pl.Expr]] | None = None


Checks = Mapping[str, Check]


class Bounds(Model):
    """界限: what a measured number must be."""

    operator: str
    low: float = -math.inf
    high: float = math.inf

    @classmethod
    def of(cls, operator: str, value: Any) -> Bounds:
        """Bounds of one ODCS operator; ValueError for a value that is no number or an empty interval."""
        pair = operator == "mustBeBetween"
        numbers = value if pair else [value]
        if not all(isinstance(n, int | float) and not isinstance(n, bool) and math.isfinite(n) for n in numbers):
            raise ValueError(f"{operator} wants {'two numbers' if pair else 'a number'}, has {value!r}")
        if pair and numbers[0] > numbers[1]:
            raise ValueError(f"{operator}: {numbers[0]} is above {numbers[1]}")
        low = numbers[0] if "Less" not in operator else -math.inf
        high = numbers[-1] if "Greater" not in operator else math.inf
        return cls(operator=operator, low=low, high=high)

    @property
    def strict(self) -> bool:
        """Whether the bound itself is already outside."""
        return self.operator in ("mustBeGreaterThan", "mustBeLessThan")

    def __str__(self) -> str:
        """`≥ 100`."""
        low, high = f"{self.low:,.10g}", f"{self.high:,.10g}"
        signs = {
            "mustBe": f"= {low}",
            "mustNotBe": f"≠ {low}",
            "mustBeGreaterThan": f"> {low}",
            "mustBeGreaterOrEqualTo": f"≥ {low}",
            "mustBeLessThan": f"< {high}",
            "mustBeLessOrEqualTo": f"≤ {high}",
            "mustBeBetween": f"{low} … {high}",
        }
        return signs[self.operator]


NONE = Bounds.of("mustBe", 0)


@dataclass(frozen=True)
class Rule:
    """规则: exactly one of `violation`, `metric`, `measure` and `unique` says how its number is found."""

    name: str  # "text.length"
    title: str  # what it asks, Chinese first
    bounds: Bounds = NONE
    column: str | None = None
    severity: Severity = "error"
    unit: str = ""  # "rows" and "percent" for rules about rows
    violation: pl.Expr | None = None  # boolean, one value per row
    metric: pl.Expr | None = None  # one number
    measure: str | None = None  # name of a number in the manifest
    unique: tuple[str, ...] = ()  # columns whose values together may not come twice
    row_wise: bool = False  # whether a row violates depends on that row alone
    sums: tuple[pl.Expr, pl.Expr] | None = None  # of a metric that is the first divided by the second

    def measured(self) -> pl.Expr | None:
        """Expression of this rule's number over the whole frame; None for a measure, which is not in the frame."""
        if self.violation is not None:
            count = self.violation.fill_null(False).sum().cast(pl.Float64)
            return self._share(count)
        if self.unique:
            # Rows that hold a null in the key are the business of `required`.
            key = pl.col(self.unique[0]) if len(self.unique) == 1 else pl.struct(self.unique)
            key = key.filter(pl.all_horizontal(pl.col(c).is_not_null() for c in self.unique))
            return self._share((key.len().cast(pl.Int64) - key.n_unique().cast(pl.Int64)).cast(pl.Float64))
        return None if self.metric is None else self.metric.cast(pl.Float64)

    def addends(self) -> tuple[pl.Expr, pl.Expr] | None:
        """Two sums over rows from which `of_sums` makes the number; None where parts cannot be measured apart."""
        if self.violation is not None and self.row_wise:
            return self.violation.fill_null(False).sum(), pl.len()
        return self.sums

    def of_sums(self, above: float, below: float) -> float | None:
        """The number that `measured` finds over the whole frame, from the sums over all of its parts."""
        if self.sums is not None:
            return above / below if below else None
        if self.unit != "percent":
            return above
        return above * 100.0 / below if below else 0.0

    def _share(self, count: pl.Expr) -> pl.Expr:
        if self.unit != "percent":
            return count
        # An empty frame has no bad rows; 0/0 would be NaN.
        return pl.when(pl.len() > 0).then(count * 100.0 / pl.len()).otherwise(0.0)
