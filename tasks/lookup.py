"""查找 lookup: rows of a dataset by document id or URL, without reading its texts.

The column that is asked about is read, shard by shard; of the rows found, and of no others, the rest is decoded. A
document stays in the heir of its shard from stage to stage, so that after the first look one shard of each dataset is
opened, whatever the size of the corpus.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl

from data_contracts.dataset import KEPT, QUARANTINED, Manifest
from tasks.store import Store

Row = dict[str, Any]


class Found(NamedTuple):
    """A document in a dataset."""

    shard: int  # number of the shard
    which: str  # KEPT or QUARANTINED
    row: Row


def rows_of(
    store: Store,
    manifest: Manifest,
    which: str,
    values: Sequence[str],
    columns: Sequence[str] = (),
    by: str = "doc_id",
    shards: Iterable[int] | None = None,
) -> list[tuple[int, Row]]:
    """(number of the shard, row) of the rows whose column `by` has one of these values, in order of shards and rows.

    `columns` that the file lacks are left out; none named means all but `body`. Empty when the file has no column `by`.
    """
    found: list[tuple[int, Row]] = []
    for number in range(len(manifest.shards)) if shards is None else shards:
        file = manifest.shards[number].files.get(which)
        if file is not None and values:
            found += [(number, row) for row in _rows(store.path(file), values, columns, by)]
    return found


def _rows(path: Path, values: Sequence[str], columns: Sequence[str], by: str) -> list[Row]:
    frame = pl.scan_parquet(path)
    have = frame.collect_schema().names()
    if by not in have:
        return []
    places = frame.select(pl.col(by).is_in(list(values)).arg_true()).collect().to_series()
    if places.is_empty():
        return []
    wanted = [c for c in have if (c in columns if columns else c != "body")]
    first, last = int(places[0]), int(places[-1])
    return frame.select(wanted).slice(first, last - first + 1).collect()[(places - first).to_list()].to_dicts()


def document(store: Store, manifest: Manifest, doc_id: str, likely: int | None = None) -> Found | None:
    """One document, kept or quarantined; looked for in the likely shard first, then in all."""
    for shards in ([likely] if likely is not None else [], None):
        for which in (KEPT, QUARANTINED):
            for number, row in rows_of(store, manifest, which, [doc_id], shards=shards):
                return Found(number, which, row)
    return None


def heir(manifest: Manifest, parents: Mapping[str, Manifest], found: Mapping[str, Found]) -> int | None:
    """The shard made of that in which a parent holds a document; None when shards do not follow one by one.

    `parents` and `found` have the names of datasets for keys; parents that hold no documents are in neither.
    """
    given = [(name, i) for name, parent in parents.items() for i, s in enumerate(parent.shards) if s.rows_kept]
    if len(given) != len(manifest.shards):
        return None
    return next((n for n, (name, i) in enumerate(given) if name in found and found[name].shard == i), None)
