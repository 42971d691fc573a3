"""契约 contract: an ODCS v3.1 YAML file, compiled to rules. The YAML is the source of truth of what data must be.

    contract = load("corpus")                      a name beside this file, or the path of an .odcs.yaml
    verdict = judge(frame, contract, ...)          data_contracts.judge: polars measures, Great Expectations decides

What of ODCS is understood, one `schema` object per file:

    properties[]  required, unique, primaryKey (names the row in samples), logicalType, physicalType,
                  logicalTypeOptions: minLength maxLength pattern minimum maximum exclusiveMinimum exclusiveMaximum
                  minItems maxItems
    quality[]     type library: rowCount, nullValues, missingValues, invalidValues, duplicateValues, in rows or percent
                  type custom, engine polars: implementation with one of
                      violation: a polars SQL condition, true for a bad row      chars < 0
                      metric:    a polars SQL aggregate, one number              AVG(CHAR_LENGTH(text))
                      measure:   a number of the dataset's manifest              padding_ratio
                      check:     a check that the gate registers, with `arguments`
                  and, where it yields a number, one operator (mustBe..., as ODCS writes them); plus `unit`

Anything else is a ContractError with the file, line and key: a rule skipped in silence is worse than none.
`severity: warning` reports without stopping the gate.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import polars as pl
from open_data_contract_standard.model import DataQuality, SchemaObject, SchemaProperty

from data_contracts.contract_source import ContractSource, Key, read
from data_contracts.errors import ContractError
from data_contracts.property_rules import column_type, property_rules
from data_contracts.quality_rules import Place, quality_rule
from data_contracts.rules import COLUMNS, Checks, Rule
from data_contracts.schemas import SCHEMAS

FOLDER = Path(__file__).parent
SUFFIX = ".odcs.yaml"


@dataclass(frozen=True)
class Contract:
    """契约: everything a gate needs."""

    name: str  # id of the contract
    version: str
    digest: str  # SHA-256 of the file's text
    title: str
    path: Path
    columns: Mapping[str, pl.DataType]
    key: str  # column that names a row
    rules: tuple[Rule, ...]


def names() -> list[str]:
    """Contracts that come with ziliu."""
    return sorted(p.name.removesuffix(SUFFIX) for p in FOLDER.glob(f"*{SUFFIX}"))


def locate(name_or_path: str) -> ContractSource:
    """Read a contract by name or by path, compiling nothing."""
    builtin = FOLDER / f"{name_or_path}{SUFFIX}"
    if "/" not in name_or_path and not name_or_path.endswith((".yaml", ".yml")):
        if not builtin.is_file():
            raise ContractError(f"no contract named {name_or_path!r}; there are {', '.join(names())}; or give a path")
        return read(builtin)
    return read(Path(name_or_path))


def load(name_or_path: str, checks: Checks | None = None) -> Contract:
    """Read and compile a contract; ContractError for an unknown column, type, option or check."""
    source = locate(name_or_path)
    document = source.contract
    if len(document.schema_ or []) != 1:
        raise source.error(["schema"], f"wants one object, has {len(document.schema_ or [])}")
    (table,) = document.schema_ or []
    columns = _columns(source, table)
    rules = list(_rules(source, table, columns, checks or {}))
    for rule in rules:
        if [COLUMNS, *(r.name for r in rules)].count(rule.name) > 1:
            raise source.error(["schema", 0], f"two rules are called {rule.name!r}; give one of them another `name`")
    keys = [str(p.name) for p in table.properties or [] if p.primaryKey]
    return Contract(
        name=str(document.id),
        version=str(document.version),
        digest=source.digest,
        title=document.name or str(document.id),
        path=source.path,
        columns=columns,
        key=keys[0] if keys else next(iter(columns)),
        rules=tuple(rules),
    )


def _columns(source: ContractSource, table: SchemaObject) -> dict[str, pl.DataType]:
    """Column types, held against the schema that `physicalName` names (`DOCUMENT@2`)."""
    columns: dict[str, pl.DataType] = {}
    for i, prop in enumerate(table.properties or []):
        keys: list[Key] = ["schema", 0, "properties", i]
        if prop.name in columns:
            raise source.error([*keys, "name"], f"column {prop.name!r} stands here twice")
        columns[str(prop.name)] = column_type(source, keys, prop)
    if not columns:
        raise source.error(["schema", 0, "properties"], "a contract needs at least one column")
    if table.physicalName is not None:
        _same_as_schema(source, table, columns)
    return columns


def _same_as_schema(source: ContractSource, table: SchemaObject, columns: dict[str, pl.DataType]) -> None:
    known = {s.label: s for s in SCHEMAS.values()}
    schema = known.get(table.physicalName or "")
    if schema is None:
        raise source.error(
            ["schema", 0, "physicalName"], f"no schema {table.physicalName}; there are {', '.join(known)}"
        )
    for i, (name, kind) in enumerate(columns.items()):
        keys: list[Key] = ["schema", 0, "properties", i, "name"]
        if name not in schema.columns:
            raise source.error(keys, f"{schema.label} has no column {name!r}; it has {', '.join(schema.columns)}")
        if kind != schema.columns[name]:
            raise source.error(keys, f"{name} is {schema.columns[name]} in {schema.label}, here it is {kind}")
    missing = [name for name in schema.columns if name not in columns]
    if missing:
        raise source.error(["schema", 0, "properties"], f"{', '.join(missing)} of {schema.label} are not described")


def _rules(
    source: ContractSource, table: SchemaObject, columns: Mapping[str, pl.DataType], checks: Checks
) -> Iterator[Rule]:
    frame = pl.LazyFrame(schema=dict(columns))
    for i, prop in enumerate(table.properties or []):
        keys: list[Key] = ["schema", 0, "properties", i]
        yield from property_rules(source, keys, prop)
        yield from _quality(source, keys, prop, frame, checks)
    yield from _quality(source, ["schema", 0], table, frame, checks)


def _quality(
    source: ContractSource, keys: list[Key], owner: SchemaProperty | SchemaObject, frame: pl.LazyFrame, checks: Checks
) -> Iterator[Rule]:
    column = owner.name if isinstance(owner, SchemaProperty) else None
    entries: list[DataQuality] = owner.quality or []
    for i, entry in enumerate(entries):
        if entry.type == "text":  # prose for people
            continue
        place = Place(source, [*keys, "quality", i], column, frame)
        rule = quality_rule(place, entry, checks)
        if rule is not None:
            yield rule
