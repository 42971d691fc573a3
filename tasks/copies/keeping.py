"""保留 keeping: of every cluster one document stays; every unit that goes names it, and how much it resembles it.

    group   one part of the digests -> the units that have a copy, under the digest that names their cluster
    choose  one part of the clusters -> a row for every unit of every shard that goes

Units, not documents: a text that stands a million times in a shard is one row here. The shard itself knows which of its
documents are that unit.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from data_contracts.dataset import File, Shard
from data_contracts.stages import DedupConfig
from tasks.copies import tables
from tasks.copies.linking import Lists
from tasks.copies.meeting import FOLLOWERS
from tasks.copies.tables import Part, Places
from tasks.rows import Room
from tasks.store import Store
from tasks.transforms import clusters
from tasks.transforms.clusters import Table
from tasks.transforms.precedence import LAST
from tasks.transforms.signatures import signatures_of
from tasks.work import Work

MEMBERS, REMOVALS = "members.table", "removals.table"
NEAR = "near_"  # measures: documents that go, by similarity

_PAIRS = 1 << 15

# Columns of members: digest of the cluster, precedence (3), place of the unit, its digest, its documents, and for a
# follower 1 + its row.
_RANK, _PLACE, _DIGEST, _DOCUMENTS, _FOLLOWER = slice(2, 5), 5, slice(6, 8), 8, 9
_DOC_ID = 4
# Columns of removals: shard, unit, document that stays, similarity (bits of a float), why (index into FATES), and for a
# follower 1 + its row; else all documents of the unit go.
FATES = (None, "exact_duplicate", "near_duplicate", "same_url")
_EXACT, _NEAR, _SAME_URL = 1, 2, 3


def removals(
    work: Work, signed: list[Shard], every: Lists, edges: File, cfg: DedupConfig
) -> tuple[File, dict[str, int]]:
    """A list of tables of removals, and the near duplicates by similarity: {"0.80": 12, ...}."""
    rows = sum(s.rows_in for s in signed)  # of cards
    none = tables.put(Room(work.store, work.scratch), np.zeros((0, 4), dtype=np.uint64))
    followers = tables.put_list(work.store, (s.files.get(FOLLOWERS, none) for s in signed))
    grouped = tables.each_part(work, group, tables.WIDE * rows, (every.cards, edges, followers))
    members = tables.put_list(work.store, (s.files[MEMBERS] for s in grouped))
    rows = tables.WIDE * sum(s.rows_in for s in grouped)
    chosen = tables.each_part(work, choose, rows, (members, every.units), cfg)
    counts: dict[str, int] = {}
    for shard in chosen:
        for name, number in shard.measures.items():
            counts[name.removeprefix(NEAR)] = counts.get(name.removeprefix(NEAR), 0) + int(number)
    return tables.put_list(work.store, (s.files[REMOVALS] for s in chosen)), dict(sorted(counts.items()))


def group(room: Room, part: Part, cards: File, edges: File, followers: File) -> list[Shard]:
    """The units of one part of the digests that have a copy: an equal one in another shard, an edge, or a follower."""
    own, places = tables.between(room.store, cards, part)
    ends, _ = tables.between(room.store, edges, part)
    after, after_places = tables.between(room.store, followers, part)
    alive = own[:, clusters.DOCUMENTS] > 0
    members = np.concatenate([_members(own[alive], places[alive]), _following(after, after_places)])
    number, _ = clusters.numbered(members[:, :2])
    members[:, :2], tied = clusters.roots(members[:, :2], ends)
    made = members[tied | (np.bincount(number, minlength=1)[number] > 1)]
    made = made[np.lexsort((made[:, 1], made[:, 0]))]
    file = tables.put(room, made)
    return [Shard(content=file.sha256, files={MEMBERS: file}, rows_in=len(made))]


def _members(cards: Table, places: Places) -> Table:
    digest, nobody = cards[:, clusters.DIGEST], np.zeros(len(cards), dtype=np.uint64)
    return np.column_stack([digest, cards[:, clusters.RANK], places, digest, cards[:, clusters.DOCUMENTS], nobody])


def _following(followers: Table, places: Places) -> Table:
    """Members under the text that they follow, of which none can stay."""
    last = np.full((len(followers), 3), LAST)
    unit = (places & ~np.uint64(0xFFFFFFFF)) | followers[:, 2]
    one = np.ones(len(followers), dtype=np.uint64)
    return np.column_stack([followers[:, :2], last, unit, followers[:, :2], one, followers[:, 3] + one])


def choose(room: Room, part: Part, members: File, units: File, cfg: DedupConfig) -> list[Shard]:
    """What goes of one part of the clusters."""
    rows, _ = tables.between(room.store, members, part)
    cluster = clusters.settled(rows[:, :2], rows[:, _RANK])
    gone, kept = cluster.order[cluster.gone], cluster.kept[cluster.gone]
    place, follower = rows[gone, _PLACE], rows[gone, _FOLLOWER]
    differs = (rows[gone, _DIGEST] != rows[kept, _DIGEST]).any(axis=1)
    why = np.where(follower > 0, _SAME_URL, np.where(differs, _NEAR, _EXACT))
    open_, near = why != _EXACT, why == _NEAR
    alike = np.ones(len(gone))
    alike[open_] = _similarity(room.store, units, rows[kept[open_], _PLACE], place[open_], cfg)
    documents = rows[gone, _DOCUMENTS].astype(np.float64)
    columns = [
        place >> np.uint64(32), place & np.uint64(0xFFFFFFFF), rows[kept, _DOC_ID], alike.view(np.uint64),
        why.astype(np.uint64), follower,
    ]  # fmt: skip
    del rows, cluster, gone, kept
    order = np.argsort(place, kind="stable")  # by shard, then unit
    table = np.column_stack([column[order] for column in columns])
    file = tables.put(room, table)
    steps = np.floor(alike[near] * 20 + 1e-9).astype(np.int64)
    counted = np.bincount(steps, weights=documents[near], minlength=1)
    measures = {f"{NEAR}{step / 20:.2f}": float(counted[step]) for step in np.flatnonzero(counted)}
    return [Shard(content=file.sha256, files={REMOVALS: file}, rows_in=len(table), measures=measures)]


def _similarity(store: Store, units: File, left: Places, right: Places, cfg: DedupConfig) -> npt.NDArray[np.float64]:
    """Similarity of the units at pairs of places, so many at a time that their signatures take 16 MB."""
    made = [np.zeros(0)]
    for i in range(0, len(left), _PAIRS):
        found, inverse = np.unique(np.concatenate([left[i : i + _PAIRS], right[i : i + _PAIRS]]), return_inverse=True)
        signatures = signatures_of(tables.gathered(store, units, found), cfg)
        made.append(clusters.similarity(signatures, *inverse.reshape(2, -1)))
    return np.concatenate(made)
