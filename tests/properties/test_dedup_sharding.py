"""Dedup is a function of the set of documents: any cut into shards and parts, in any order, removes the same ones.

What it must remove is said once more in plain Python below: one dictionary a band, all in memory.
"""

from __future__ import annotations

import tempfile

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_contracts.config import Place
from data_contracts.dataset import QUARANTINED
from data_contracts.stages import DedupConfig
from tasks.copies import tables
from tasks.dedup import dedup
from tasks.store import Store
from tasks.transforms import clusters
from tasks.transforms.signatures import sign, signatures_of
from tests.given_documents import deposit, documents

BASE = [
    "永和九年岁在癸丑暮春之初会于会稽山阴之兰亭修禊事也群贤毕至少长咸集此地有崇山峻岭茂林修竹",
    "先帝创业未半而中道崩殂今天下三分益州疲弊此诚危急存亡之秋也然侍卫之臣不懈于内忠志之士忘身于外",
    "环滁皆山也其西南诸峰林壑尤美望之蔚然而深秀者琅琊也山行六七里渐闻水声潺潺而泻出于两峰之间者酿泉也",
]
CFG = DedupConfig(min_similarity=0.5, bands=8, rows_per_band=4)
edits = st.tuples(st.integers(0, 2), st.integers(0, 40), st.sampled_from(["", "，", "山", "X", "。。", "另有一句话"]))
origins = st.tuples(st.sampled_from(["file:a#1", "http://a.cn/1", "https://a.cn/2"]), st.sampled_from("甲乙丙"))

Removed = set[tuple[str, str, float, str]]


def edited(edit: tuple[int, int, str]) -> str:
    which, place, what = edit
    return BASE[which][:place] + what + BASE[which][place:]


def given_documents(made: list[tuple[tuple[int, int, str], tuple[str, str]]]) -> pl.DataFrame:
    urls, sources = zip(*(origin for _, origin in made), strict=True)
    return documents([edited(e) for e, _ in made]).with_columns(url=pl.Series(urls), source=pl.Series(sources))


def removed(frame: pl.DataFrame, owners: list[int]) -> Removed:
    """What goes when row i of the frame lies in shard owners[i]."""
    shards = [frame.filter(pl.Series([o == owner for o in owners])) for owner in dict.fromkeys(owners)]
    with tempfile.TemporaryDirectory() as folder:
        store = Store(folder).open()
        made, _ = dedup.run(deposit(store, shards), CFG, Place(store=folder, workers=1))
        manifest = store.manifest(made)
        assert sum(s.rows_in for s in manifest.shards) == frame.height
        gone = [pl.read_parquet(store.path(s.files[QUARANTINED])) for s in manifest.shards if QUARANTINED in s.files]
        return {r for f in gone for r in f.select("doc_id", "duplicate_of", "similarity", "reason").iter_rows()}


def gives_way(frame: pl.DataFrame, best_first: list[int]) -> dict[int, int]:
    """Rows that give way to another of their URL, and which."""
    found: dict[str, list[int]] = {}
    for row in best_first:
        if frame["url"][row].startswith("http"):
            found.setdefault(frame["url"][row], []).append(row)
    clear = [rows for rows in found.values() if len({frame["source"][r] for r in rows}) == len(rows)]
    return {row: rows[0] for rows in clear for row in rows[1:]}


def plainly_removed(frame: pl.DataFrame) -> Removed:
    """The rule of tasks/transforms/clusters.py over dictionaries and lists."""
    best_first = sorted(range(frame.height), key=lambda i: (-len(frame["text"][i]), frame["doc_id"][i]))
    following = gives_way(frame, best_first)
    signed = sign(frame, CFG)
    alike = signatures_of(signed.units, CFG)
    alive = {int(unit) for row, unit in enumerate(signed.unit_of[:, 0].tolist()) if row not in following}
    buckets: dict[int, list[int]] = {}
    for key, unit in signed.bands.tolist():
        if unit in alive:
            buckets.setdefault(key, []).append(unit)  # units are in the order of their digests
    parent = list(range(len(alike)))

    def top(unit: int) -> int:
        return unit if parent[unit] == unit else top(parent[unit])

    for bucket in buckets.values():
        left = bucket
        for _ in range(clusters.ROUNDS):
            hub, *rest = left or [0]
            near = [u for u in rest if float(np.mean(alike[hub] == alike[u])) >= CFG.min_similarity]
            for unit in near:
                parent[max(top(unit), top(hub))] = min(top(unit), top(hub))
            left = [u for u in rest if u not in near]
    kept: dict[int, int] = {}
    for row in best_first:
        if row not in following:
            kept.setdefault(top(int(signed.unit_of[row, 0])), row)
    gone: Removed = set()
    for row, unit in enumerate(signed.unit_of[:, 0].tolist()):
        stays = kept[top(int(signed.unit_of[following.get(row, row), 0]))]
        if stays != row:
            same = unit == signed.unit_of[stays, 0]
            reason = "same_url" if row in following else f"{'exact' if same else 'near'}_duplicate"
            share = float(np.mean(alike[int(unit)] == alike[int(signed.unit_of[stays, 0])]))
            gone.add((frame["doc_id"][row], frame["doc_id"][stays], share, reason))
    return gone


@pytest.fixture(scope="module", params=[3, 1 << 18], autouse=True)
def rows_of_a_part(request):
    """Parts of three rows, so that every step runs over many, and parts that hold everything."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tables, "PART_ROWS", request.param)
        yield request.param


@settings(max_examples=6)
@given(st.lists(st.tuples(edits, origins), min_size=1, max_size=10), st.data())
def test_any_sharding_removes_what_the_plain_rule_removes(made, data):
    frame = given_documents(made)
    once = plainly_removed(frame)
    order = data.draw(st.permutations(range(frame.height)))
    owners = data.draw(st.lists(st.integers(0, 4), min_size=frame.height, max_size=frame.height))
    assert removed(frame[order], owners) == once
    gone = {doc_id for doc_id, *_ in once}
    assert all(kept not in gone and kept != doc_id for doc_id, kept, *_ in once)
    assert len(gone) < frame.height


@settings(max_examples=4)
@given(st.lists(edits, min_size=1, max_size=8))
def test_what_is_kept_has_no_copies_left(made):
    frame = documents([edited(e) for e in made])
    gone = {doc_id for doc_id, *_ in removed(frame, [0] * frame.height)}
    kept = frame.filter(~pl.col("doc_id").is_in(list(gone)))
    assert removed(kept, [i % 2 for i in range(kept.height)]) == set()
