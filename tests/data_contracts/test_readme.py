"""The README describes every column of every kind of dataset, with its type."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import data_contracts
from data_contracts.schemas import SCHEMAS, SEGMENTED

README = Path(data_contracts.__file__).with_name("README.md").read_text(encoding="utf-8")


def table_of(name: str) -> dict[str, list[str]]:
    section = README.split(f"### {name} ")[1].split("\n##")[0]
    rows = [line.strip("|").split("|") for line in section.splitlines() if line.startswith("| `")]
    return {row[0].strip().strip("`"): [cell.strip() for cell in row[1:]] for row in rows}


@pytest.mark.parametrize("name", sorted(SCHEMAS))
def test_every_column_is_described_with_type_meaning_and_example(name: str):
    described = table_of(name)
    columns = SCHEMAS[name].columns
    if name == SEGMENTED.name:
        columns = {c: t for c, t in columns.items() if c not in SCHEMAS["DOCUMENT"].columns}
    assert list(described) == list(columns)
    for column, (kind, _unit, meaning, example) in described.items():
        assert kind == str(columns[column])
        assert re.search("[\u4e00-\u9fff]", meaning), column
        assert example, column
