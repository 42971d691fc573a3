"""质量规则 rules that stand under `quality`: library metrics of ODCS, and custom ones in polars."""

from __future__ import annotations

from typing import Any, NamedTuple

import polars as pl
from open_data_contract_standard.model import DataQuality

from data_contracts.contract_source import ContractSource, Key
from data_contracts.errors import ContractError
from data_contracts.rules import NONE, OPERATORS, Bounds, Check, Checks, Rule, Severity

_WAYS = ("violation", "metric", "measure", "check")
_SEVERITIES: dict[str, Severity] = {"error": "error", "warning": "warning", "info": "info"}


class Place(NamedTuple):
    """Where a quality entry stands, and an empty frame with the contract's columns to try expressions on."""

    source: ContractSource
    keys: list[Key]
    column: str | None
    frame: pl.LazyFrame

    def error(self, key: str, problem: str) -> ContractError:
        """An error at a key of this entry."""
        return self.source.error([*self.keys, *key.split(".")] if key else self.keys, problem)


def quality_rule(place: Place, entry: DataQuality, checks: Checks) -> Rule | None:
    """Compile one entry; ContractError where it is not understood."""
    kind = entry.type or "library"
    if entry.severity is not None and entry.severity not in _SEVERITIES:
        raise place.error("severity", f"{entry.severity!r}: allowed are {', '.join(_SEVERITIES)}")
    if entry.unit not in (None, "rows", "percent") and kind == "library":
        raise place.error("unit", f"{entry.unit!r}: allowed are rows, percent")
    if not entry.name:
        raise place.error("name", "every quality entry wants a `name`; it names the rule in reports")
    if kind == "library":
        return _library(place, entry)
    if kind == "custom":
        return _custom(place, entry, checks)
    raise place.error("type", f"{kind!r} is not supported; write a custom rule with engine polars")


def _rule(place: Place, entry: DataQuality, bounds: Bounds, **how: Any) -> Rule:
    about_rows = how.get("violation") is not None or how.get("unique")
    return Rule(
        name=f"{place.column}.{entry.name}" if place.column else str(entry.name),
        title=entry.description or str(entry.name),
        bounds=bounds,
        column=place.column,
        severity=_SEVERITIES[entry.severity or "error"],
        unit=(entry.unit or "rows") if about_rows else (entry.unit or ""),
        **how,
    )


def _bounds(place: Place, given: dict[str, Any], at: str) -> Bounds:
    found = [op for op in OPERATORS if given.get(op) is not None]
    if given.get("mustNotBeBetween") is not None:
        raise place.error(f"{at}mustNotBeBetween", "not supported; write two rules")
    if len(found) != 1:
        raise place.error(
            at.rstrip("."), f"wants exactly one of {', '.join(OPERATORS)}; has {', '.join(found) or 'none'}"
        )
    try:
        return Bounds.of(found[0], given[found[0]])
    except ValueError as err:
        raise place.error(f"{at}{found[0]}", str(err)) from err


def _library(place: Place, entry: DataQuality) -> Rule:
    bounds, arguments = _bounds(place, entry.model_dump(), ""), entry.arguments or {}
    column = pl.col(place.column) if place.column else None
    match entry.metric:
        case "rowCount" if column is None:
            return _rule(place, entry, bounds, metric=pl.len())
        case "duplicateValues":
            keys = [place.column] if place.column else _strings(place, arguments, "properties")
            for key in keys:
                _try(place, pl.col(str(key)), "arguments.properties")
            return _rule(place, entry, bounds, unique=tuple(keys))
        case "nullValues" if column is not None:
            return _rule(place, entry, bounds, violation=column.is_null(), row_wise=True)
        case "missingValues" if column is not None:
            missing = _values(place, arguments, "missingValues")
            bad = column.is_in([v for v in missing if v is not None])
            bad = bad | column.is_null() if None in missing else bad
            return _rule(place, entry, bounds, violation=bad, row_wise=True)
        case "invalidValues" if column is not None and "pattern" in arguments:
            bad = ~column.str.contains(str(arguments["pattern"]))
            _try(place, bad, "arguments.pattern")
            return _rule(place, entry, bounds, violation=bad, row_wise=True)
        case "invalidValues" if column is not None:
            bad = ~column.is_in(_values(place, arguments, "validValues"))
            _try(place, bad, "arguments.validValues")
            return _rule(place, entry, bounds, violation=bad, row_wise=True)
    level = "under a property" if column is not None else "of the whole schema"
    raise place.error("metric", f"{entry.metric!r} is not a metric {level}")


