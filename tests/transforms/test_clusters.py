from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tasks.transforms import clusters

pairs_of_15 = st.lists(st.tuples(st.integers(0, 14), st.integers(0, 14)), max_size=40)


def digest(number: int) -> tuple[int, int]:
    """Digests in the order of their numbers; some differ in their second half only."""
    return number // 3, number % 3


def table(rows, columns):
    return np.array(rows, dtype=np.uint64).reshape(-1, columns)


def smallest_reached(pairs, count=15):
    naive = list(range(count))
    for _ in range(count):
        for a, b in pairs:
            naive[a] = naive[b] = min(naive[a], naive[b])
    return naive


@given(st.lists(st.integers(0, 8), max_size=30))
def test_digests_are_numbered_in_their_order(values):
    number, first = clusters.numbered(table([digest(v) for v in values], 2))
    ordered = sorted(set(values))
    assert number.tolist() == [ordered.index(v) for v in values]
    assert first.tolist() == [values.index(v) for v in ordered]


@given(st.lists(st.integers(0, 5), max_size=30))
def test_shared_are_exactly_the_rows_that_share_a_key(values):
    found = clusters.shared(np.array(values, dtype=np.uint64)).tolist()
    assert sorted(found) == [i for i, v in enumerate(values) if values.count(v) > 1]
    assert [values[i] for i in found] == sorted(values[i] for i in found)


def linked(signatures, keys=None, members=None):
    count = len(signatures)
    keys = np.array(keys if keys is not None else [0] * count, dtype=np.uint64)
    members = np.array(members if members is not None else range(count))
    found = clusters.linked(keys, members, np.array(signatures, dtype=np.uint16), np.arange(count), 0.5)
    return [tuple(pair) for pair in found.tolist()]


def test_candidates_are_verified():
    assert linked([[1, 2, 3, 4], [1, 2, 3, 9], [1, 2, 8, 9], [7, 7, 7, 7]]) == [(0, 1), (0, 2)]  # 3 resembles nobody


def test_units_that_the_hub_refuses_choose_a_hub_among_themselves():
    signatures = [[1, 1, 1, 1], [2, 2, 2, 2], [2, 2, 2, 3], [5, 5, 5, 5], [5, 5, 5, 6]]
    assert linked(signatures) == [(1, 2), (3, 4)]


def test_a_unit_that_is_in_a_bucket_twice_is_there_once():
    signatures = [[1, 1, 1, 1], [1, 1, 1, 2]]
    assert linked(signatures, keys=[7, 7, 7, 8, 8], members=[1, 0, 1, 1, 1]) == [(0, 1)]


def test_no_candidates():
    assert linked(np.zeros((0, 4))) == []
    assert linked([[1, 1, 1, 1], [1, 1, 1, 1]], keys=[1, 2]) == []


@given(pairs_of_15)
def test_components_are_named_by_their_smallest_unit(pairs):
    assert clusters.components(15, np.array(pairs, dtype=np.int64).reshape(-1, 2)).tolist() == smallest_reached(pairs)


@given(pairs_of_15, st.integers(1, 6))
def test_contracting_parts_until_nothing_moves_makes_stars(pairs, parts):
    edges = {(*digest(a), *digest(b)) for pair in pairs if pair[0] != pair[1] for a, b in (pair, pair[::-1])}
    for _ in range(20):
        made, moved = set(), 0
        for part in range(parts):  # as the jobs do: each sees the edges of its digests, and their other ends
            mine = sorted(e for e in edges if (e[0] * 3 + e[1]) % parts == part)
            drawn, left = clusters.contracted(table(mine, 4))
            assert drawn.tolist() == sorted(drawn.tolist())
            made |= {tuple(e) for e in drawn.tolist()}
            moved += left
        edges = made
        if not moved:
            break
    else:
        raise AssertionError("it never came to rest")
    digests = table([digest(n) for n in range(15)], 2)
    root, tied = clusters.roots(digests, table(sorted(edges), 4))
    naive = smallest_reached(pairs)
    assert root.tolist() == [list(digest(n)) for n in naive]
    assert tied.tolist() == [naive.count(n) > 1 for n in naive]


def test_the_best_of_every_cluster_stays():
    root = table([(0, 1), (0, 2), (0, 1), (0, 2), (0, 1)], 2)
    rank = table([(5, 9), (1, 0), (5, 8), (1, 1), (6, 0)], 2)
    found = clusters.settled(root, rank)
    assert found.order.tolist() == [2, 0, 4, 1, 3]
    assert found.kept.tolist() == [2, 2, 2, 1, 1]
    assert found.gone.tolist() == [False, True, True, False, True]
