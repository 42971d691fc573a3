"""样本 samples: a bounded number of bytes of text out of datasets, the same whatever their shards.

Every dataset gives an equal share, as far as it has text; in it documents come in the order of a hash of their id.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import polars as pl

from data_contracts.dataset import KEPT, Dataset, File, digest_of
from tasks.store import Store
from tasks.transforms.splits import places


class Chosen(NamedTuple):
    """Rows of one shard that are in the sample."""

    source: File
    rows: list[int]


def choose(store: Store, datasets: Sequence[Dataset], sample_bytes: int) -> list[Chosen]:
    """At least one document of every dataset that has any; beyond that, no more than `sample_bytes`."""
    measured = [_sizes(store, d) for d in datasets]
    shares = _shares([int(frame["bytes"].sum()) for _, frame in measured], sample_bytes)
    found = []
    for (sources, frame), share in zip(measured, shares, strict=True):
        order = np.lexsort((frame["doc_id"].to_numpy(), places(frame["doc_id"].to_list(), "sample")))
        ends = np.cumsum(frame["bytes"].to_numpy()[order])
        taken = frame[order[: max(1, int(np.searchsorted(ends, share, side="right")))]].sort("shard", "row")
        for (shard,), own in taken.group_by("shard", maintain_order=True):
            found.append(Chosen(sources[int(str(shard))], own["row"].to_list()))
    return found


def _sizes(store: Store, dataset: Dataset) -> tuple[list[File], pl.DataFrame]:
    """Files of a dataset's shards, and shard, row, doc_id, bytes of every document."""
    sources = [s.files[KEPT] for s in store.manifest(dataset).shards if s.rows_kept]
    parts = [
        pl.scan_parquet(store.path(source))
        .select("doc_id", bytes=pl.col("text").str.len_bytes().cast(pl.Int64))
        .with_row_index("row")
        .collect()
        .with_columns(shard=pl.lit(number))
        for number, source in enumerate(sources)
    ]
    return sources, pl.concat(parts)


def _shares(sizes: Sequence[int], total: int) -> list[int]:
    """Equal shares of a total; what a small one does not need goes to the others."""
    shares = [0] * len(sizes)
    for left, i in zip(range(len(sizes), 0, -1), sorted(range(len(sizes)), key=sizes.__getitem__), strict=True):
        shares[i] = min(sizes[i], total // left)
        total -= shares[i]
    return shares


def key_of(chosen: Sequence[Chosen]) -> str:
    """What a job that reads the sample depends on."""
    return digest_of([[c.source.sha256, c.rows] for c in chosen])


def texts_of(store: Store, chosen: Sequence[Chosen]) -> pl.Series:
    """The texts of a sample, each once, in the order of their ids."""
    parts = [pl.read_parquet(store.path(c.source), columns=["doc_id", "text"])[c.rows] for c in chosen]
    return pl.concat(parts).sort("doc_id").unique("text", keep="first", maintain_order=True)["text"]
