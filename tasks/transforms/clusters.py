"""聚类 clusters: which documents are copies of one text, and which copy stays. Pure; tasks/copies reads the files.

Documents with one digest are one unit. Two units are linked when they share a band and their signatures resemble each
other; a cluster is whatever links connect, and of its documents one stays. In a bucket (the units of one band key) not
all pairs are compared, which would be quadratic: every unit is compared with the hub, the one with the smallest digest,
and those that do not resemble it choose the next hub among themselves. All of this is a function of the set of
documents alone, however they are sharded and however the buckets are spread over jobs.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Table = npt.NDArray[np.uint64]  # (rows, columns)
Units = npt.NDArray[np.int64]
Signatures = npt.NDArray[np.uint16]  # (units, slots)

# Columns of a table of cards: digest (2), precedence (3, the last is the document id), row, documents.
DIGEST, RANK, ID, ROW, DOCUMENTS = slice(0, 2), slice(2, 5), 4, 5, 6

ROUNDS = 8  # hubs that a bucket may have; what no hub of the first eight resembles stays apart
_PAIRS = 1 << 15  # compared at once: 2 x 7 MB of signatures


class Cluster(NamedTuple):
    """What `settled` says of every member: the member that stays, and whether that is not itself."""

    order: Units  # members, cluster by cluster, best first
    kept: Units  # the best member of the same cluster
    gone: npt.NDArray[np.bool_]


def numbered(digests: Table) -> tuple[Units, Units]:
    """(number of each row's digest in the order of digests, first row of each number)."""
    order = np.lexsort((digests[:, 1], digests[:, 0]))
    fresh = _fresh(digests[order])
    number = np.empty(len(order), dtype=np.int64)
    number[order] = np.cumsum(fresh) - 1
    return number, order[fresh]


def shared(keys: npt.NDArray[np.uint64]) -> Units:
    """Rows whose key another row has too, in the order of keys."""
    order = np.argsort(keys, kind="stable")
    fresh = _fresh(keys[order])
    alone = fresh & np.append(fresh[1:], True) if len(order) else fresh
    return order[~alone]


def linked(
    keys: npt.NDArray[np.uint64], members: Units, signatures: Signatures, row_of: Units, min_similarity: float
) -> Units:
    """Pairs (hub, member) of units that resemble each other, from the members of all buckets.

    `row_of[u]` is the row of `signatures` that belongs to unit u; units are numbered in the order of their digests.
    """
    order = np.lexsort((members, keys))
    keys, members = keys[order], members[order]
    fresh = _fresh(np.stack([keys, members.astype(np.uint64)], axis=1))  # one text in several shards is one unit
    keys, members = keys[fresh], members[fresh]
    pairs = [np.zeros((0, 2), dtype=np.int64)]
    for _ in range(ROUNDS):
        first = _fresh(keys)
        if first.all():
            break
        hubs = members[np.flatnonzero(first)][np.cumsum(first) - 1]
        open_ = np.flatnonzero(~first)
        alike = open_[similarity(signatures, row_of[hubs[open_]], row_of[members[open_]]) >= min_similarity]
        pairs.append(np.stack([hubs[alike], members[alike]], axis=1))
        done = first
        done[alike] = True
        keys, members = keys[~done], members[~done]
    return np.concatenate(pairs)


def similarity(signatures: Signatures, left: Units, right: Units) -> npt.NDArray[np.float64]:
    """Share of equal slots of each pair of rows: an estimate of the Jaccard similarity of their n-grams."""
    parts = [(signatures[left[i]] == signatures[right[i]]).mean(axis=1) for i in _slices(len(left))]
    return np.concatenate(parts) if parts else np.zeros(0)


def components(units: int, pairs: Units) -> Units:
    """The smallest unit that each unit is connected with."""
    cluster = np.arange(units)
    left, right = pairs[:, 0], pairs[:, 1]
    while len(left):
        low = np.minimum(cluster[left], cluster[right])
        np.minimum.at(cluster, cluster[left], low)
        np.minimum.at(cluster, cluster[right], low)
        while not np.array_equal(flat := cluster[cluster], cluster):
            cluster = flat
        apart = cluster[left] != cluster[right]
        left, right = left[apart], right[apart]
    return cluster


def contracted(edges: Table) -> tuple[Table, int]:
    """Edges between digests (4 columns, each edge both ways) drawn to the smallest digest that they reach here.

    Returns the new edges, sorted, both ways, and how many of those given did not end at such a smallest digest. When
    that is none in every part of the edges by their first digest, all edges form stars: every digest hangs on the
    smallest of its whole cluster (cf. Kiveris et al., Connected Components in MapReduce and Beyond, 2014).
    """
    ends = np.concatenate([edges[:, :2], edges[:, 2:]])
    number, first = numbered(ends)
    pairs = number.reshape(2, -1).T
    cluster = components(len(first), pairs)
    low = pairs.min(axis=1)
    return edges_of(ends[first], cluster), int(np.count_nonzero(cluster[low] != low))


def edges_of(digests: Table, cluster: Units) -> Table:
    """An edge from every unit to the smallest of its cluster, and back, sorted. `digests[u]` belongs to unit u."""
    hanging = np.flatnonzero(cluster != np.arange(len(cluster)))
    ways = ((hanging, cluster[hanging]), (cluster[hanging], hanging))
    edges = np.concatenate([np.concatenate([digests[a], digests[b]], axis=1) for a, b in ways])
    return edges[np.lexsort(edges.T[::-1])]


def roots(digests: Table, edges: Table) -> tuple[Table, npt.NDArray[np.bool_]]:
    """(the digest at the middle of each digest's star, whether there is such a star), from the edges of these."""
    number, first = numbered(np.concatenate([digests, edges[:, :2]]))
    root = np.concatenate([digests, edges[:, :2]])[first]
    own, starts = number[: len(digests)], number[len(digests) :]
    inward = _smaller(edges[:, 2:], edges[:, :2])
    root[starts[inward]] = edges[inward, 2:]
    tied = np.zeros(len(first), dtype=bool)
    tied[starts] = True
    return root[own], tied[own]


def settled(root: Table, rank: Table) -> Cluster:
    """Which member of every cluster stays: `root` (n, 2) names the cluster, the smallest `rank` (n, k) in it wins."""
    order = np.lexsort((*rank.T[::-1], root[:, 1], root[:, 0]))
    fresh = _fresh(root[order])
    best = order[fresh][np.cumsum(fresh) - 1]
    return Cluster(order, best, ~fresh)


def _fresh(sorted_rows: npt.NDArray[np.uint64]) -> npt.NDArray[np.bool_]:
    """Rows that differ from the one before."""
    differs = sorted_rows[1:] != sorted_rows[:-1]
    if differs.ndim == 2:
        differs = differs.any(axis=1)
    return np.concatenate([np.ones(min(1, len(sorted_rows)), dtype=bool), differs])


def _smaller(left: Table, right: Table) -> npt.NDArray[np.bool_]:
    """Rows of two numbers that come before those beside them."""
    smaller: npt.NDArray[np.bool_] = (left[:, 0] < right[:, 0]) | (
        (left[:, 0] == right[:, 0]) & (left[:, 1] < right[:, 1])
    )
    return smaller


def _slices(count: int) -> Iterator[slice]:
    return (slice(i, i + _PAIRS) for i in range(0, count, _PAIRS))
