"""行的拆分 what a worker does with marked rows: split on `reason`, check, write, count. A stage marks, this drops.

A shard has up to three files: kept rows with exactly the schema's columns; quarantined rows with every column; and
signals, the measurements of all rows (doc_id, reason and every extra number or tag), so that `ziliu why` and the report
can show the value behind a decision without a second pass.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from data_contracts.dataset import KEPT, QUARANTINED, SIGNALS, File, Shard
from data_contracts.errors import ConservationBroken, StageError
from data_contracts.reasons import REASONS
from data_contracts.schemas import PAGE, Schema, check
from tasks.folder import explained
from tasks.store import Store

COUNT_PREFIX = "count_"  # extra integer columns with this prefix are summed into the shard's measures


@dataclass(frozen=True)
class Room:
    """Where a job works: a store and a temporary folder on its file system."""

    store: Store
    scratch: Path

    def put(self, content: Path | bytes | pl.DataFrame) -> File:
        """Store a finished file, bytes, or a frame (as Parquet, zstd 3)."""
        if isinstance(content, bytes):
            return self.store.put_bytes(content)
        if isinstance(content, pl.DataFrame):
            path = self.scratch / "frame.parquet"
            with explained(path):
                content.write_parquet(path, compression="zstd", compression_level=3)
            return self.store.put_file(path)
        return self.store.put_file(content)


def shard(
    room: Room,
    marked: pl.DataFrame,
    schema: Schema,
    *,
    text_bytes: int = 0,
    measures: Mapping[str, float] | None = None,
) -> Shard:
    """Split marked rows into a shard of the store.

    `marked` holds the schema's columns, a nullable `reason`, optionally `error`, and any measurements. `text_bytes` is
    the UTF-8 size of what was read. Raises StageError for a reason that is not in the list, SchemaMismatch for kept
    rows of the wrong shape.
    """
    unknown = set(marked["reason"].drop_nulls().unique()) - set(REASONS)
    if unknown:
        raise StageError(f"reasons {sorted(unknown)} are not in data_contracts/reasons.py; add them there")
    check(dict(marked.schema), schema, f"kept rows for {schema.name}")
    kept = marked.filter(pl.col("reason").is_null()).select(*schema.columns)
    refused = marked.filter(pl.col("reason").is_not_null())
    if kept.height + refused.height != marked.height:
        raise ConservationBroken(f"{marked.height} rows in, {kept.height} kept, {refused.height} quarantined")
    if refused.height and "error" not in refused.columns:
        refused = refused.with_columns(error=pl.lit(None, pl.String()))
    files = {KEPT: room.put(kept)}
    if refused.height:
        files[QUARANTINED] = room.put(refused)
    signals = _signals(marked, schema)
    if signals is not None:
        files[SIGNALS] = room.put(signals)
    counts = [c for c in marked.columns if c.startswith(COUNT_PREFIX)]
    sources = _sources(kept)
    return Shard(
        content=_content(kept, schema, files[KEPT]),
        files=files,
        rows_in=marked.height,
        rows_kept=kept.height,
        reasons=dict(sorted(refused["reason"].value_counts().iter_rows())),
        chars=sum(chars for *_, chars in sources),
        sources=sources,
        text_bytes=text_bytes,
        measures={c.removeprefix(COUNT_PREFIX): float(marked[c].sum() or 0) for c in counts} | dict(measures or {}),
    )


def _sources(kept: pl.DataFrame) -> tuple[tuple[str, str, int, int], ...]:
    """Source, licence, documents and characters of rows that have a text."""
    if "text" not in kept.columns:
        return ()
    chars = pl.col("text").str.len_chars().sum().cast(pl.Int64)
    return tuple(kept.group_by("source", "licence").agg(pl.len(), chars).sort("source", "licence").iter_rows())


def _signals(marked: pl.DataFrame, schema: Schema) -> pl.DataFrame | None:
    extra = [
        name
        for name, kind in marked.schema.items()
        if name not in schema.columns
        and name not in PAGE.columns  # carried along from the page, not measured
        and (kind.is_numeric() or isinstance(kind, pl.Boolean | pl.Enum))
        and not name.startswith(COUNT_PREFIX)
    ]
    if not extra or "doc_id" not in marked.columns:
        return None
    numbers = [pl.col(c) if isinstance(marked.schema[c], pl.Enum) else pl.col(c).cast(pl.Float32) for c in extra]
    return marked.select("doc_id", "reason", *numbers)


def _content(kept: pl.DataFrame, schema: Schema, file: File) -> str:
    """What the next stage's key hangs on: the bytes, or the identity columns where a schema has lineage columns."""
    if not schema.lineage:
        return file.sha256
    digest = hashlib.sha256()
    names = [n for n in schema.identity if schema.columns[n] != pl.Binary()]  # bodies are covered by their digest
    for row in kept.select(names).iter_rows():
        digest.update("\x1f".join("" if v is None else str(v) for v in row).encode() + b"\n")
    return digest.hexdigest()
