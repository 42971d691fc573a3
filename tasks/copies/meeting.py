"""同一网址 meeting: documents of several sources that stand for one URL, found before any text is compared.

    meet     one part of the addresses    -> rows that give way, and the text of the row that stays
    without  a shard of which some rows do -> its tables as if it had never held them, and those rows

What gives way takes no part in the search for copies, so that two texts are never one because a page changed between
two crawls. It follows the page that stays: where that is a copy itself, both name the same document.
"""

from __future__ import annotations

import numpy as np

from data_contracts.dataset import KEPT, File, Shard
from data_contracts.stages import DedupConfig
from tasks.copies import tables
from tasks.copies.signing import ADDRESSES, BANDS, CARDS, UNIT_OF, read
from tasks.copies.tables import Part
from tasks.rows import Room
from tasks.transforms import addresses, clusters
from tasks.transforms.precedence import precedence
from tasks.transforms.signatures import cards
from tasks.work import Work

GIVING_WAY, FOLLOWERS = "giving_way.table", "followers.table"


def met(work: Work, shards: list[Shard], signed: list[Shard], cfg: DedupConfig) -> list[Shard]:
    """The tables of the shards without the rows that give way; these stand in FOLLOWERS."""
    count = sum(int(s.measures["addresses"]) for s in signed)
    if not (cfg.same_url and count):
        return signed
    listed = tables.put_list(work.store, (s.files[ADDRESSES] for s in signed))
    found = tables.put_list(
        work.store, (s.files[GIVING_WAY] for s in tables.each_part(work, meet, tables.WIDE * count, (listed,)))
    )
    jobs, touched = [], []
    for number, (shard, own) in enumerate(zip(shards, signed, strict=True)):
        if (rows := tables.own_rows(work, found, number)) is not None:
            jobs.append((f"{shard.content}\0{rows.sha256}", (shard.files[KEPT], own, rows, cfg)))
            touched.append(number)
    made = dict(zip(touched, work.each(without, jobs), strict=True))
    return [made[i][0] if i in made else own for i, own in enumerate(signed)]


def meet(room: Room, part: Part, listed: File) -> list[Shard]:
    """Of one part of the addresses: shard and row of what gives way, digest of what stays."""
    rows, places = tables.between(room.store, listed, part)
    found = addresses.met(rows)
    gone = rows[found.gone]
    made = np.column_stack(
        [places[found.gone] >> np.uint64(32), gone[:, addresses.ROW], rows[found.kept, addresses.DIGEST]]
    )
    file = tables.put(room, made[np.lexsort((made[:, 1], made[:, 0]))])
    return [Shard(content=file.sha256, files={GIVING_WAY: file}, rows_in=len(made))]


def without(room: Room, source: File, signed: Shard, giving_way: File, cfg: DedupConfig) -> list[Shard]:
    """Cards and bands of a shard without some of its rows, and these as followers of other texts."""
    given = tables.load(room.store, giving_way)
    rows = given[:, 0].astype(np.int64)
    unit_of = tables.load(room.store, signed.files[UNIT_OF])[:, 0].astype(np.int64)
    own = tables.load(room.store, signed.files[CARDS])
    rank = precedence(read(room, source, cfg), cfg.keep)
    stays = np.ones(len(rank), dtype=bool)
    stays[rows] = False
    left = cards(own[:, clusters.DIGEST], unit_of, rank, stays)
    bands = tables.load(room.store, signed.files[BANDS])
    bands = bands[left[bands[:, 1].astype(np.int64), clusters.DOCUMENTS] > 0]
    followers = np.column_stack([given[:, 1:], unit_of[rows].astype(np.uint64), given[:, 0]])
    files = {
        CARDS: tables.put(room, left),
        BANDS: tables.put(room, bands),
        FOLLOWERS: tables.put(room, followers[np.lexsort((followers[:, 1], followers[:, 0]))]),
    }
    measures = signed.measures | {"bands": float(len(bands)), "followers": float(len(followers))}
    return [signed.model_copy(update={"files": signed.files | files, "measures": measures})]
