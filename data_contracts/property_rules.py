"""列的规则 rules that a column's own keys state: required, unique, logicalTypeOptions."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import polars as pl
from open_data_contract_standard.model import SchemaProperty

from data_contracts.contract_source import ContractSource, Key
from data_contracts.rules import Rule

LOGICAL: dict[str, pl.DataType] = {
    "string": pl.String(),
    "integer": pl.Int64(),
    "number": pl.Float64(),
    "boolean": pl.Boolean(),
    "date": pl.Date(),
}
PHYSICAL: dict[str, pl.DataType] = {
    "string": pl.String(),
    "binary": pl.Binary(),
    "boolean": pl.Boolean(),
    "date": pl.Date(),
    **{str(t).lower(): t for t in (pl.Int8(), pl.Int16(), pl.Int32(), pl.Int64())},
    **{str(t).lower(): t for t in (pl.UInt8(), pl.UInt16(), pl.UInt32(), pl.UInt64())},
    **{str(t).lower(): t for t in (pl.Float32(), pl.Float64())},
}


def column_type(source: ContractSource, keys: Sequence[Key], prop: SchemaProperty) -> pl.DataType:
    """The polars type of a property: `physicalType` where given, else the usual one of its `logicalType`."""
    if prop.logicalType == "array":
        if prop.items is None:
            raise source.error([*keys, "items"], "an array wants `items` with the type of its elements")
        return pl.List(column_type(source, [*keys, "items"], prop.items))
    if prop.physicalType is not None:
        if prop.physicalType not in PHYSICAL:
            raise source.error([*keys, "physicalType"], f"{prop.physicalType!r}: allowed are {', '.join(PHYSICAL)}")
        return PHYSICAL[prop.physicalType]
    if prop.logicalType not in LOGICAL:
        raise source.error([*keys, "logicalType"], f"{prop.logicalType!r}: allowed are {', '.join(LOGICAL)}, array")
    return LOGICAL[prop.logicalType]


def property_rules(source: ContractSource, keys: list[Key], prop: SchemaProperty) -> Iterator[Rule]:
    """The rules of one property, in a fixed order."""
    name, said = str(prop.name), prop.businessName or prop.name
    column = pl.col(name)
    if prop.required:
        title = f"{said}不为空 is never null"
        yield Rule(f"{name}.required", title, column=name, unit="rows", violation=column.is_null(), row_wise=True)
    if prop.unique:
        yield Rule(f"{name}.unique", f"{said}不重复 is unique", column=name, unit="rows", unique=(name,))
    options = dict(prop.logicalTypeOptions or {})
    if prop.physicalType == "binary" and options.get("format") == "binary":
        options.pop("format")
    known = _OPTIONS.get(prop.logicalType or "", {})
    for option in options:
        if option not in known:
            at = [*keys, "logicalTypeOptions", option]
            raise source.error(at, f"not supported for {prop.logicalType}; supported are {', '.join(known) or 'none'}")
    for option, value in options.items():
        good = known[option](column, value, prop.physicalType == "binary")
        if option == "pattern":
            _must_compile(source, [*keys, "logicalTypeOptions", option], good)
        title = f"{said} {_SAID[option]} {value}"
        yield Rule(f"{name}.{option}", title, column=name, unit="rows", violation=~good, row_wise=True)


def _must_compile(source: ContractSource, keys: Sequence[Key], good: pl.Expr) -> None:
    name = good.meta.root_names()[0]
    try:
        pl.DataFrame({name: [""]}).select(good)
    except pl.exceptions.PolarsError as err:
        raise source.error(keys, f"polars (Rust regex) cannot read it: {err}") from err


Good = Callable[[pl.Expr, Any, bool], pl.Expr]


def _length(column: pl.Expr, binary: bool) -> pl.Expr:
    """Characters of text, bytes of binary."""
    return column.bin.size() if binary else column.str.len_chars()


_RANGE: dict[str, Good] = {
    "minimum": lambda c, v, _: c >= v,
    "maximum": lambda c, v, _: c <= v,
    "exclusiveMinimum": lambda c, v, _: c > v,
    "exclusiveMaximum": lambda c, v, _: c < v,
}
_OPTIONS: dict[str, dict[str, Good]] = {
    "string": {
        "minLength": lambda c, v, binary: _length(c, binary) >= v,
        "maxLength": lambda c, v, binary: _length(c, binary) <= v,
        "pattern": lambda c, v, _: c.str.contains(v),
    },
    "integer": _RANGE,
    "number": _RANGE,
    "array": {
        "minItems": lambda c, v, _: c.list.len() >= v,
        "maxItems": lambda c, v, _: c.list.len() <= v,
    },
}
_SAID = {
    "minLength": "长度不少于 length at least",
    "maxLength": "长度不多于 length at most",
    "pattern": "符合格式 matches",
    "minimum": "不小于 at least",
    "maximum": "不大于 at most",
    "exclusiveMinimum": "大于 above",
    "exclusiveMaximum": "小于 below",
    "minItems": "元素不少于 items at least",
    "maxItems": "元素不多于 items at most",
}
