from __future__ import annotations

import csv
import json
import os
import signal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import yaml
from hypothesis import given
from hypothesis import strategies as st

from lightning_modules import callbacks, fitting, micro_batches
from lightning_modules.micro_batches import MicroBatches, candidates, fastest, with_blocks
from tests.lightning_modules.tiny_runs import BLOCK, call, write_run

CPU = torch.device("cpu")


def config(blocks: int, accumulation: int, halvings: int = 0, validations: int = 5) -> Any:
    data = SimpleNamespace(blocks_per_device=blocks, block_tokens=BLOCK, batch={"halvings": halvings})
    trainer = SimpleNamespace(accumulate_grad_batches=accumulation, val_check_interval=validations * accumulation)
    return SimpleNamespace(data=SimpleNamespace(init_args=data), trainer=trainer)


@given(st.integers(1, 6), st.integers(1, 40), st.integers(0, 3))
def test_every_candidate_keeps_the_global_batch_and_the_steps_between_validations(
    blocks: int, accumulation: int, halvings: int
) -> None:
    blocks <<= halvings
    for rows in candidates(config(blocks, accumulation, halvings)):
        cfg = config(blocks, accumulation, halvings)
        with_blocks(cfg, rows)
        data, trainer = cfg.data.init_args, cfg.trainer
        assert data.blocks_per_device * trainer.accumulate_grad_batches == blocks * accumulation
        assert trainer.val_check_interval == 5 * trainer.accumulate_grad_batches
        assert rows % (1 << halvings) == 0


@pytest.mark.parametrize(
    ("seconds", "most", "wanted", "tried"),
    [
        ({1: 1.0, 2: 1.2, 4: 2.0, 8: 3.95, 16: 7.9}, 16, 4, [1, 2, 4, 8, 16]),  # twice the time for twice the blocks
        ({1: 1.0, 2: 1.2, 4: 2.0, 8: 3.0}, 4, 4, [1, 2, 4]),  # no room for more
        ({1: 1.0, 2: 3.0, 4: 6.0}, 16, 1, [1, 2, 4]),  # slower twice: the search ends
        ({1: 1.0, 2: 1.2, 4: None}, 16, 2, [1, 2]),  # out of memory after all
    ],
)
def test_the_fastest_that_fits_is_taken(
    monkeypatch: pytest.MonkeyPatch, seconds: dict[int, float | None], most: int, wanted: int, tried: list[int]
) -> None:
    def timed(self: MicroBatches) -> float:
        found = seconds[self.rows]
        if found is None:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return found

    monkeypatch.setattr(MicroBatches, "seconds", timed)
    monkeypatch.setattr(micro_batches, "emit", lambda *_, **__: None)
    best, told = fastest(config(1, 16), CPU, False, lambda rows: rows <= most)
    assert (best, [t["blocks_per_device"] for t in told]) == (wanted, tried)


def losses(folder: Path) -> list[float]:
    with (folder / "metrics.csv").open(encoding="utf-8", newline="") as file:
        return [float(row["loss"]) for row in csv.DictReader(file)]


def test_a_found_micro_batch_gives_the_same_run_and_is_not_measured_again(
    corpus: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    still = {"model": {"layers": 2, "heads": 2, "width": 32, "dropout": 0.0}}
    given = write_run(corpus, tmp_path / "given", **still)
    assert call("fit", "--config", str(given)).code == 0
    run = write_run(corpus, tmp_path / "found", **still, blocks_per_device="auto")
    assert yaml.safe_load(run.read_text(encoding="utf-8"))["data"]["init_args"]["blocks_per_device"] == 1
    whole = callbacks.TrainingRecord.on_train_batch_end

    def interrupted(self: Any, trainer: Any, *rest: Any) -> None:
        if trainer.global_step == 5 and self._seen_step == 4:
            os.kill(os.getpid(), signal.SIGTERM)
        whole(self, trainer, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(callbacks.TrainingRecord, "on_train_batch_end", interrupted)
        ended = call("fit", "--config", str(run))
    assert ended.code == 143
    plan = json.loads((tmp_path / "found/plan.json").read_text(encoding="utf-8"))
    tried = {one["blocks_per_device"]: one["tokens_per_second"] for one in plan["tried"]}
    assert next(iter(tried)) == 1
    assert plan["blocks_per_device"] in tried
    assert tried[plan["blocks_per_device"]] > max(tried.values()) / 1.05
    assert [e["blocks_per_device"] for e in ended.of("micro_batch")] == list(tried)
    monkeypatch.setattr(MicroBatches, "_timed", lambda *_: pytest.fail("measured again"))
    ended = call("fit", "--config", str(run))
    assert ended.of("end")[0]["blocks_per_device"] == plan["blocks_per_device"]
    assert losses(tmp_path / "found") == pytest.approx(losses(tmp_path / "given"), rel=1e-6)


def test_the_search_stays_below_what_is_free(corpus: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fitting, "free_bytes", lambda *_: 4_000_000)
    monkeypatch.setattr("lightning_modules.cli.finished_result", lambda *_: {"step": 0})
    run = write_run(corpus, tmp_path, blocks_per_device="auto")
    assert call("fit", "--config", str(run)).code == 0
    plan = json.loads((tmp_path / "plan.json").read_text(encoding="utf-8"))
    assert max(one["blocks_per_device"] for one in plan["tried"]) < 8
