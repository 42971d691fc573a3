"""The laws of stages: one key, one cache, nothing lost, only what changed is made again."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from data_contracts.config import Place
from data_contracts.dataset import KEPT, QUARANTINED, SIGNALS
from data_contracts.errors import ConservationBroken, NothingLeft, StageError, WorkerLost
from tasks import executors, journal
from tasks.store import Store


def load_toy():
    """Import the toy stages under a name that spawned workers find too."""
    folder = str(Path(__file__).parent)
    if folder not in sys.path:
        sys.path.append(folder)
    return importlib.import_module("toy_stage")


toy = load_toy()


@pytest.fixture
def place(tmp_path) -> Place:
    return Place(store=str(tmp_path / "store"), workers=1)


def run(place: Place, least=None, invented=None):
    given, _ = toy.source.run(invented or toy.Invented(), place)
    return toy.least.run(given, least or toy.Least(), place)


def test_rows_in_equal_kept_plus_quarantined_and_nothing_is_lost(place):
    dataset, found = run(place)
    assert not found
    store = Store(place.store)
    kept, refused = store.scan(dataset).collect(), store.scan(dataset, QUARANTINED).collect()
    assert kept.height + refused.height == 60 == dataset.rows + dataset.quarantined
    assert refused["reason"].unique().to_list() == ["too_short"]
    assert (refused["text"].str.len_chars() < 10).all()
    assert (kept["text"].str.len_chars() >= 10).all()
    assert "length" in refused.columns
    assert kept.columns == list(toy.DOCUMENT.columns)


def test_measurements_of_all_rows_are_kept_as_signals_and_counts_are_summed(place):
    dataset, _ = run(place)
    manifest = Store(place.store).manifest(dataset)
    signals = Store(place.store).scan(dataset, SIGNALS).collect()
    assert signals.columns == ["doc_id", "reason", "length"]
    assert signals.height == 60
    assert sum(s.measures["long"] for s in manifest.shards) == (signals["length"] > 15).sum()


def test_the_second_run_finds_the_same_version_without_calling_the_code(place, tmp_path):
    calls = tmp_path / "calls"
    calls.mkdir()
    first, found_first = run(place, toy.Least(calls=str(calls)))
    made = len(list(calls.iterdir()))
    second, found_second = run(place, toy.Least(calls=str(calls)))
    assert (found_first, found_second) == (False, True)
    assert first == second
    assert len(list(calls.iterdir())) == made == 3


def test_a_threshold_changes_its_stage_and_leaves_the_one_above(place):
    run(place)
    given, found_above = toy.source.run(toy.Invented(), place)
    changed, found = toy.least.run(given, toy.Least(min_chars=12), place)
    assert found_above
    assert not found
    assert changed.rows < toy.least.run(given, toy.Least(), place)[0].rows


def test_one_more_shard_costs_one_shard(place, tmp_path):
    calls = tmp_path / "calls"
    calls.mkdir()
    cfg = toy.Least(calls=str(calls))
    names = tuple(f"s{i:02d}" for i in range(20))
    run(place, cfg, toy.Invented(shards=names))
    before = len(list(calls.iterdir()))
    run(place, cfg, toy.Invented(shards=(*names, "new")))
    assert before == 20
    assert len(list(calls.iterdir())) == 21


@pytest.mark.parametrize("damage", ["flip", "truncate", "delete", "manifest"])
def test_damage_is_found_and_only_the_damaged_shard_is_made_again(place, tmp_path, damage):
    calls = tmp_path / "calls"
    calls.mkdir()
    cfg = toy.Least(calls=str(calls))
    dataset, _ = run(place, cfg)
    store = Store(place.store)
    path = store.path(store.manifest(dataset).shards[1].files[KEPT])
    content = path.read_bytes()
    if damage == "flip":
        path.write_bytes(content[:200] + bytes([content[200] ^ 1]) + content[201:])
    elif damage == "truncate":
        path.write_bytes(content[:-1])
    elif damage == "delete":
        path.unlink()
    else:
        (store.root / "datasets" / f"{dataset.name}.json").write_text('{"stage": "le')
    again, found = run(place, cfg)
    assert not found
    assert again == dataset
    assert path.read_bytes() == content
    assert len(list(calls.iterdir())) == (3 if damage == "manifest" else 4)


def test_the_largest_job_begins_first_and_the_order_of_shards_stays(place, monkeypatch):
    given, _ = toy.source.run(toy.Invented(shards=("a", "长长的名字" * 40, "b")), place)
    begun, run_jobs = [], executors.InProcess.run

    def watched(self, function, jobs):
        begun.append([source.bytes for *_, (_, source, *_) in jobs])
        return run_jobs(self, function, jobs)

    monkeypatch.setattr(executors.InProcess, "run", watched)
    made, _ = toy.least.run(given, toy.Least(), place)
    [sizes] = begun
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[0] > sizes[1]
    store = Store(place.store)
    assert store.scan(made).collect()["doc_id"].is_in(store.scan(given).collect()["doc_id"].implode()).all()
    assert [s.rows_in for s in store.manifest(made).shards] == [s.rows_kept for s in store.manifest(given).shards]


def test_both_executors_make_the_same_dataset(place, tmp_path):
    pooled = Place(store=str(tmp_path / "pooled"), workers=2)
    try:
        assert run(place)[0] == run(pooled)[0]
        here, there = Store(place.store), Store(pooled.store)
        name = run(place)[0].name
        assert [s.files for s in here.manifest(name).shards] == [s.files for s in there.manifest(name).shards]
    finally:
        executors.close_pools()


def test_a_killed_worker_is_an_error_that_may_pass(tmp_path):
    place = Place(store=str(tmp_path / "store"), workers=2)
    try:
        with pytest.raises(WorkerLost, match="killed"):
            toy.mortal.run(toy.Slow(), place)
        assert WorkerLost.transient
    finally:
        executors.close_pools()


def test_a_process_knows_whether_it_has_children():
    code = (
        "import subprocess, sys, threading\n"
        "from tasks.work import _alone\n"
        "before, make = _alone(), lambda: made.append(subprocess.Popen([sys.executable, '-c', 'input()'], stdin=-1))\n"
        "made = []; thread = threading.Thread(target=make); thread.start(); thread.join(); during = _alone()\n"
        "made[0].communicate(b'x'); print(before, during, _alone())"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert told.split() == ["True", "False", "True"]


def test_a_mark_that_drops_rows_is_refused(place):
    given, _ = toy.source.run(toy.Invented(), place)
    with pytest.raises(ConservationBroken, match="20 rows in, 11 out"):
        toy.lossy.run(given, toy.Least(), place)


def test_an_unknown_reason_is_refused(place):
    given, _ = toy.source.run(toy.Invented(), place)
    with pytest.raises(StageError, match="length_filter"):
        toy.misnamed.run(given, toy.Least(), place)


def test_no_document_left_names_the_stage_and_the_reason_that_took_most(place):
    with pytest.raises(NothingLeft, match=r"stage least; 60 of 60 as too_short"):
        run(place, toy.Least(min_chars=1000))


def test_the_journal_says_what_was_found_and_what_was_made(place):
    run(place)
    with journal.keep("toy", place) as kept:
        run(place, toy.Least(min_chars=12))
        assert [(e.stage, e.cached) for e in kept.entries] == [("source", True), ("least", False)]
        assert (kept.folder / "stages.json").exists()
        assert (kept.folder / "config.json").exists()


def test_several_datasets_are_one_input(place):
    one, _ = toy.source.run(toy.Invented(shards=("a", "b")), place)
    two, _ = toy.source.run(toy.Invented(shards=("c",)), place)
    together, _ = toy.least.run([one, two], toy.Least(), place)
    whole, _ = run(place)
    store = Store(place.store)
    assert store.manifest(together).parents == [one.name, two.name]
    assert store.scan(together).collect().equals(store.scan(whole).collect())


def test_empty_input_shards_are_passed_over(place):
    given, _ = toy.source.run(toy.Invented(shards=("a",), rows=1), place)
    empty = pl.DataFrame(schema=toy.DOCUMENT.columns)
    assert toy.mark(empty.lazy(), toy.Least()).collect().height == 0
    with pytest.raises(NothingLeft):
        toy.least.run(given, toy.Least(), place)
