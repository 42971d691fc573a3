"""连接 linking: which units are copies of each other, as edges between digests. No job sees more than a part.

    link      one part of all band keys      -> edges between units that share a band and resemble each other
    contract  one part of the edges' digests -> edges to the smallest digest that is connected there

Contracting is repeated until every edge ends at the smallest digest of its cluster, which takes a few rounds: each
round a digest learns of whatever its neighbours knew. An edge takes 32 bytes and is written both ways.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from data_contracts.dataset import File, Shard
from data_contracts.stages import DedupConfig
from tasks.copies import tables
from tasks.copies.signing import BANDS, CARDS, UNITS
from tasks.copies.tables import Part
from tasks.rows import Room
from tasks.transforms import clusters
from tasks.transforms.clusters import Table
from tasks.transforms.signatures import signatures_of
from tasks.work import Work

EDGES, MOVED = "edges.table", "moved"


class Lists(NamedTuple):
    """The tables of all shards, one list for each kind."""

    units: File
    bands: File
    cards: File


def lists(work: Work, signed: list[Shard]) -> Lists:
    """Write the lists of what the shards' signing made."""
    return Lists(*(tables.put_list(work.store, (s.files[name] for s in signed)) for name in (UNITS, BANDS, CARDS)))


def edges(work: Work, signed: list[Shard], every: Lists, cfg: DedupConfig) -> File:
    """A list of tables of edges that all end at the smallest digest of their cluster."""
    rows = sum(int(s.measures["bands"]) for s in signed)
    made = tables.each_part(work, link, rows, (every.bands, every.units), cfg)
    while len(made) > 1 and (ends := sum(s.rows_in for s in made)):
        found = tables.put_list(work.store, (s.files[EDGES] for s in made))
        made = tables.each_part(work, contract, ends, (found,))
        if not any(s.measures[MOVED] for s in made):
            break
    return tables.put_list(work.store, (s.files[EDGES] for s in made))


def link(room: Room, part: Part, bands: File, units: File, cfg: DedupConfig) -> list[Shard]:
    """Edges between the units of one part of the band keys."""
    rows, places = tables.between(room.store, bands, part)
    chosen = clusters.shared(rows[:, 0])
    keys = rows[chosen, 0]
    owners = places[chosen] & ~np.uint64(0xFFFFFFFF)
    found, member = np.unique(owners | rows[chosen, 1], return_inverse=True)
    del rows, places, chosen, owners
    table = tables.gathered(room.store, units, found)
    number, first = clusters.numbered(table[:, :2])
    pairs = clusters.linked(keys, number[member], signatures_of(table, cfg), first, cfg.min_similarity)
    return [_edge_shard(room, clusters.edges_of(table[first, :2], clusters.components(len(first), pairs)), 0)]


def contract(room: Room, part: Part, found: File) -> list[Shard]:
    """The edges of one part of the digests, drawn together."""
    given, _ = tables.between(room.store, found, part)
    drawn, moved = clusters.contracted(given)
    return [_edge_shard(room, drawn, moved)]


def _edge_shard(room: Room, table: Table, moved: int) -> Shard:
    file = tables.put(room, table)
    return Shard(content=file.sha256, files={EDGES: file}, rows_in=len(table), measures={MOVED: float(moved)})
