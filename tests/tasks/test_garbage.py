"""Garbage collection removes what nothing refers to, and nothing else."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from data_contracts.config import Place
from data_contracts.errors import StoreError
from tasks import garbage, journal
from tasks.store import Store, publish

sys.path.append(str(Path(__file__).parent))
toy = importlib.import_module("toy_stage")
# Runs hold the store until their process ends, so every run of these tests is a process of its own.
RUN = """
import sys
sys.path[:0] = {path!r}
import toy_stage as toy
from data_contracts.config import Place
from tasks import journal
from tasks.store import publish
place = Place(store={store!r}, workers=1, name="toy")
def road(least):
    given, _ = toy.source.run(toy.Invented(), place)
    return toy.least.run(given, toy.Least(min_chars=least), place)[0]
{body}
"""


def in_a_process(store: Path, body: str) -> None:
    path = [str(Path(__file__).parent), *sys.path]
    subprocess.run([sys.executable, "-c", RUN.format(path=path, store=str(store), body=body)], check=True)


def age(store: Path, days: float) -> None:
    then = time.time() - days * 86_400
    for path in (*store.glob("runs/*/stages.json"), *store.glob("shards/*/*.json")):
        os.utime(path, (then, then))


def names(store: Path) -> set[str]:
    return {m.stage + str(m.config.get("Least", {}).get("min_chars", "")) for m in Store(store).datasets()}


def test_a_dataset_that_nothing_names_goes_with_its_objects(tmp_path):
    in_a_process(tmp_path, "publish(road(10), 'corpus', place); road(12)")
    age(tmp_path, 40)
    store = Store(tmp_path)
    found = garbage.collect(store, dry_run=True)
    assert names(tmp_path) == {"source", "least10", "least12"}
    assert [n for n in found.names if n.startswith("datasets/")] == [
        f"datasets/least/{m.version}.json" for m in store.datasets() if m.config.get("Least", {}).get("min_chars") == 12
    ]
    assert found.bytes > 0
    garbage.collect(store, dry_run=False)
    assert names(tmp_path) == {"source", "least10"}
    assert all(not Store(tmp_path).faults(m) for m in Store(tmp_path).datasets())
    assert garbage.collect(store, dry_run=False).names == []


def test_a_young_run_keeps_its_datasets_and_an_old_one_does_not(tmp_path):
    in_a_process(tmp_path, "with journal.keep('toy', place):\n    road(12)")
    assert garbage.collect(Store(tmp_path), dry_run=False).names == []
    age(tmp_path, 40)
    garbage.collect(Store(tmp_path), dry_run=False, keep_days=30)
    assert names(tmp_path) == set()
    assert list(tmp_path.glob("objects/*/*")) == []
    assert list(tmp_path.glob("runs/*")) == []


def test_where_a_channel_pointed_is_kept(tmp_path):
    in_a_process(tmp_path, "publish(road(10), 'corpus', place); publish(road(12), 'corpus', place)")
    age(tmp_path, 400)
    garbage.collect(Store(tmp_path), dry_run=False)
    assert names(tmp_path) == {"source", "least10", "least12"}


def test_a_store_in_use_is_left_alone(tmp_path):
    place = Place(store=str(tmp_path), workers=1)
    with journal.keep("toy", place):
        given, _ = toy.source.run(toy.Invented(), place)
        publish(given, "corpus", place)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(StoreError, match="in use"):
        garbage.collect(Store(tmp_path), dry_run=False)
    assert sorted(tmp_path.rglob("*")) == before
