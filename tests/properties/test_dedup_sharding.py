"""Dedup is a function of the set of documents: any cut into shards, in any order, removes the same ones."""

from __future__ import annotations

import tempfile

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from data_contracts.dataset import KEPT, Shard
from data_contracts.stages import DedupConfig
from tasks.dedup import find_removals, sign_shard
from tasks.rows import Room
from tasks.store import Store
from tests.given_documents import documents

BASE = [
    "永和九年岁在癸丑暮春之初会于会稽山阴之兰亭修禊事也群贤毕至少长咸集此地有崇山峻岭茂林修竹",
    "先帝创业未半而中道崩殂今天下三分益州疲弊此诚危急存亡之秋也然侍卫之臣不懈于内忠志之士忘身于外",
    "环滁皆山也其西南诸峰林壑尤美望之蔚然而深秀者琅琊也山行六七里渐闻水声潺潺而泻出于两峰之间者酿泉也",
]
CFG = DedupConfig(min_similarity=0.5)
edits = st.tuples(st.integers(0, 2), st.integers(0, 40), st.sampled_from(["", "，", "山", "X", "。。", "另有一句话"]))


def edited(edit: tuple[int, int, str]) -> str:
    which, place, what = edit
    return BASE[which][:place] + what + BASE[which][place:]


def removed(frame: pl.DataFrame, owners: list[int]) -> set[tuple[str, str, float, str]]:
    """What goes when row i of the frame lies in shard owners[i]."""
    with tempfile.TemporaryDirectory() as folder:
        store = Store(folder).open()
        with store.folder.scratch() as scratch:
            room, signed, parts = Room(store, scratch), list[Shard](), list[pl.DataFrame]()
            for owner in dict.fromkeys(owners):
                part = frame.filter(pl.Series([o == owner for o in owners]))
                parts.append(part)
                signed += sign_shard(room, room.put(part), CFG)
            assert all(KEPT not in s.files for s in signed)
            gone = find_removals(store, signed, CFG)
    return {
        (parts[shard]["doc_id"][row], copy_of, similarity, reason)
        for shard, row, copy_of, similarity, reason in gone.rows()
    }


@settings(max_examples=12)
@given(st.lists(edits, min_size=1, max_size=10), st.data())
def test_any_sharding_removes_the_same_rows(made, data):
    frame = documents([edited(e) for e in made])
    once = removed(frame, [0] * frame.height)
    order = data.draw(st.permutations(range(frame.height)))
    owners = data.draw(st.lists(st.integers(0, 4), min_size=frame.height, max_size=frame.height))
    assert removed(frame[order], owners) == once
    gone = {doc_id for doc_id, *_ in once}
    assert all(kept not in gone and kept != doc_id for doc_id, kept, *_ in once)
    assert len(gone) < frame.height


@settings(max_examples=12)
@given(st.lists(edits, min_size=1, max_size=8))
def test_what_is_kept_has_no_copies_left(made):
    frame = documents([edited(e) for e in made])
    gone = {doc_id for doc_id, *_ in removed(frame, [0] * frame.height)}
    kept = frame.filter(~pl.col("doc_id").is_in(list(gone)))
    assert removed(kept, [i % 2 for i in range(kept.height)]) == set()
