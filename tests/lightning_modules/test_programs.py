"""Training as programs: killed, signalled, and in two processes. Each start costs seconds of imports."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from data_contracts.run_file import command
from data_contracts.training import PretrainConfig
from lightning_modules.export import network_of
from tests.lightning_modules.tiny_runs import call, events_in, write_run

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
LONG = {"duration": "30 steps", "steps_between_checkpoints": 5, "steps_between_validations": 15}


def start(run: Path, devices: int = 1) -> subprocess.Popen[bytes]:
    words = command(PretrainConfig(devices=devices), run)
    assert words[0] == sys.executable
    with (run.parent / "log").open("ab") as log:
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        return subprocess.Popen(words, stdout=log, stderr=log, env=environment, start_new_session=True)


def finish(run: Path, devices: int = 1) -> None:
    process = start(run, devices)
    assert process.wait(600) == 0, (run.parent / "log").read_text(encoding="utf-8")[-3000:]


def wait_for_step(run: Path, step: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline and process.poll() is None:
        log = (run.parent / "log").read_text(encoding="utf-8", errors="replace")
        if any(e.get("step", 0) >= step for e in events_in(log[: log.rfind("\n") + 1])):
            return
        time.sleep(0.02)
    raise AssertionError((run.parent / "log").read_text(encoding="utf-8")[-3000:])


def losses(run: Path) -> list[str]:
    with (run.parent / "metrics.csv").open(encoding="utf-8", newline="") as file:
        return [row["loss"] for row in csv.DictReader(file)]


def weights(run: Path) -> bytes:
    return (run.parent / "export" / "model.safetensors").read_bytes()


@pytest.fixture(scope="module")
def uninterrupted(corpus: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = write_run(corpus, tmp_path_factory.mktemp("whole"), **LONG)
    finish(run)
    return run


@pytest.mark.parametrize("step", [1, 8, 17])
def test_kill_9_then_the_same_command_gives_the_same_run(
    corpus: Any, uninterrupted: Path, tmp_path: Path, step: int
) -> None:
    run = write_run(corpus, tmp_path, **LONG)
    process = start(run)
    wait_for_step(run, step, process)
    os.killpg(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    finish(run)
    assert losses(run) == losses(uninterrupted)  # 17 significant digits, dropout 0.1
    assert weights(run) == weights(uninterrupted)


@pytest.mark.parametrize("kind", ["bert", "modernbert"])
def test_a_masked_model_killed_and_started_again_gives_the_same_run(corpus: Any, tmp_path: Path, kind: str) -> None:
    masked = {
        **LONG,
        "duration": "15 steps",
        "model": {"architecture": kind, "layers": 2, "heads": 2, "width": 32, "dropout": 0.1},
    }
    whole, cut = (write_run(corpus, tmp_path / name, **masked) for name in ("whole", "cut"))
    finish(whole)
    process = start(cut)
    wait_for_step(cut, 8, process)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    finish(cut)
    assert losses(cut) == losses(whole)
    assert weights(cut) == weights(whole)


@pytest.mark.parametrize("strategy", ["ddp", "fsdp"])
def test_two_processes_train_a_masked_model_like_one(corpus: Any, tmp_path: Path, strategy: str) -> None:
    masked = {**LONG, "duration": "15 steps", "model": {"architecture": "bert", "layers": 2, "heads": 2, "width": 32}}
    alone, pair = write_run(corpus, tmp_path / "one", **masked), tmp_path / "two"
    finish(alone)
    pair = write_run(corpus, pair, **masked, strategy=strategy, devices=2)
    finish(pair, devices=2)
    one, two = ([float(x) for x in losses(run)] for run in (alone, pair))
    assert two == pytest.approx(one, rel=1e-6)


@pytest.mark.parametrize(("strategy", "optimizer"), [("ddp", "adamw"), ("fsdp", "adamw"), ("fsdp", "muon")])
def test_two_processes_give_the_losses_of_one(corpus: Any, tmp_path: Path, strategy: str, optimizer: str) -> None:
    small = {"layers": 2, "heads": 2, "width": 32, "dropout": 0.0}
    still = {**LONG, "model": small, "optimizer": {"name": optimizer, "learning_rate": 3e-3}}
    alone = write_run(corpus, tmp_path / "one", **still)
    finish(alone)
    pair = write_run(corpus, tmp_path / "two", **still, strategy=strategy, devices=2)
    finish(pair, devices=2)
    one, two = ([float(x) for x in losses(run)] for run in (alone, pair))
    assert two == pytest.approx(one, rel=1e-6)
    assert len(two) == 30
    for run in (alone, pair):  # single files, and what each strategy writes
        check_mean_of_last_two(run)


def check_mean_of_last_two(run: Path) -> None:
    """An export of the mean of steps 25 and 30 holds that mean, to the last bit, and it is not the last step's."""
    ended = call("export", str(run), str(run.parent / "mean"), "--average", "2")
    assert ended.of("end")[0]["averaged_steps"] == "25, 30"
    mean, last = (load_file(run.parent / name / "model.safetensors") for name in ("mean", "export"))
    assert any(not torch.equal(mean[name], last[name]) for name in last)
    paths = [run.parent / "checkpoints" / f"step-000000{step}.ckpt" for step in (25, 30)]
    states = [network_of(path)[0].state_dict() for path in paths]
    for name, tensor in mean.items():
        assert torch.equal(tensor, ((states[0][name].double() + states[1][name].double()) / 2).float()), name


@pytest.mark.parametrize("strategy", ["ddp", "fsdp"])
def test_two_processes_save_on_sigterm_and_continue_bit_identically(corpus: Any, tmp_path: Path, strategy: str) -> None:
    runs = [write_run(corpus, tmp_path / name, **LONG, strategy=strategy, devices=2) for name in ("whole", "cut")]
    finish(runs[0], devices=2)
    process = start(runs[1], devices=2)
    wait_for_step(runs[1], 7, process)
    os.killpg(process.pid, signal.SIGTERM)  # as the supervisor does: launcher and ranks at once
    assert process.wait(120) == 143
    saved = [e["step"] for e in events_in((runs[1].parent / "log").read_text(encoding="utf-8")) if "path" in e]
    assert saved[-1] >= 7
    finish(runs[1], devices=2)
    assert losses(runs[1]) == losses(runs[0])
    assert weights(runs[1]) == weights(runs[0])


def test_two_processes_end_with_6_when_the_loss_is_not_finite(corpus: Any, tmp_path: Path) -> None:
    run = write_run(corpus, tmp_path, **LONG, devices=2, optimizer={"learning_rate": 1e30})
    assert start(run, devices=2).wait(300) == 6
    errors = [e for e in events_in((tmp_path / "log").read_text(encoding="utf-8")) if e["event"] == "error"]
    assert errors[0]["kind"] == "non_finite_loss"
