from __future__ import annotations

import numpy as np
import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from data_contracts.stages import DedupConfig
from tasks.transforms import clusters
from tasks.transforms.clusters import Bucket

CFG = DedupConfig(bands=2, rows_per_band=2, min_similarity=0.5)


@given(st.lists(st.integers(0, 5), max_size=30))
def test_buckets_hold_exactly_the_units_that_share_a_key(values):
    bucket = clusters.buckets(np.array(values, dtype=np.uint64))
    assert sorted(bucket.units.tolist()) == [i for i, v in enumerate(values) if values.count(v) > 1]
    assert all(values[u] == k for k, u in zip(bucket.keys.tolist(), bucket.units.tolist(), strict=True))
    assert bucket.units.tolist() == sorted(bucket.units.tolist(), key=lambda u: (values[u], u))


def test_candidates_are_verified_and_chains_are_joined():
    signatures = np.array([[1, 2, 3, 4], [1, 2, 3, 9], [1, 2, 8, 9], [7, 7, 7, 7]], dtype=np.uint32)
    everyone = Bucket(np.zeros(4, dtype=np.uint64), np.arange(4))
    found = clusters.linked(4, [everyone], np.arange(4), signatures, CFG)
    assert found.tolist() == [0, 0, 0, 3]  # 3 shares the band and resembles nobody


def test_units_that_the_hub_refuses_choose_a_hub_among_themselves():
    signatures = np.array([[1, 1, 1, 1], [2, 2, 2, 2], [2, 2, 2, 3], [5, 5, 5, 5], [5, 5, 5, 6]], dtype=np.uint32)
    everyone = Bucket(np.zeros(5, dtype=np.uint64), np.arange(5))
    found = clusters.linked(5, [everyone], np.arange(5), signatures, CFG)
    assert found.tolist() == [0, 1, 1, 3, 3]


@given(st.lists(st.tuples(st.integers(0, 14), st.integers(0, 14)), max_size=40))
def test_clusters_are_the_connected_components(pairs):
    cluster = np.arange(15)
    left, right = (np.array(side, dtype=np.int64) for side in (zip(*pairs, strict=True) if pairs else ((), ())))
    clusters._join(cluster, left, right)
    naive = list(range(15))
    for _ in range(15):
        for a, b in pairs:
            naive[a] = naive[b] = min(naive[a], naive[b])
    assert cluster.tolist() == naive


def test_the_keep_rule_orders_units():
    keys = pl.DataFrame(
        {
            "shard": pl.Series([0, 0, 1, 1], dtype=pl.UInt32),
            "row": pl.Series([0, 1, 0, 1], dtype=pl.UInt32),
            "doc_id": ["c", "a", "b", "d"],
            "chars": [10, 9, 10, 9],
            "digest": [b"x", b"x", b"y", b"z"],
        }
    )
    longest = clusters.ranked(keys, CFG)
    assert longest["doc_id"].to_list() == ["b", "c", "a", "d"]
    assert longest["unit"].to_list() == [0, 1, 1, 2]
    assert clusters.ranked(keys, DedupConfig(keep="first"))["doc_id"].to_list() == ["a", "b", "c", "d"]


def test_every_row_that_goes_names_the_one_that_stays():
    keys = clusters.ranked(
        pl.DataFrame(
            {
                "shard": pl.Series([0, 0, 1, 1], dtype=pl.UInt32),
                "row": pl.Series([0, 1, 0, 1], dtype=pl.UInt32),
                "doc_id": ["a", "b", "c", "d"],
                "chars": [9, 9, 8, 7],
                "digest": [b"x", b"x", b"y", b"y"],
            }
        ),
        CFG,
    )
    signatures = np.array([[1, 2, 3, 4], [1, 2, 3, 5]], dtype=np.uint32)
    gone = clusters.removals(keys, np.array([0, 0]), np.arange(2), signatures)
    assert gone.rows() == [
        (0, 1, "a", 1.0, "exact_duplicate"),
        (1, 0, "a", 0.75, "near_duplicate"),
        (1, 1, "a", 0.75, "near_duplicate"),  # equals a row that goes itself: it names the row that stays
    ]
