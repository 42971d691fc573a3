"""去重 dedup: DOCUMENT -> DOCUMENT. Of every group of copies one stays; each row that goes names it.

    meet      a part of the URLs  of several sources' documents of one URL one stays; the rest follow it
    sign      a shard             digests, MinHash signatures, band keys, which document of a text is best
    link      a part of the bands edges between texts that share a band and resemble each other
    contract  a part of the edges drawn to one middle a cluster, until they are stars
    group     a part of the texts those that have a copy, under the name of their cluster
    choose    a part of the clusters one document stays, by the keep rule
    mark      a shard             its rows, split into kept and quarantined

Every step is a job of the executor and cached. A new shard costs its own signatures, the four steps between, which read
520 bytes a text instead of the text, and the marking of those shards in which its copies lie.

Quarantined rows carry `duplicate_of` (the doc_id that stays) and `similarity` (1.0 for exact copies, else the share of
equal signature slots, which is below `min_similarity` where a third copy links the two). Document ids are taken to be
unique; the result depends on the set of documents only, not on shards, their order, or the number of jobs.

Memory does not grow with the corpus: a job holds one shard or one part (tables.PART_ROWS rows), and this process a few
kilobytes a shard. What can grow is one cluster: 72 bytes for each text in the largest, where its one copy is chosen,
and 300 for each text that shares one band key.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from data_contracts.dataset import KEPT, File, Shard
from data_contracts.schemas import DOCUMENT
from data_contracts.stages import DedupConfig
from tasks import rows
from tasks.copies import keeping, linking, meeting, tables
from tasks.copies.keeping import FATES
from tasks.copies.linking import BANDS, CARDS, UNIT_OF, UNITS
from tasks.copies.meeting import ADDRESSES
from tasks.rows import Room
from tasks.stage import stage
from tasks.transforms import clusters
from tasks.transforms.clusters import Table
from tasks.transforms.precedence import columns_of, id_texts
from tasks.transforms.signatures import sign
from tasks.work import Inputs, Output, Work


@stage(schema=DOCUMENT, libraries=("numpy", "opencc", "polars", "rensa"))
def dedup(documents: Inputs, cfg: DedupConfig, work: Work) -> Output:
    """去重 dedup: DOCUMENT -> DOCUMENT. One URL, equal texts, near copies by MinHash: one of each group stays."""
    shards = [s for s in work.shards(documents) if s.rows_kept]
    if not shards:
        return Output([])
    signed = [made[0] for made in work.each(sign_shard, [(s.content, (s.files[KEPT], cfg)) for s in shards])]
    signed = meeting.met(work, shards, signed, cfg)
    every = linking.lists(work, signed)
    removals, similar = keeping.removals(work, signed, every, linking.edges(work, signed, every, cfg), cfg)
    jobs = []
    for number, (shard, own) in enumerate(zip(shards, signed, strict=True)):
        gone = tables.keyed(work.store, removals, number)
        file = tables.put(Room(work.store, work.scratch), gone[:, 1:]) if len(gone) else None
        jobs.append((f"{shard.content}\0{file and file.sha256}", (shard.files[KEPT], own, file)))
    return Output(
        [made[0] for made in work.each(mark_shard, jobs)],
        measures={"near_duplicate_similarity": similar},
    )


def sign_shard(room: Room, source: File, cfg: DedupConfig) -> list[Shard]:
    """What dedup must know of one shard, as four tables."""
    path = room.store.path(source)
    wanted = dict.fromkeys(("doc_id", "url", "source", "text", *columns_of(cfg.keep)))
    documents = pl.read_parquet(path, columns=[c for c in wanted if c in pl.read_parquet_schema(path)])
    made = sign(documents, cfg)
    names = (UNITS, BANDS, CARDS, UNIT_OF, ADDRESSES)
    files = {name: tables.put(room, table) for name, table in zip(names, made, strict=True)}
    measures = {"bands": float(len(made.bands)), "addresses": float(len(made.addresses))}
    return [Shard(content=files[CARDS].sha256, files=files, rows_in=len(made.units), measures=measures)]


def mark_shard(room: Room, source: File, signed: Shard, removals: File | None) -> list[Shard]:
    """One shard's rows with their reason, split into kept and quarantined."""
    frame = pl.read_parquet(room.store.path(source))
    unit_of = tables.load(room.store, signed.files[UNIT_OF])
    cards = tables.load(room.store, signed.files[CARDS])
    gone = tables.load(room.store, removals) if removals else None
    marked = frame.with_columns(_marks(unit_of, cards, gone))
    return [rows.shard(room, marked, DOCUMENT, text_bytes=int(frame["text"].str.len_bytes().sum()))]


def _marks(unit_of: Table, cards: Table, removals: Table | None) -> list[pl.Series]:
    """reason, duplicate_of and similarity of every row: a unit that stays keeps its best document, others none."""
    card = cards[unit_of]
    kept, alike = card[:, clusters.ID].copy(), np.ones(len(card))
    fate = (card[:, clusters.ROW] != np.arange(len(card))).astype(np.int64)  # index into FATES
    if removals is not None:
        follows = np.flatnonzero(removals[:, 4])
        units = np.flatnonzero(removals[:, 4] == 0)
        found = np.full(len(cards), -1)
        found[removals[units, 0].astype(np.int64)] = units
        of_row = found[unit_of]
        of_row[removals[follows, 4].astype(np.int64) - 1] = follows
        gone = np.flatnonzero(of_row >= 0)
        why = removals[of_row[gone]]
        kept[gone], alike[gone] = why[:, 1], np.ascontiguousarray(why[:, 2]).view(np.float64)
        fate[gone] = why[:, 3].astype(np.int64)
    names = pl.Series("duplicate_of", id_texts(kept), dtype=pl.String())
    marks = pl.select(
        reason=pl.Series(FATES, dtype=pl.String()).gather(fate), duplicate_of=names, similarity=pl.Series(alike)
    )
    return marks.with_columns(
        pl.when(pl.col("reason").is_not_null()).then(pl.col(c)).alias(c) for c in ("duplicate_of", "similarity")
    ).get_columns()
