"""Loss spikes: what the rule calls one, that nothing moves in such a step, and that no restart changes what is skipped."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from data_contracts.block_sets import BlockFiles
from lightning_modules import callbacks, spikes
from lightning_modules.checkpointing import CheckpointFolder
from lightning_modules.spikes import SKIPPED, Level
from tests.lightning_modules.test_programs import finish, losses
from tests.lightning_modules.tiny_runs import BLOCK, Corpus, call, token_file, write_run

FIGURES = st.floats(0.5, 20)


@given(st.lists(FIGURES, min_size=8, max_size=16), st.floats(1, 10))
@settings(deadline=None)
def test_a_window_full_of_figures_holds_no_spike_of_its_own_half(values: list[float], sigmas: float) -> None:
    level = Level(16, sigmas)
    level.values.extend(values)
    assert level.limit() >= np.median(values), "at least half of what is usual is no spike"


@given(FIGURES, st.floats(1.5, 100))
def test_a_lasting_change_is_accepted_within_half_a_window(usual: float, times: float) -> None:
    level = Level(16, 6.0)
    level.values.extend([usual] * 16)
    refused = 0
    while usual * times > level.limit():
        level.values.append(usual * times)
        refused += 1
    assert 0 < refused <= 9


def test_nothing_is_judged_before_half_the_window() -> None:
    level = Level(16, 6.0)
    level.values.extend([1.0] * 7)
    assert level.limit() == float("inf")
    level.values.append(1.0)
    assert level.limit() == pytest.approx(1.06), "never nearer than six hundredths of the median"


@pytest.fixture(scope="module")
def planted(corpus: Corpus, tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    """The corpus with a shard of noise: 8 blocks of one id that stands nowhere else, then of random ones."""
    folder = tmp_path_factory.mktemp("planted")
    draw = np.random.default_rng(3)
    ids = [0, *draw.integers(2, corpus.vocab_size, 8 * BLOCK - 1).tolist(), 0]
    return corpus._replace(shards=[*corpus.shards, BlockFiles(train=token_file(folder / "noise.bin", ids, 100))])


def run(corpus: Corpus, folder: Path, **changes: Any) -> Path:
    learning = {"name": "adamw", "learning_rate": 3e-3}
    rule = {"window": 16, "sigmas": 4.0}
    more = {"duration": "40 steps", "optimizer": learning, "steps_between_checkpoints": 1, "checkpoints_kept": 50}
    return write_run(corpus, folder, **{"skip_spikes": rule, **more, **changes})


def skipped(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / SKIPPED).read_text(encoding="utf-8").splitlines()]


@pytest.fixture(scope="module")
def spiked(planted: Corpus, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("spiked")
    ended = call("fit", "--config", str(run(planted, folder)))
    assert ended.code == 0
    assert [e["step"] for e in ended.of("skipped_step")] == [one["step"] for one in skipped(folder)]
    return folder


def state_at(folder: Path, step: int) -> dict[str, Any]:
    path = CheckpointFolder(folder / "checkpoints").path(step)
    return dict(torch.load(path, map_location="cpu", weights_only=True))


def test_noise_is_skipped_and_named_and_nothing_moves(spiked: Path) -> None:
    found = skipped(spiked)
    assert found, "blocks of noise stand out"
    assert len(found) < 12, "and little else does"
    for one in found:
        assert any(one[name] > one[f"{name}_limit"] for name in one["over"])
        assert len(one["blocks"]) == 8
        before, after = (state_at(spiked, step) for step in (one["step"] - 1, one["step"]))
        for name, tensor in before["state_dict"].items():
            assert torch.equal(tensor, after["state_dict"][name]), name
        assert str(before["optimizer_states"][0]["state"]) == str(after["optimizer_states"][0]["state"])
        assert after["lr_schedulers"][0]["last_epoch"] == one["step"], "the schedule goes on"
    noisy = [one for one in found if any("noise.bin" in path for path, _ in one["blocks"])]
    assert noisy
    steps = (spiked / "metrics.csv").read_text(encoding="utf-8").splitlines()
    assert len(steps) == 41, "every step has its row, a skipped one too"


def test_a_restart_skips_the_same_steps(
    planted: Corpus, spiked: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ended in the middle of the window, after a spike of which only the window remembers."""
    last = skipped(spiked)[0]["step"]
    whole = callbacks.TrainingRecord.on_train_batch_end

    def interrupted(self: Any, trainer: Any, *rest: Any) -> None:
        if trainer.global_step == last and self._seen_step == last - 1:
            os.kill(os.getpid(), signal.SIGTERM)
        whole(self, trainer, *rest)

    file = run(planted, tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(callbacks.TrainingRecord, "on_train_batch_end", interrupted)
        assert call("fit", "--config", str(file)).code == 143
    assert call("fit", "--config", str(file)).code == 0
    for name in (SKIPPED, "metrics.csv", "export/model.safetensors"):
        assert (tmp_path / name).read_bytes() == (spiked / name).read_bytes(), name


@pytest.mark.parametrize(
    "optimizer", ["muon", *(pytest.param(name, marks=pytest.mark.slow) for name in ("sgd", "adafactor", "rmsprop"))]
)
def test_no_optimizer_moves_without_gradients(
    planted: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, optimizer: str
) -> None:
    monkeypatch.setattr(spikes.Level, "limit", lambda self: 0.0 if len(self.values) >= 3 else float("inf"))
    file = run(planted, tmp_path, duration="5 steps", optimizer={"name": optimizer, "learning_rate": 3e-3})
    assert call("fit", "--config", str(file)).code == 0
    assert [one["step"] for one in skipped(tmp_path)] == [4, 5]
    states = [state_at(tmp_path, step)["state_dict"] for step in (2, 3, 5)]
    assert all(torch.equal(states[1][name], states[2][name]) for name in states[1])
    assert any(not torch.equal(states[0][name], states[1][name]) for name in states[1])


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_two_processes_with_shards_skip_what_one_skips(planted: Corpus, tmp_path: Path) -> None:
    still = {"model": {"layers": 2, "heads": 2, "width": 32, "dropout": 0.0}, "checkpoints_kept": 1}
    one = run(planted, tmp_path / "one", **still)
    assert call("fit", "--config", str(one)).code == 0
    two = run(planted, tmp_path / "two", **still, strategy="fsdp", devices=2)
    finish(two, devices=2)
    found = [[(row["step"], row["over"], row["blocks"]) for row in skipped(f.parent)] for f in (one, two)]
    assert found[0]
    assert found[0] == found[1]
    tables = [losses(f) for f in (one, two)]
    assert [float(x) for x in tables[1]] == pytest.approx([float(x) for x in tables[0]], rel=1e-6)
