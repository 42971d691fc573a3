"""Parquet 读取: batch by batch, so that a file may be larger than memory. A damaged row group costs itself only."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from data_contracts.sources import ParquetSource
from tasks.readers.record import Record, judged, selected, unreadable

BATCH_ROWS = 512


def records(path: Path, source: ParquetSource, max_record_bytes: int) -> Iterator[Record]:
    """Every row of a file, numbered from 1."""
    try:
        file = pq.ParquetFile(path)
    except (pa.ArrowException, OSError) as error:
        yield unreadable("file", f"not a Parquet file, or cut off: {error}")
        return
    with file:
        wanted = list(dict.fromkeys(f for f in (*_read(source), *source.where) if f))
        missing = [f for f in wanted if f not in file.schema_arrow.names]
        if missing:
            have = ", ".join(file.schema_arrow.names[:20])
            yield unreadable("file", f"{file.metadata.num_rows} rows without column {missing[0]!r}; columns: {have}")
            return
        yield from _groups(file, source, wanted, max_record_bytes)


def _read(source: ParquetSource) -> tuple[str | None, ...]:
    """The columns that become part of a document."""
    return source.text_field, source.id_field, source.title_field


def _groups(file: pq.ParquetFile, source: ParquetSource, wanted: list[str], max_bytes: int) -> Iterator[Record]:
    first = 1
    for group in range(file.num_row_groups):
        rows, done = file.metadata.row_group(group).num_rows, 0
        try:
            for batch in file.iter_batches(BATCH_ROWS, row_groups=[group], columns=wanted):
                columns = [_values(batch.column(name)) for name in wanted]
                for values in zip(*columns, strict=True):
                    row = dict(zip(wanted, values, strict=True))
                    if selected(row, source.where):
                        own = {name: row[name] for name in _read(source) if name}
                        yield _record(str(first + done), own, source, max_bytes)
                    else:
                        yield Record(str(first + done), None, reason="not_selected")
                    done += 1
        except (pa.ArrowException, OSError) as error:
            yield unreadable(str(first + done), f"rows {first + done} to {first + rows - 1} are damaged: {error}")
        first += rows


def _values(column: pa.Array) -> list[Any]:
    """Strings as bytes: Arrow does not check them, and one bad byte must cost one row only."""
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if pa.types.is_string(column.type) or pa.types.is_string_view(column.type):
        column = column.cast(pa.binary())
    elif pa.types.is_large_string(column.type):
        column = column.cast(pa.large_binary())
    values: list[Any] = column.to_pylist()
    return values


def _record(place: str, row: dict[str, Any], source: ParquetSource, max_bytes: int) -> Record:
    text: dict[str, str | None] = {}
    for name, value in row.items():
        if isinstance(value, bytes):
            try:
                text[name] = value.decode()
            except UnicodeDecodeError as error:
                return unreadable(place, f"column {name!r} is not UTF-8: {error}", value)
        elif value is None or (isinstance(value, int) and not isinstance(value, bool)):
            text[name] = None if value is None else str(value)
        else:
            return unreadable(place, f"column {name!r} holds {type(value).__name__}, not text")
    found, key = text[source.text_field], text.get(source.id_field or "")
    if found is None or (source.id_field and key is None):
        return unreadable(place, f"null in column {(source.text_field if found is None else source.id_field)!r}")
    return judged(Record(place, found, key=key, title=text.get(source.title_field or "")), max_bytes)
