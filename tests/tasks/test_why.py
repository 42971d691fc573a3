"""Why was it dropped, what was it made of: answers from the store alone."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest

from data_contracts.config import Place
from data_contracts.dataset import document_id
from data_contracts.errors import DatasetMissing
from tasks import journal, lineage, why
from tasks.store import Store, publish

sys.path.append(str(Path(__file__).parent))
toy = importlib.import_module("toy_stage")


@pytest.fixture
def place(tmp_path) -> Place:
    return Place(store=str(tmp_path / "store"), workers=1, name="toy")


@pytest.fixture
def store(place) -> Store:
    with journal.keep("toy", place):
        given, _ = toy.source.run(toy.Invented(), place)
        kept, _ = toy.least.run(given, toy.Least(), place)
    publish(kept, "corpus", place)
    return Store(place.store)


def fates(told):
    return [(s.dataset.split("/")[0], s.fate, s.reason) for s in told]


def test_a_kept_document_by_its_id(store):
    doc_id = document_id("toy", "a19")
    ((found, steps),) = why.explain(store, doc_id)
    assert found == doc_id
    assert fates(steps) == [("source", "kept", None), ("least", "kept", None)]
    assert steps[-1].values == {"length": 20.0}
    assert steps[-1].chars == 20


def test_a_dropped_document_by_its_url_names_reason_and_value(store):
    ((_, steps),) = why.explain(store, "file:b#3")
    assert fates(steps) == [("source", "kept", None), ("least", "quarantined", "too_short")]
    assert steps[-1].values == {"length": 4.0}


def test_a_channel_or_version_can_be_asked_instead_of_the_newest_run(store):
    assert why.explain(store, "file:b#3", "corpus/toy") == why.explain(store, "file:b#3")


def test_scores_are_told_by_the_stage_that_gave_them(place, store):
    """Two stages after each other: the second passes the scores on and does not tell them again."""
    with journal.keep("toy", place) as run:
        given, _ = toy.source.run(toy.Invented(rows=3), place)
        scored, _ = toy.scored.run(given, toy.Least(min_chars=0), place)
        toy.least.run(scored, toy.Least(min_chars=0), place)
    ((_, steps),) = why.explain(store, "file:a#2", run.run)
    assert [s.values for s in steps] == [{}, {"quality": 0.75, "spam": 0.25}, {"length": 3.0}]


def test_what_was_never_seen_says_so(store, tmp_path):
    with pytest.raises(DatasetMissing, match="not seen"):
        why.explain(store, "http://nowhere.example/")
    with pytest.raises(DatasetMissing, match="no run"):
        why.explain(Store(tmp_path / "empty"), "x")
    with pytest.raises(DatasetMissing, match="ziliu show"):
        why.explain(store, "x", "no-such-run")


def test_lineage_finds_by_channel_version_prefix_and_run(store):
    (by_channel,) = lineage.find(store, "corpus/toy")
    assert lineage.find(store, by_channel.version[:8]) == [by_channel]
    assert lineage.find(store, f"least/{by_channel.version}") == [by_channel]
    run = lineage.newest_run(store)
    assert [m.stage for m in lineage.find(store, run)] == ["source", "least"]
    assert [a.stage for a in lineage.ancestors(store, by_channel)] == ["source"]


def test_sources_are_counted_with_their_licence(store):
    (by_channel,) = lineage.find(store, "corpus/toy")
    kept = store.scan(by_channel.handle).collect()
    assert lineage.sources_of(store, by_channel) == [
        {"source": "toy", "licence": "CC0", "documents": kept.height, "chars": kept["text"].str.len_chars().sum()}
    ]
