"""A worker that loops, eats memory, crashes or prints costs its own item only."""

from __future__ import annotations

import importlib
import multiprocessing
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from data_contracts.errors import WorkerLost
from tasks.killable import BATCH_BYTES, BATCH_ITEMS, Killable, Limits, Outcome, batches, close_workers, killable

HOSTILE = """
import os, signal, sys, time

def act(item):
    name, _, value = item.partition(" ")
    if name == "loop":
        while True:
            pass
    if name == "wait":
        time.sleep(float(value))
    if name == "eat":
        return len(bytearray(int(value)))
    if name == "abort":
        os.abort()
    if name == "exit":
        os._exit(3)
    if name == "raise":
        raise ValueError("\\udcff " + value)
    if name == "print":
        print("noise", flush=True)
        os.write(1, b"more noise")
    if name == "object":
        return object()
    if name == "pid":
        return os.getpid()
    return item.upper()
"""


@pytest.fixture
def act(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "hostile_items.py").write_text(HOSTILE)
    monkeypatch.syspath_prepend(str(tmp_path))
    sys.modules.pop("hostile_items", None)
    yield importlib.import_module("hostile_items").act
    sys.modules.pop("hostile_items", None)


@pytest.fixture
def worker(act) -> Iterator[Killable]:
    made = Killable(act, Limits(0.5, 2**30))
    yield made
    made.close()


def values(outcomes) -> list[str]:
    return [o.value or o.fault for o in outcomes]


def test_every_item_gets_its_outcome_in_order(worker) -> None:
    items = ["a", "loop", "b", "eat 4000000000", "c", "abort", "exit", "raise x", "object", "print", "d"]
    outcomes = list(worker.map(items))
    assert values(outcomes) == ["A", "timeout", "B", "memory", "C", "crash", "crash", "error", "error", "PRINT", "D"]
    assert "0.5 s of CPU time" in outcomes[1].error
    assert "SIGABRT" in outcomes[5].error
    assert "exit code 3" in outcomes[6].error
    assert outcomes[7].error.startswith("ValueError: ? x")


def test_a_healthy_worker_is_kept(worker) -> None:
    first, second = (next(worker.map(["pid"])).value for _ in range(2))
    assert first == second
    assert [o.value for o in worker.map(["x"] * (BATCH_ITEMS * 2 + 5))] == ["X"] * (BATCH_ITEMS * 2 + 5)
    assert next(worker.map(["pid"])).value == first


def test_a_caller_that_stops_early_does_not_get_old_answers(worker) -> None:
    answers = worker.map(["a", "b", "c"])
    assert next(answers).value == "A"
    answers.close()
    assert values(worker.map(["d"])) == ["D"]


def test_waiting_is_ended_by_the_wall_clock(act) -> None:
    worker = Killable(act, Limits(0.2, 2**30))
    outcomes = list(worker.map(["wait 60", "a"]))
    assert values(outcomes) == ["timeout", "A"]
    assert "wall time" in outcomes[0].error
    worker.close()


def test_a_worker_that_cannot_start_is_no_item_s_fault(act) -> None:
    act.__qualname__ = "nothing_of_that_name"
    with pytest.raises(WorkerLost, match="nothing_of_that_name did not start"):
        list(Killable(act, Limits(1, 2**30)).map(["a"]))


def test_batches_are_bounded_by_items_and_by_bytes() -> None:
    assert [len(b) for b in batches(range(BATCH_ITEMS + 1), lambda _: 0)] == [BATCH_ITEMS, 1]
    assert [len(b) for b in batches(range(5), lambda _: BATCH_BYTES // 2)] == [2, 2, 1]
    assert list(batches([], lambda _: 0)) == []


def test_no_items_start_no_worker(worker) -> None:
    assert list(worker.map([])) == []
    assert worker._worker is None


def test_one_worker_a_process_and_limits(act) -> None:
    assert killable(act, Limits(1, 2**30)) is killable(act, Limits(1, 2**30))
    assert killable(act, Limits(1, 2**30)) is not killable(act, Limits(2, 2**30))
    close_workers()


def _in_daemon(path: str, answers) -> None:
    sys.path.insert(0, path)
    worker = Killable(importlib.import_module("hostile_items").act, Limits(1, 2**30))
    answers.put([tuple(o) for o in worker.map(["a", "exit", "b"])])
    worker.close()


def test_a_daemonic_process_may_have_workers_too(act, tmp_path) -> None:
    """multiprocessing forbids children to daemonic processes, and Dask's workers are daemonic."""
    context = multiprocessing.get_context("fork")
    answers = context.Queue()
    process = context.Process(target=_in_daemon, args=(str(tmp_path), answers), daemon=True)
    process.start()
    outcomes = answers.get(timeout=30)
    process.join(10)
    assert [Outcome(*o).value for o in outcomes] == ["A", None, "B"]


def test_workers_die_with_their_parent(tmp_path) -> None:
    (tmp_path / "hostile_items.py").write_text(HOSTILE)
    parent = f"""
import sys; sys.path.insert(0, {str(tmp_path)!r})
import hostile_items
from tasks.killable import Killable, Limits
worker = Killable(hostile_items.act, Limits(1, 2**30))
print(next(worker.map(["pid"])).value, flush=True)
list(worker.map(["loop"]))
"""
    process = subprocess.Popen(
        [sys.executable, "-c", parent],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert process.stdout
    child = int(process.stdout.readline())
    process.kill()  # in the middle of an endless item
    process.wait()
    process.stdout.close()
    for _ in range(100):
        if not psutil.pid_exists(child) or psutil.Process(child).status() == psutil.STATUS_ZOMBIE:
            return
        time.sleep(0.1)
    pytest.fail(f"worker {child} outlived its parent by 10 s")