def _values(place: Place, arguments: dict[str, Any], key: str) -> list[Any]:
    values = arguments.get(key)
    if not isinstance(values, list) or not values:
        raise place.error(f"arguments.{key}", "wants a list of at least one value")
    return values


def _strings(place: Place, arguments: dict[str, Any], key: str) -> list[str]:
    return [str(v) for v in _values(place, arguments, key)]


def _custom(place: Place, entry: DataQuality, checks: Checks) -> Rule:
    if entry.engine != "polars":
        raise place.error("engine", f"{entry.engine!r} is not run here; the engine of custom rules is polars")
    how = entry.implementation
    if not isinstance(how, dict):
        raise place.error("implementation", f"wants a mapping with one of {', '.join(_WAYS)}")
    ways = [way for way in _WAYS if way in how]
    unknown = sorted(set(how) - {*_WAYS, *OPERATORS, "arguments", "mustNotBeBetween"})
    if len(ways) != 1 or unknown:
        wrong = f"unknown: {', '.join(unknown)}" if unknown else f"has {', '.join(ways) or 'none'}"
        raise place.error("implementation", f"wants exactly one of {', '.join(_WAYS)} and an operator; {wrong}")
    way, at = ways[0], f"implementation.{ways[0]}"
    more: dict[str, Any] = {}  # SQL may ask about other rows too, so it is measured on the whole
    if way == "measure":
        return _rule(place, entry, _bounds(place, how, "implementation."), measure=str(how[way]))
    if way == "check":
        check = checks.get(str(how[way]))
        if check is None:
            raise place.error(
                at, f"no check {how[way]!r} is registered; there are {', '.join(sorted(checks)) or 'none'}"
            )
        arguments = how.get("arguments") or {}
        yields, expression = check.yields, _made(place, check, arguments)
        more = {"row_wise": True} if yields == "violation" else {}
        if check.sums is not None:
            more = {"sums": check.sums(place.column, **arguments)}
    else:
        yields = "violation" if way == "violation" else "metric"
        expression = _sql(place, str(how[way]), at)
    kind = _try(place, expression, at)
    if yields == "violation":
        if kind != pl.Boolean:
            raise place.error(at, f"a violation is true or false, this is {kind}")
        asked = any(how.get(op) is not None for op in OPERATORS)
        bounds = _bounds(place, how, "implementation.") if asked else NONE
        return _rule(place, entry, bounds, violation=expression, **more)
    if not kind.is_numeric():
        raise place.error(at, f"a metric is a number, this is {kind}")
    return _rule(place, entry, _bounds(place, how, "implementation."), metric=expression, **more)


def _made(place: Place, check: Check, arguments: dict[str, Any]) -> pl.Expr:
    try:
        return check.make(place.column, **arguments)
    except (TypeError, ValueError) as err:
        raise place.error("implementation.arguments", str(err)) from err


def _sql(place: Place, text: str, at: str) -> pl.Expr:
    try:
        return pl.sql_expr(text)
    except pl.exceptions.PolarsError as err:
        raise place.error(at, f"not polars SQL: {err}") from err


def _try(place: Place, expression: pl.Expr, at: str) -> pl.DataType:
    """Type of an expression on the contract's columns; ContractError where it does not fit them."""
    try:
        return place.frame.select(expression.alias("value")).collect().schema["value"]
    except pl.exceptions.PolarsError as err:
        first = str(err).strip().splitlines()[0]
        raise place.error(at, f"does not fit the columns: {first}") from err
