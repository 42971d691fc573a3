"""What only a GPU can show. Never run so far: no machine of this project had one; `pytest -m gpu` runs it."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.lightning_modules.tiny_runs import call, write_run

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
    pytest.mark.timeout(900),
]
SHORT = {"duration": "5 steps", "model": {"layers": 2, "heads": 2, "width": 32, "dropout": 0.0}}


def losses(run: Path) -> list[float]:
    with (run.parent / "metrics.csv").open(encoding="utf-8", newline="") as file:
        return [float(row["loss"]) for row in csv.DictReader(file)]


def test_fp32_on_a_gpu_gives_the_losses_of_a_cpu(corpus: Any, tmp_path: Path) -> None:
    runs = [write_run(corpus, tmp_path / kind, **SHORT, accelerator=kind, precision="32") for kind in ("cpu", "gpu")]
    for run in runs:
        assert call("fit", "--config", str(run)).code == 0
    on_cpu, on_gpu = (losses(run) for run in runs)
    assert on_gpu == pytest.approx(on_cpu, rel=1e-3)


def test_bf16_trains_and_exports_on_a_gpu(corpus: Any, tmp_path: Path) -> None:
    run = write_run(corpus, tmp_path / "run", **SHORT, accelerator="gpu", precision="bf16")
    assert call("fit", "--config", str(run)).code == 0
    found = losses(run)
    assert found[-1] < found[0]
    assert (run.parent / "export" / "model.safetensors").is_file()
