from __future__ import annotations

import json
import os
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest
import torch

from lightning_modules import callbacks, micro_batches
from lightning_modules.micro_batches import MicroBatches
from tests.lightning_modules.tiny_runs import call, write_run

EAGER, FASTER, SLOWER = 1.0, 0.5, 2.0  # seconds of a micro-batch


def planned(folder: Path, monkeypatch: pytest.MonkeyPatch, run: Path) -> dict[str, Any]:
    """The plan of a run that is not trained: the program takes it for finished."""
    monkeypatch.setattr("lightning_modules.cli.finished_result", lambda *_: {"step": 0})
    assert call("fit", "--config", str(run)).code == 0
    plan: dict[str, Any] = json.loads((folder / "plan.json").read_text(encoding="utf-8"))
    return plan


@pytest.mark.parametrize(
    ("changes", "compiled", "wanted"),
    [
        ({"duration": "149 steps"}, FASTER, False),  # 298 s: two micro-batches a step
        ({"duration": "150 steps"}, FASTER, True),
        ({"duration": "150 steps"}, SLOWER, False),  # measured to be slower
        ({"duration": "4 minutes"}, FASTER, False),
        ({"duration": "5 minutes"}, FASTER, True),
        ({"duration": "12 steps", "compile": True}, FASTER, True),
        ({"duration": "150 steps", "compile": False}, FASTER, False),
    ],
)
def test_long_runs_are_compiled_where_that_is_faster(
    corpus: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any], compiled: float, wanted: bool
) -> None:
    seconds = {True: compiled, False: EAGER}
    monkeypatch.setattr(MicroBatches, "_timed", lambda self, compiled, count: [seconds[compiled]] * count)
    plan = planned(tmp_path, monkeypatch, write_run(corpus, tmp_path, **changes))
    assert plan["compile"] is wanted
    if changes["duration"] == "5 minutes":
        assert plan["max_steps"] == 300  # of two micro-batches of half a second


def test_a_machine_without_a_compiler_goes_on_without(
    corpus: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def timed(self: MicroBatches, compiled: bool, count: int) -> list[float]:
        if compiled:
            raise RuntimeError("InvalidCxxCompiler: No working C++ compiler found")
        return [EAGER]

    monkeypatch.setattr(MicroBatches, "_timed", timed)
    told: list[str] = []
    monkeypatch.setattr(micro_batches, "emit", lambda event, **fields: told.append(f"{event} {fields.get('message')}"))
    assert planned(tmp_path, monkeypatch, write_run(corpus, tmp_path, duration="500 steps"))["compile"] is False
    assert any("No working C++ compiler" in line for line in told)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.filterwarnings("ignore:.*torch.jit.script_method.*:DeprecationWarning")  # inductor's own imports
@pytest.mark.skipif(shutil.which("g++") is None and shutil.which("clang++") is None, reason="no C++ compiler here")
def test_a_compiled_run_resumes_bit_identically(corpus: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With dropout, whose numbers a compiled network draws in another way; and its losses are those of an eager one."""

    def losses(folder: Path) -> str:
        return (folder / "metrics.csv").read_text(encoding="utf-8")

    whole = callbacks.TrainingRecord.on_train_batch_end

    def interrupted(self: Any, trainer: Any, *rest: Any) -> None:
        if trainer.global_step == 7 and self._seen_step == 6:
            os.kill(os.getpid(), signal.SIGTERM)
        whole(self, trainer, *rest)

    uninterrupted = write_run(corpus, tmp_path / "whole", compile=True)
    assert call("fit", "--config", str(uninterrupted)).code == 0
    counted = torch._dynamo.utils.counters["stats"]["unique_graphs"]
    assert counted > 0  # it was compiled
    run = write_run(corpus, tmp_path / "cut", compile=True)
    with monkeypatch.context() as patch:
        patch.setattr(callbacks.TrainingRecord, "on_train_batch_end", interrupted)
        assert call("fit", "--config", str(run)).code == 143
    torch._dynamo.reset()  # as a new process would
    assert call("fit", "--config", str(run)).of("resume")[0]["step"] == 7
    assert losses(run.parent) == losses(uninterrupted.parent)
    weights = [(folder.parent / "export" / "model.safetensors").read_bytes() for folder in (run, uninterrupted)]
    assert weights[0] == weights[1]
