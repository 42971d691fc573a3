"""查找 lookup: rows of a dataset by document id or URL, without reading its texts.

The column that is asked about is read, shard by shard; of the rows found, and of no others, the rest is decoded.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl

from data_contracts.dataset import Manifest
from tasks.store import Store


def rows_of(
    store: Store,
    manifest: Manifest,
    which: str,
    values: Sequence[str],
    columns: Sequence[str] = (),
    by: str = "doc_id",
) -> list[dict[str, Any]]:
    """Rows of one file of a dataset whose column `by` has one of these values, in order of shards and rows.

    `columns` that the file lacks are left out; none named means all but `body`. Empty when the file has no such column.
    """
    if not values:
        return []
    paths = [store.path(shard.files[which]) for shard in manifest.shards if which in shard.files]
    return [row for path in paths for row in _rows(path, values, columns, by)]


def _rows(path: Path, values: Sequence[str], columns: Sequence[str], by: str) -> list[dict[str, Any]]:
    frame = pl.scan_parquet(path)
    have = frame.collect_schema().names()
    if by not in have:
        return []
    places = frame.select(pl.col(by).is_in(list(values)).arg_true()).collect().to_series()
    if places.is_empty():
        return []
    wanted = [c for c in have if (c in columns if columns else c != "body")]
    first, last = int(places[0]), int(places[-1])
    return frame.select(wanted).slice(first, last - first + 1).collect().gather(places - first).to_dicts()
