"""Checkpoints kept for their validation loss: which, in which order, through restarts, and the model made of them."""

from __future__ import annotations

import csv
import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from data_contracts.errors import ConfigError
from data_contracts.training import PretrainConfig
from lightning_modules import callbacks
from lightning_modules.checkpointing import INDEX, CheckpointFolder
from lightning_modules.export import network_of
from tests.lightning_modules.test_averaging import mean_of, weights
from tests.lightning_modules.tiny_runs import Trained, call, settings, write_run

# A rate that is far too high in the end: the best is somewhere in the middle.
WILD = {
    "duration": "24 steps",
    "steps_between_validations": 3,
    "checkpoints_kept": 1,
    "best_checkpoints_kept": 2,
    "export": "best",
    "optimizer": {"learning_rate": 3.0, "warmup_ratio": 0.6, "schedule": "constant"},
}


def index(folder: Path) -> dict[str, Any]:
    return dict(json.loads((folder / "checkpoints" / INDEX).read_text(encoding="utf-8")))


def steps_by_loss(folder: Path) -> list[int]:
    with (folder / "validation.csv").open(encoding="utf-8", newline="") as file:
        rows = [(float(row["loss"]), int(row["step"])) for row in csv.DictReader(file)]
    return [step for _, step in sorted(rows)]


def name(step: int) -> str:
    return f"step-{step:08d}.ckpt"


@pytest.fixture(scope="module")
def wild(corpus: Any, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    folder = tmp_path_factory.mktemp("wild")
    ended = call("fit", "--config", str(write_run(corpus, folder, **WILD)))
    assert ended.code == 0
    return Trained(folder, ended.events)


def test_the_best_stay_beside_the_newest_and_are_told(wild: Trained) -> None:
    best = steps_by_loss(wild.folder)[:2]
    assert 24 not in best, "else the test would not tell the best from the last"
    assert index(wild.folder)["best"] == [name(step) for step in best]
    assert index(wild.folder)["newest"] == name(24)
    there = {p.name for p in (wild.folder / "checkpoints").glob("*.ckpt")}
    assert there == set(index(wild.folder)["checkpoints"]) == {name(step) for step in (*best, 24)}


def test_the_model_is_the_best_with_its_own_figures(wild: Trained) -> None:
    best = steps_by_loss(wild.folder)[0]
    network, _ = network_of(wild.folder / "checkpoints" / name(best))
    exported = weights(wild.folder / "export")
    assert all(torch.equal(tensor, exported[n]) for n, tensor in network.state_dict().items() if n in exported)
    result = json.loads((wild.folder / "result.json").read_text(encoding="utf-8"))
    assert (result["steps"], result["step"], result["chosen"]) == (best, 24, "best")
    with (wild.folder / "validation.csv").open(encoding="utf-8", newline="") as file:
        rows = {int(row["step"]): float(row["loss"]) for row in csv.DictReader(file)}
    assert result["validation_loss"] == rows[best] == min(rows.values())
    assert call("fit", "--config", str(wild.folder / "run.yaml")).of("end")[0]["already"] is True


def test_the_mean_of_the_best_and_the_last_can_be_exported_too(wild: Trained, tmp_path: Path) -> None:
    best = steps_by_loss(wild.folder)[:2]
    run = str(wild.folder / "run.yaml")
    ended = call("export", run, str(tmp_path / "mean"), "--best", "--average", "2")
    assert ended.of("end")[0]["averaged_steps"] == ", ".join(map(str, sorted(best)))
    expected = mean_of([wild.folder / "checkpoints" / name(step) for step in best])
    assert all(torch.equal(tensor, expected[n]) for n, tensor in weights(tmp_path / "mean").items())


def test_a_restart_in_the_middle_keeps_the_same(
    wild: Trained, corpus: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = write_run(corpus, tmp_path, **WILD)
    whole = callbacks.TrainingRecord.on_train_batch_end

    def interrupted(self: Any, trainer: Any, *rest: Any) -> None:
        if trainer.global_step == 17 and self._seen_step == 16:
            os.kill(os.getpid(), signal.SIGTERM)
        whole(self, trainer, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(callbacks.TrainingRecord, "on_train_batch_end", interrupted)
        assert call("fit", "--config", str(run)).code == 143
    assert call("fit", "--config", str(run)).code == 0
    assert index(tmp_path)["best"] == index(wild.folder)["best"]
    assert index(tmp_path)["checkpoints"].keys() == index(wild.folder)["checkpoints"].keys()
    assert (tmp_path / "export/model.safetensors").read_bytes() == (
        wild.folder / "export/model.safetensors"
    ).read_bytes()


@given(st.lists(st.floats(0.1, 9), min_size=1, max_size=12), st.integers(1, 3), st.integers(0, 3))
def test_the_newest_and_the_best_of_any_run_stay(
    tmp_path_factory: pytest.TempPathFactory, losses: list[float], kept: int, best_kept: int
) -> None:
    folder = CheckpointFolder(tmp_path_factory.mktemp("any"), kept, best_kept)
    known: dict[int, float] = {}
    for step, loss in enumerate(losses):
        folder.path(step).write_bytes(str(step).encode())
        folder.record(step, known)  # written before its validation
        known[step] = loss
        folder.record(step, known)
    there = {int(p.stem.removeprefix("step-")) for p in folder.folder.glob("*.ckpt")}
    best = sorted(known, key=lambda step: (known[step], step))[:best_kept]
    assert there == {*list(known)[-kept:], *best}
    assert [found.step for found in folder.good()] == sorted(there, reverse=True)


def test_what_cannot_be_kept_is_refused(corpus: Any, tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="export: best needs checkpoints that are kept for being best"):
        PretrainConfig(export="best")
    with pytest.raises(ValidationError, match="averaged_checkpoints 3 is more than best_checkpoints_kept 2"):
        PretrainConfig(export="best", averaged_checkpoints=3, best_checkpoints_kept=2)
    bare = [shard.model_copy(update={"validation": None}) for shard in corpus.shards]
    with pytest.raises(ConfigError, match=r"best_checkpoints_kept needs a validation split"):
        settings(corpus._replace(shards=bare), tmp_path, best_checkpoints_kept=1)
