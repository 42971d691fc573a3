"""What a worker loads while it has nothing to do: all that the stages ahead need, and in no job's way."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from data_contracts.errors import WorkerLost
from tasks import executors, warming
from tests.tasks.toy_stage import note_process

# Loops that another text brings into memory although every stage has been warmed.
LOADED_LATER = """
import gc
from numba.core.dispatcher import Dispatcher
from data_contracts.stages import CleanConfig, DedupConfig, RedactConfig
from tasks import clean, redact, warming
from tasks.transforms.signatures import sign
from tasks.transforms.word_counts import counts
from tasks.transforms.words import words
from tests.given_documents import documents, invented

def loaded():
    return {(d.py_func.__module__, d.py_func.__name__, str(s))
            for d in gc.get_objects() if isinstance(d, Dispatcher) for s in d.signatures}

warming.warm(["clean", "redact", "dedup", "segment"])
before = loaded()
texts = invented(60) + ["電話 13900139000，身份证 110101199003074557。\\n\\n第二段 second part"] * 3
frame = clean.mark(documents(texts).lazy(), CleanConfig()).collect()
redact.mark(frame.lazy(), RedactConfig()).collect()
sign(frame, DedupConfig())
counts(texts, words(texts))
print(len(before), sorted(loaded() - before))
"""


def test_stages_that_were_warmed_load_no_compiled_loop_any_more():
    ended = subprocess.run([sys.executable, "-c", LOADED_LATER], capture_output=True, text=True, check=True)
    count, _, later = ended.stdout.strip().partition(" ")
    assert int(count) > 10
    assert later == "[]"


def test_every_stage_ahead_can_be_warmed_and_is_warmed_once(monkeypatch):
    assert {name for names in warming.AHEAD.values() for name in names} == set(warming._FIRST)
    done: list[str] = []
    monkeypatch.setattr(
        warming, "_FIRST", {"clean": lambda: done.append("clean"), "encode": lambda: done.append("encode")}
    )
    monkeypatch.setattr(warming, "_warm", set())
    warming.warm(["clean"])
    warming.warm(["clean", "encode"])
    assert done == ["clean", "encode"]


@pytest.fixture
def pool():
    made = executors.ProcessPool(2)
    yield made
    made.close()


def processes(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_workers_without_a_job_do_something_else_for_which_nobody_waits(pool, tmp_path):
    jobs, idle = tmp_path / "jobs", tmp_path / "idle"
    jobs.mkdir()
    idle.mkdir()
    results = pool.run(note_process, [(str(jobs), 0.5)])
    pool.meanwhile(1, note_process, str(idle), 0.0)
    pool.meanwhile(2, note_process, str(tmp_path / "no such folder"), 0.0)  # every worker has a job: nothing is done
    assert [index for index, _ in results] == [0]
    deadline = time.monotonic() + 30
    while not processes(idle):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert len(processes(idle)) == 1
    assert os.getpid() not in map(int, processes(jobs) | processes(idle))


def test_no_more_workers_are_started_for_nothing_than_there_are_jobs(tmp_path):
    large, before = executors.ProcessPool(16), len(multiprocessing.active_children())
    try:
        results = large.run(note_process, [(str(tmp_path), 0.5)])
        large.meanwhile(1, note_process, str(tmp_path), 0.5)
        assert len(list(results)) == 1
        assert len(multiprocessing.active_children()) == before + 2
    finally:
        large.close()


def test_a_fault_in_what_nobody_waits_for_stops_nothing(pool, tmp_path):
    pool.meanwhile(1, note_process, str(tmp_path / "no such folder"), 0.0)
    assert [index for index, _ in pool.run(note_process, [(str(tmp_path), 0.0)] * 3)] != []


def test_a_worker_that_was_killed_while_it_had_no_job_is_an_error_that_may_pass(pool, tmp_path):
    (_, process), *_ = pool.run(note_process, [(str(tmp_path), 0.2)] * 2)
    os.kill(process, signal.SIGKILL)
    with pytest.raises(WorkerLost, match="killed"):
        list(pool.run(note_process, [(str(tmp_path), 1.0)] * 4))
    assert sorted(index for index, _ in pool.run(note_process, [(str(tmp_path), 0.0)] * 2)) == [0, 1]
