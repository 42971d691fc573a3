"""去重 dedup: DOCUMENT -> DOCUMENT. Of every group of copies one stays; each row that goes names it.

Three steps. Signing (per shard, cached): digests and MinHash signatures. Clustering (global, in this process): exact
first, then pairs that share a band and resemble each other. Marking (per shard, cached by what concerns that shard): so
a new shard costs its own signatures, the clustering, and the marking of those shards in which its copies lie.

Quarantined rows carry `duplicate_of` (the doc_id that stays) and `similarity` (1.0 for exact copies, else the share of
equal signature slots). Document ids are taken to be unique; the result depends on the set of documents only, not on
shards or their order. Memory: see tasks/transforms/clusters.py.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import polars as pl

from data_contracts.dataset import KEPT, File, Shard, digest_of
from data_contracts.schemas import DOCUMENT
from data_contracts.stages import DedupConfig
from tasks import rows
from tasks.rows import Room
from tasks.stage import stage
from tasks.store import Store
from tasks.transforms import clusters
from tasks.transforms.clusters import Bucket, Units
from tasks.transforms.signatures import Signatures, band, sign
from tasks.work import Inputs, Output, Work

KEYS, SIGNATURES = "keys.parquet", "signatures.parquet"


@stage(schema=DOCUMENT, libraries=("numpy", "opencc", "polars", "rensa"))
def dedup(documents: Inputs, cfg: DedupConfig, work: Work) -> Output:
    """去重 dedup: DOCUMENT -> DOCUMENT. Exact copies first, then near copies by MinHash; one of each group stays."""
    shards = [s for s in work.shards(documents) if s.rows_kept]
    signed = [made[0] for made in work.each(sign_shard, [(s.content, (s.files[KEPT], cfg)) for s in shards])]
    removals = find_removals(work.store, signed, cfg)
    jobs = []
    for number, shard in enumerate(shards):
        own = removals.filter(pl.col("shard") == number).drop("shard")
        jobs.append((f"{shard.content}\0{digest_of(own.rows())}", (shard.files[KEPT], own)))
    return Output(
        [made[0] for made in work.each(mark_shard, jobs)],
        measures={"near_duplicate_similarity": _histogram(removals)},
    )


def sign_shard(room: Room, source: File, cfg: DedupConfig) -> list[Shard]:
    """Signatures of one shard, as two Parquet files."""
    documents = pl.read_parquet(room.store.path(source), columns=["doc_id", "text"])
    keys, signatures = sign(documents, cfg)
    files = {KEYS: room.put(keys), SIGNATURES: room.put(signatures)}
    return [Shard(content=files[KEYS].sha256, files=files, rows_in=documents.height, rows_kept=documents.height)]


def find_removals(store: Store, signed: list[Shard], cfg: DedupConfig) -> pl.DataFrame:
    """Rows that go from any shard: shard, row, duplicate_of, similarity, reason."""
    if not signed:
        return pl.DataFrame(schema=_REMOVALS)
    keys = clusters.ranked(
        pl.concat(
            pl.read_parquet(store.path(s.files[KEYS])).with_columns(shard=pl.lit(i, pl.UInt32))
            for i, s in enumerate(signed)
        ),
        cfg,
    )
    numbers = _Numbers(store, signed, keys)
    paired = np.zeros(numbers.units, dtype=bool)
    found: list[Bucket] = []
    for i in range(cfg.bands):
        bucket = clusters.buckets(numbers.column(band(i)))
        paired[bucket.units] = True
        found.append(bucket)
    row_of, signatures = numbers.signatures(paired)
    cluster = clusters.linked(numbers.units, found, row_of, signatures, cfg)
    return clusters.removals(keys, cluster, row_of, signatures)


def mark_shard(room: Room, source: File, removals: pl.DataFrame) -> list[Shard]:
    """One shard's rows with their reason, split into kept and quarantined."""
    frame = pl.read_parquet(room.store.path(source)).with_row_index("row")
    marked = frame.join(removals, on="row", how="left", maintain_order="left").drop("row")
    return [rows.shard(room, marked, DOCUMENT, text_bytes=int(frame["text"].str.len_bytes().sum()))]


class _Numbers:
    """Reads columns of all signature files in the order of the units; a digest in two shards is read once."""

    def __init__(self, store: Store, signed: list[Shard], keys: pl.DataFrame) -> None:
        units = keys.select("digest", "unit").unique("digest", maintain_order=True)
        self.units = units.height
        self._paths = [store.path(s.files[SIGNATURES]) for s in signed]
        self._of: list[Units] = []  # the unit of each row of each file
        for path in self._paths:
            digests = pl.read_parquet(path, columns=["digest"])
            here = digests.join(units, on="digest", how="left", maintain_order="left")["unit"]
            self._of.append(here.to_numpy().astype(np.int64))

    def column(self, name: str) -> npt.NDArray[np.uint64]:
        """One column, indexed by unit."""
        values = np.zeros(self.units, dtype=np.uint64)
        for path, units in zip(self._paths, self._of, strict=True):
            values[units] = pl.read_parquet(path, columns=[name])[name].to_numpy()
        return values

    def signatures(self, wanted: npt.NDArray[np.bool_]) -> tuple[Units, Signatures]:
        """(row of each unit in the matrix, -1 where not wanted; the matrix of wanted signatures)."""
        row_of = np.full(self.units, -1, dtype=np.int64)
        parts: list[Signatures] = []
        size = 0
        for path, units in zip(self._paths, self._of, strict=True):
            mine = np.flatnonzero(wanted[units] & (row_of[units] < 0))
            if len(mine):
                chosen = pl.read_parquet(path, columns=["signature"])["signature"].gather(mine)
                parts.append(chosen.to_numpy())
                row_of[units[mine]] = np.arange(size, size + len(mine))
                size += len(mine)
        return row_of, np.concatenate(parts) if parts else np.zeros((0, 0), dtype=np.uint32)


_REMOVALS = {
    "shard": pl.UInt32(),
    "row": pl.UInt32(),
    "duplicate_of": pl.String(),
    "similarity": pl.Float64(),
    "reason": pl.String(),
}


def _histogram(removals: pl.DataFrame) -> dict[str, int]:
    """Near duplicates by similarity, in steps of 0.05: {"0.80": 12, ...}."""
    near = removals.filter(pl.col("reason") == "near_duplicate")
    steps = near.select(step=(pl.col("similarity") * 20 + 1e-9).floor() / 20).group_by("step").len().sort("step")
    return {f"{step:.2f}": n for step, n in steps.rows()}
