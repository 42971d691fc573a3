"""The same run in other pieces: another micro-batch, growing rows and steps, a mixture, held-out sets, changed data."""

from __future__ import annotations

import csv
import json
import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from data_contracts.block_sets import HeldOut, HeldOutSet, MixedBlocks
from lightning_modules import callbacks
from tests.lightning_modules.tiny_runs import BLOCK, Ended, Trained, call, write_run

STILL = {"layers": 2, "heads": 2, "width": 32, "dropout": 0.0}


def losses(folder: Path) -> list[float]:
    with (folder / "metrics.csv").open(encoding="utf-8", newline="") as file:
        return [float(row["loss"]) for row in csv.DictReader(file)]


def stopped_at(run: Path, step: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Start a run and end it by SIGTERM after a step."""
    whole = callbacks.TrainingRecord.on_train_batch_end

    def interrupted(self: Any, trainer: Any, *rest: Any) -> None:
        if trainer.global_step == step and self._seen_step == step - 1:
            os.kill(os.getpid(), signal.SIGTERM)
        whole(self, trainer, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(callbacks.TrainingRecord, "on_train_batch_end", interrupted)
        assert call("fit", "--config", str(run)).code == 143


def resumed(run: Path, *words: str) -> Ended:
    return call("fit", "--config", str(run), *words)


@pytest.fixture(scope="module")
def still(corpus: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("still")
    assert call("fit", "--config", str(write_run(corpus, folder, model=STILL))).code == 0
    return folder


@pytest.mark.parametrize(
    ("first", "then"), [(8, 4), pytest.param(4, 8, marks=pytest.mark.slow), pytest.param(8, 2, marks=pytest.mark.slow)]
)
def test_a_run_continues_in_other_micro_batches(
    corpus: Any, still: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, first: int, then: int
) -> None:
    """As it does on another number of processes: step 5 is odd, so counts of micro-batches do not divide by chance."""
    stopped_at(write_run(corpus, tmp_path, model=STILL, blocks_per_device=first), 5, monkeypatch)
    assert resumed(write_run(corpus, tmp_path, model=STILL, blocks_per_device=then)).code == 0
    assert losses(tmp_path) == pytest.approx(losses(still), rel=1e-6)
    tables = [(folder / "validation.csv").read_text(encoding="utf-8").splitlines() for folder in (tmp_path, still)]
    assert [line.split(",")[0] for line in tables[0]] == [line.split(",")[0] for line in tables[1]]


@pytest.mark.slow
def test_a_growing_run_is_the_same_after_a_stop(corpus: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    grow = {
        "length_warmup": {"start_tokens": BLOCK // 4, "ratio": 0.7},
        "batch_warmup": {"start_tokens": 2 * BLOCK, "ratio": 0.5},
        "duration": f"{9 * 8 * BLOCK} tokens",
    }
    whole = write_run(corpus, tmp_path / "whole", **grow)
    assert call("fit", "--config", str(whole)).code == 0
    cut = write_run(corpus, tmp_path / "cut", **grow)
    stopped_at(cut, 3, monkeypatch)
    assert resumed(cut).code == 0
    for name in ("metrics.csv", "validation.csv", "export/model.safetensors"):
        assert (tmp_path / "cut" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    result = json.loads((tmp_path / "whole/result.json").read_text(encoding="utf-8"))
    assert result["tokens"] >= 9 * 8 * BLOCK
    assert result["steps"] > 9, "early steps are smaller, so there are more"


def test_another_seed_is_refused_until_it_is_accepted(
    corpus: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = write_run(corpus, tmp_path)
    stopped_at(run, 3, monkeypatch)
    changed = yaml.safe_load(run.read_text(encoding="utf-8"))
    changed["data"]["init_args"]["seed"] = 9
    run.write_text(yaml.safe_dump(changed), encoding="utf-8")
    refused = resumed(run)
    assert refused.code == 2
    message = refused.of("error")[0]["message"]
    assert "seed: checkpoint 1, run file 9" in message
    flag = message[message.index("--data.init_args") :]
    accepted = resumed(run, flag)
    assert accepted.code == 0
    assert [e["kind"] for e in accepted.of("warning")] == ["accepted_change"]
    assert len(losses(tmp_path)) == 12


def test_ids_beyond_the_vocabulary_are_named_before_training(corpus: Any, tmp_path: Path) -> None:
    run = write_run(corpus, tmp_path)
    other = yaml.safe_load(run.read_text(encoding="utf-8"))
    for part in ("model", "data"):
        other[part]["init_args"]["vocab_size"] = 300
    run.write_text(yaml.safe_dump(other), encoding="utf-8")
    ended = call("fit", "--config", str(run))
    assert ended.code == 2
    assert (
        f"holds the token id {corpus.vocab_size - 1} and the vocabulary ends at 299" in ended.of("error")[0]["message"]
    )
    assert not (tmp_path / "plan.json").exists()


def test_held_out_sets_add_up_to_the_validation_loss(corpus: Any, trained: Trained, tmp_path: Path) -> None:
    files, sets = [], [("even", 50, True), ("odd", 60, True), ("far", 70, False)]
    for i, shard in enumerate(corpus.shards):
        ids = np.fromfile(shard.validation.path, dtype="<u2")
        starts = np.flatnonzero(ids == 0)
        np.save(tmp_path / f"{i}.npy", np.array([starts, np.arange(len(starts)) % 2]))
        files.append(shard.validation.model_copy(update={"groups": str(tmp_path / f"{i}.npy")}))
    np.save(tmp_path / "far.npy", np.array([[0], [2]]))
    files.append(corpus.shards[0].test.model_copy(update={"groups": str(tmp_path / "far.npy")}))
    held_out = HeldOut(files=files, sets=[HeldOutSet(name=n, chars=c, main=m) for n, c, m in sets])
    run = write_run(corpus, tmp_path / "run", _held_out=held_out)
    assert call("fit", "--config", str(run)).code == 0
    with (tmp_path / "run/validation_sets.csv").open(encoding="utf-8", newline="") as file:
        last = {row["set"]: row for row in csv.DictReader(file) if row["step"] == "12"}
    assert list(last) == ["even", "odd", "far"]
    with (trained.folder / "validation.csv").open(encoding="utf-8", newline="") as file:
        main = list(csv.DictReader(file))[-1]
    tokens = [int(last[n]["tokens"]) for n in ("even", "odd")]
    assert sum(tokens) == int(main["tokens"])
    nats = sum(float(last[n]["loss"]) * t for n, t in zip(("even", "odd"), tokens, strict=True))
    assert nats / sum(tokens) == pytest.approx(float(main["loss"]), rel=1e-9)
    assert float(last["far"]["bits_per_char"]) > 0


def test_a_mixture_is_told_in_the_result_and_on_the_card(corpus: Any, tmp_path: Path) -> None:
    first, second = corpus.shards
    mixed = [MixedBlocks(name="blocks/general", share=0.25, files=[second])]
    run = write_run(corpus._replace(shards=[first]), tmp_path, _mixed_in=mixed)
    assert call("fit", "--config", str(run)).code == 0
    result = json.loads((tmp_path / "result.json").read_text(encoding="utf-8"))
    assert [(d["name"], d["share"], d["tokens"]) for d in result["data"]] == [
        ("blocks", 0.75, 72 * BLOCK),
        ("blocks/general", 0.25, 24 * BLOCK),
    ]
    assert "blocks/general: 25.0%, 768 词元 tokens" in (tmp_path / "export/README.md").read_text(encoding="utf-8")
