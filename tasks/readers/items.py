"""测试题读取 evaluation items out of JSONL or Parquet files: the texts of the fields that a benchmark names.

A field is a path: `question`, or `answers.text`, which leads through objects and lists. The strings of a list are one
text, a line each; null, empty and missing fields give none. Unlike a source, a benchmark must be whole: an item that
cannot be read could not be found in the corpus either, so it is an error.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from data_contracts.decontamination import Benchmark, ItemFiles
from data_contracts.errors import ConfigError
from tasks.readers import jsonl
from tasks.readers.inflate import Torn

MAX_ITEM_BYTES = 100_000_000  # of one line; a benchmark's items are small


class Text(NamedTuple):
    """One field of one item."""

    item: str  # "dev.jsonl.gz#17": file below the benchmark's folder and number of the record, from 1
    field: str
    text: str


def texts(path: Path, name: str, benchmark: Benchmark) -> Iterator[Text]:
    """Every text of a file, in order. ConfigError for what cannot be read."""
    for number, item in records(path, name, benchmark):
        for field in benchmark.fields:
            found = strings(item, field.split("."))
            if found:
                yield Text(f"{name}#{number}", field, "\n".join(found))


def records(path: Path, name: str, benchmark: ItemFiles) -> Iterator[tuple[int, dict[str, Any]]]:
    """Every item of a file with its number from 1. ConfigError for what cannot be read."""
    where = f"benchmark {benchmark.name}: {name}"
    try:
        yield from enumerate(_rows(path), 1) if benchmark.kind == "parquet" else _objects(path, where)
    except (Torn, OSError, pa.ArrowException) as error:
        raise ConfigError(f"{where} cannot be read: {error}; give the whole file") from error


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches():
            yield from batch.to_pylist()


def _objects(path: Path, where: str) -> Iterator[tuple[int, dict[str, Any]]]:
    for line in jsonl.lines(path, MAX_ITEM_BYTES):
        if not line.content.strip():
            continue
        try:
            item = orjson.loads(line.content)
        except orjson.JSONDecodeError as error:
            raise ConfigError(f"{where}, line {line.number} is not JSON: {error}; correct or remove it") from error
        if not isinstance(item, dict):
            raise ConfigError(f"{where}, line {line.number} is no JSON object; correct or remove it")
        yield line.number, item


def strings(value: Any, path: list[str]) -> list[str]:
    """The texts at the end of a path, in order; numbers and truth values are no texts."""
    if isinstance(value, list):
        return [text for inner in value for text in strings(inner, path)]
    if path:
        return strings(value.get(path[0]), path[1:]) if isinstance(value, dict) else []
    return [value] if isinstance(value, str) and value.strip() else []
