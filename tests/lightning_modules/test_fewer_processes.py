"""Two processes are killed and one goes on: the same losses and weights, also past a damaged checkpoint of shards."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest

from lightning_modules.checkpointing import CheckpointFolder
from tests.lightning_modules.test_parallel_programs import check_same
from tests.lightning_modules.test_programs import LONG, finish, start, wait_for_step
from tests.lightning_modules.tiny_runs import events_in, write_run

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
STILL = {**LONG, "model": {"layers": 2, "heads": 2, "width": 32, "dropout": 0.0}}


@pytest.fixture(scope="module")
def alone(corpus: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = write_run(corpus, tmp_path_factory.mktemp("alone"), **STILL)
    finish(run)
    return run


def flip_a_bit(path: Path) -> None:
    """In the shard of the last process, where only weights and optimizer state are."""
    shard = sorted(path.glob("*.distcp"))[-1]
    damaged = bytearray(shard.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    shard.write_bytes(damaged)


@pytest.mark.parametrize("strategy", ["ddp", "fsdp"])
def test_two_processes_are_killed_and_one_goes_on(corpus: Any, alone: Path, tmp_path: Path, strategy: str) -> None:
    run = write_run(corpus, tmp_path, **STILL, strategy=strategy, devices=2)
    process = start(run, devices=2)
    wait_for_step(run, 17, process)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    newest = CheckpointFolder(run.parent / "checkpoints").newest()
    assert newest is not None
    if strategy == "fsdp":
        assert newest.path.is_dir()
        flip_a_bit(newest.path)
    write_run(corpus, tmp_path, **STILL, strategy="auto" if strategy == "ddp" else "fsdp", devices=1)
    finish(run)
    told = events_in((tmp_path / "log").read_text(encoding="utf-8"))
    resumed = [e["step"] for e in told if e["event"] == "resume"]
    warned = [e["kind"] for e in told if e["event"] == "warning"]
    assert ("damaged_checkpoint" in warned) == (strategy == "fsdp")
    assert resumed == [newest.step - 5 if strategy == "fsdp" else newest.step]
    check_same(alone, run, steps=30, loss=1e-6, weight=1e-6)
