"""One document is found in one shard of each dataset, and wherever shards do not follow one by one, all the same."""

from __future__ import annotations

import polars as pl
import pytest

from data_contracts.dataset import KEPT, QUARANTINED, Manifest
from data_contracts.schemas import DOCUMENT
from tasks import lookup, rows
from tasks.rows import Room
from tasks.store import Store
from tests.given_documents import deposit, documents, split

TEXTS = ["字" * n for n in range(1, 31)]


def shorter_out(store: Store, before: Manifest, stage: str, least: int) -> Manifest:
    """The next dataset, shard by shard, without the texts of fewer characters."""
    made = []
    with store.folder.scratch() as scratch:
        for shard in before.shards:
            frame = pl.read_parquet(store.path(shard.files[KEPT]))
            short = pl.when(pl.col("text").str.len_chars() < least).then(pl.lit("too_short"))
            made.append(rows.shard(Room(store, scratch), frame.with_columns(reason=short), DOCUMENT))
    update = {"stage": stage, "parents": [f"{before.stage}/{before.version}"], "shards": made}
    return store.manifest(store.commit(before.model_copy(update=update)))


@pytest.fixture
def made(store):
    """Five shards, twice handed on; texts of fewer than 10 characters fall first, of fewer than 20 then."""
    frame = documents(TEXTS)
    given = store.manifest(deposit(store, split(frame, 5)))
    kept = shorter_out(store, given, "once", 10)
    return store, frame, [given, kept, shorter_out(store, kept, "twice", 20)]


def test_rows_are_found_by_any_column_and_only_the_columns_asked_for_are_read(made):
    store, frame, (given, *_) = made
    urls = ["file:given#3", "file:given#17", "file:nowhere#0"]
    found = lookup.rows_of(store, given, KEPT, urls, ("doc_id", "no_such_column"), by="url")
    ids = [frame["doc_id"][i] for i in (3, 17)]
    assert sorted(row["doc_id"] for _, row in found) == sorted(ids)
    assert all(list(row) == ["doc_id"] for _, row in found)
    for number, row in found:
        shard = pl.read_parquet(store.path(given.shards[number].files[KEPT]))
        assert row["doc_id"] in set(shard["doc_id"])
    assert lookup.rows_of(store, given, KEPT, ids, by="no_such_column") == []
    assert lookup.rows_of(store, given, QUARANTINED, ids) == []
    assert lookup.rows_of(store, given, KEPT, []) == []


def test_a_document_is_found_where_it_lies_with_a_right_a_wrong_and_no_guess(made):
    store, frame, manifests = made
    for doc_id, text in zip(frame["doc_id"], TEXTS, strict=True):
        for manifest in manifests:
            each = [lookup.document(store, manifest, doc_id, likely) for likely in (None, 0, 4)]
            assert each[0] == each[1] == each[2]
        fate = lookup.document(store, manifests[1], doc_id)
        assert fate is not None
        assert (fate.which == QUARANTINED) == (len(text) < 10)
    assert lookup.document(store, manifests[1], "0" * 16, 1) is None


def test_the_heir_of_a_shard_holds_its_documents(made):
    store, frame, (given, kept, told) = made
    for doc_id in frame["doc_id"]:
        first = lookup.document(store, given, doc_id)
        assert first is not None
        heir = lookup.heir(kept, {"given": given}, {"given": first})
        second = lookup.document(store, kept, doc_id)
        assert second is not None
        assert second.shard == heir
    assert lookup.heir(told, {"a": given, "b": kept}, {"a": first}) is None, "ten shards in, five out: not one by one"
