"""ZeRO by DeepSpeed, on CPUs by gloo: real programs of two processes beside one that knows nothing of it."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest
import torch

from lightning_modules.checkpointing import CheckpointFolder
from tests.lightning_modules.test_parallel_programs import SMALL, STILL, alone, check_same
from tests.lightning_modules.test_programs import LONG, finish, losses, start, wait_for_step
from tests.lightning_modules.tiny_runs import call, events_in, write_run

pytest.importorskip("deepspeed")
pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
LONGER = {**LONG, "model": {"layers": 2, "heads": 2, "width": 32, "dropout": 0.0}}
HALF = {**STILL, "precision": "bf16", "devices": 2, "blocks_per_device": 2}
STAGES = ["deepspeed_stage_1", "deepspeed", "deepspeed_stage_3"]
__all__ = ["alone"]


def checkpoint_of(run: Path) -> dict[str, Any]:
    newest = CheckpointFolder(run.parent / "checkpoints").newest()
    assert newest is not None
    return torch.load(newest.path, weights_only=True)


@pytest.mark.parametrize("stage", STAGES)
def test_two_processes_give_the_losses_and_the_checkpoint_of_one(
    corpus: Any, tmp_path: Path, alone: Path, stage: str
) -> None:
    """Two micro-batches a step, so that the first is not yet summed."""
    pair = write_run(corpus, tmp_path, **STILL, strategy=stage, devices=2, blocks_per_device=2)
    finish(pair, devices=2)
    check_same(alone, pair)
    one, two = (checkpoint_of(run) for run in (alone, pair))
    assert one.keys() == two.keys()
    assert one["state_dict"].keys() == two["state_dict"].keys()
    states = [c["optimizer_states"][0] for c in (one, two)]
    assert [g["params"] for g in states[0]["param_groups"]] == [g["params"] for g in states[1]["param_groups"]]
    assert states[0]["state"].keys() == states[1]["state"].keys()
    for mine, theirs in zip(states[0]["state"].values(), states[1]["state"].values(), strict=True):
        assert mine.keys() == theirs.keys()
        assert all(torch.allclose(mine[name], theirs[name], rtol=1e-3, atol=1e-6) for name in mine)


@pytest.mark.parametrize("stage", STAGES)
def test_other_models_and_optimizers_too(corpus: Any, tmp_path: Path, stage: str) -> None:
    model, optimizer = {
        "deepspeed_stage_1": ({"architecture": "qwen3", "tie_embeddings": False}, {"name": "sgd"}),
        "deepspeed": ({"architecture": "modernbert"}, {"name": "rmsprop"}),
        "deepspeed_stage_3": ({"architecture": "bert"}, {"name": "sgd", "momentum": 0.0}),
    }[stage]
    shape = {k: v for k, v in SMALL.items() if k != "kv_heads" or "qwen" in model["architecture"]}
    given = {**STILL, "model": {**shape, **model}, "optimizer": optimizer, "activation_checkpointing": "full"}
    runs = [write_run(corpus, tmp_path / "one", **given)]
    runs += [write_run(corpus, tmp_path / "two", **given, strategy=stage, devices=2, blocks_per_device=2)]
    assert call("fit", "--config", str(runs[0])).code == 0
    finish(runs[1], devices=2)
    check_same(*runs)


@pytest.fixture(scope="module")
def whole(corpus: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = write_run(corpus, tmp_path_factory.mktemp("whole"), **LONGER)
    assert call("fit", "--config", str(run)).code == 0
    return run


@pytest.mark.parametrize(("first", "then"), [("deepspeed", "auto"), (STAGES[2], "auto"), ("auto", STAGES[2])])
def test_a_run_that_was_killed_goes_on_under_another_strategy_and_number(
    corpus: Any, tmp_path: Path, whole: Path, first: str, then: str
) -> None:
    count = {"auto": 1, "deepspeed": 2, STAGES[2]: 2}
    run = write_run(corpus, tmp_path, **LONGER, strategy=first, devices=count[first])
    process = start(run, devices=count[first])
    wait_for_step(run, 17, process)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    write_run(corpus, tmp_path, **LONGER, strategy=then, devices=count[then])
    finish(run, devices=count[then])
    told = events_in((tmp_path / "log").read_text(encoding="utf-8"))
    assert [e["step"] for e in told if e["event"] == "resume"][-1] in (15, 20)
    check_same(whole, run, steps=30, loss=1e-6, weight=2e-6)


def test_a_stopped_run_validates_what_is_missing_and_ends(corpus: Any, tmp_path: Path, alone: Path) -> None:
    """SIGTERM leaves a checkpoint; and a crash between the last step and its validation is made good."""
    run = write_run(corpus, tmp_path, **STILL, strategy=STAGES[2], devices=2, blocks_per_device=2)
    process = start(run, devices=2)
    wait_for_step(run, 5, process)
    os.killpg(process.pid, signal.SIGTERM)
    assert process.wait(120) == 143
    finish(run, devices=2)
    check_same(alone, run)
    table = tmp_path / "validation.csv"
    lines = table.read_text(encoding="utf-8").splitlines(keepends=True)
    table.write_text("".join(lines[:-1]), encoding="utf-8")
    (tmp_path / "result.json").unlink()
    shutil.rmtree(tmp_path / "export")
    finish(run, devices=2)
    check_same(alone, run)


@pytest.fixture(scope="module")
def halves(corpus: Any, tmp_path_factory: pytest.TempPathFactory) -> list[float]:
    """Losses of ddp in bf16."""
    run = write_run(corpus, tmp_path_factory.mktemp("halves"), **HALF, strategy="ddp")
    finish(run, devices=2)
    return [float(x) for x in losses(run)]


@pytest.mark.parametrize("stage", STAGES[1:])
def test_bf16_is_that_of_ddp(corpus: Any, tmp_path: Path, alone: Path, halves: list[float], stage: str) -> None:
    run = write_run(corpus, tmp_path, **HALF, strategy=stage)
    finish(run, devices=2)
    found = [float(x) for x in losses(run)]
    assert found == pytest.approx(halves, rel=2e-3)
    assert found != pytest.approx([float(x) for x in losses(alone)], rel=1e-6)  # it was computed in bf16


def test_a_loss_that_is_not_finite_stops_it(corpus: Any, tmp_path: Path) -> None:
    run = write_run(corpus, tmp_path, **{**STILL, "optimizer": {"learning_rate": 1e30}}, strategy="deepspeed")
    assert start(run).wait(300) == 6
