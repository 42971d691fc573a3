"""聚类 clusters: which documents are copies of one text, and which copy stays. Pure; the stage reads the files.

Documents with one digest are one unit. Units are numbered by the keep rule, best first, so that everything below is a
function of the set of documents alone, however they are sharded: the first of a bucket is its hub, and the smallest
number of a cluster is the copy that stays.

Memory: about 200 bytes a document while keys are ranked (measured on 2 million), 24 bytes a unit for one band at a
time, and 4 bytes a slot for the signature of each unit that shares a band with another: 10 million documents take 2 GB,
plus 0.45 GB per million paired units at 112 slots. Texts are never held.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from data_contracts.stages import DedupConfig
from tasks.transforms.signatures import Signatures

Units = npt.NDArray[np.int64]

ROUNDS = 8  # hubs that a bucket may have; what no hub of the first eight resembles stays apart
_PAIRS = 1 << 15  # compared at once: 2 x 15 MB of signatures


class Bucket(NamedTuple):
    """The units of one band that share their key with another: sorted by key, then by number."""

    keys: npt.NDArray[np.uint64]
    units: Units


def ranked(keys: pl.DataFrame, cfg: DedupConfig) -> pl.DataFrame:
    """Keys (shard, row, doc_id, chars, digest) in the order of the keep rule, with the number of their `unit`."""
    best_first = ["doc_id", "digest", "shard", "row"]
    if cfg.keep == "longest":
        ordered = keys.sort("chars", *best_first, descending=[True, False, False, False, False])
    else:
        ordered = keys.sort(*best_first)
    units = ordered.select(pl.col("digest").unique(maintain_order=True)).with_row_index("unit")
    return ordered.join(units, on="digest", how="left", maintain_order="left")


def buckets(keys: npt.NDArray[np.uint64]) -> Bucket:
    """Units of one band that share its key with another unit; `keys[u]` is the key of unit u."""
    order = np.argsort(keys, kind="stable")
    sorted_keys = keys[order]
    same = sorted_keys[1:] == sorted_keys[:-1]
    shared = np.concatenate((same, [False])) | np.concatenate(([False], same)) if len(keys) else np.zeros(0, dtype=bool)
    return Bucket(sorted_keys[shared], order[shared])


def linked(units: int, bands: Iterable[Bucket], row_of: Units, signatures: Signatures, cfg: DedupConfig) -> Units:
    """The cluster of every unit, named by its smallest unit.

    `row_of[u]` is the row of `signatures` that belongs to unit u. Within a bucket every unit is compared with the hub;
    those that resemble it are linked to it, the rest choose the next hub among themselves.
    """
    cluster = np.arange(units)
    for bucket in bands:
        keys, members = bucket
        for _ in range(ROUNDS):
            first = np.concatenate(([True], keys[1:] != keys[:-1])) if len(keys) else np.zeros(0, dtype=bool)
            if first.all():
                break
            hubs = members[np.flatnonzero(first)][np.cumsum(first) - 1]
            done = first | (cluster[hubs] == cluster[members])
            open_ = np.flatnonzero(~done)
            alike = similarity(signatures, row_of[hubs[open_]], row_of[members[open_]]) >= cfg.min_similarity
            _join(cluster, hubs[open_[alike]], members[open_[alike]])
            done[open_[alike]] = True
            keys, members = keys[~done], members[~done]
    return cluster


def similarity(signatures: Signatures, left: Units, right: Units) -> npt.NDArray[np.float64]:
    """Share of equal slots of each pair of rows: an estimate of the Jaccard similarity of their n-grams."""
    parts = [
        (signatures[left[i : i + _PAIRS]] == signatures[right[i : i + _PAIRS]]).mean(axis=1)
        for i in range(0, len(left), _PAIRS)
    ]
    return np.concatenate(parts) if parts else np.zeros(0)


def removals(keys: pl.DataFrame, cluster: Units, row_of: Units, signatures: Signatures) -> pl.DataFrame:
    """Rows that go: shard, row, duplicate_of, similarity, reason, in order of shard and row.

    `duplicate_of` is the doc_id that stays. An exact duplicate has its folded key; a near duplicate has the similarity
    of the two signatures, which is below `min_similarity` where a third copy links the two.
    """
    unit = keys["unit"].to_numpy().astype(np.int64)
    kept = cluster[unit]
    _, best_row = np.unique(unit, return_index=True)  # the first row of a unit is its best
    first = np.zeros(len(unit), dtype=bool)
    first[best_row] = True
    gone = np.flatnonzero(~first | (kept != unit))
    near = kept[gone] != unit[gone]
    measured = np.ones(len(gone))
    measured[near] = similarity(signatures, row_of[kept[gone[near]]], row_of[unit[gone[near]]])
    return (
        keys[gone]
        .select("shard", "row")
        .with_columns(
            duplicate_of=keys["doc_id"].gather(best_row[kept[gone]]),
            similarity=pl.Series(measured, dtype=pl.Float64),
            reason=pl.Series(np.where(near, "near_duplicate", "exact_duplicate"), dtype=pl.String),
        )
        .sort("shard", "row")
    )


def _join(cluster: Units, left: Units, right: Units) -> None:
    """Union of pairs, in place: every unit ends at the smallest number that it can reach."""
    while len(left):
        low = np.minimum(cluster[left], cluster[right])
        np.minimum.at(cluster, cluster[left], low)
        np.minimum.at(cluster, cluster[right], low)
        while not np.array_equal(flat := cluster[cluster], cluster):
            cluster[:] = flat
        apart = cluster[left] != cluster[right]
        left, right = left[apart], right[apart]
