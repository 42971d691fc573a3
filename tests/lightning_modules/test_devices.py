from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from data_contracts.errors import ConfigError
from lightning_modules import devices
from lightning_modules.devices import check_devices, refuse_missing_devices
from lightning_modules.launch import launch
from tests.lightning_modules.tiny_runs import Trained, call, write_run


def losses(folder: Path) -> str:
    return (folder / "metrics.csv").read_text(encoding="utf-8")


def test_more_processes_than_gpus_are_refused_before_any_starts(
    corpus: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = write_run(corpus, tmp_path, accelerator="gpu")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr("lightning_modules.launch.elastic_launch", lambda *_: pytest.fail("a process started"))
    with pytest.raises(ConfigError, match="devices 2 is more than the 1 GPUs that this machine shows"):
        launch(["2", "fit", "--config", str(run)])
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    ended = call("fit", "--config", str(run))
    assert ended.code == 2
    assert "devices 1 is more than the 0 GPUs" in ended.of("error")[0]["message"]
    assert not (tmp_path / "plan.json").exists()


def test_more_processes_than_cores_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    monkeypatch.setattr(devices, "emit", lambda event, **fields: told.append(fields["kind"]))
    check_devices("cpu", 1)
    assert told == []
    check_devices("cpu", 100_000)
    assert told == ["more_processes_than_cores"]
    refuse_missing_devices(["score", "x.json"], 100_000)  # no run file, nothing to check
    assert len(told) == 1


def test_nodes_without_a_place_to_meet_are_refused() -> None:
    with pytest.raises(ConfigError, match="2 nodes meet at --rendezvous"):
        launch(["--nodes", "2", "1", "fit"])


def test_recomputed_layers_give_the_same_run_to_the_last_bit(corpus: Any, trained: Trained, tmp_path: Path) -> None:
    """With dropout, whose numbers must be drawn again; the other run keeps every activation."""
    run = write_run(corpus, tmp_path, activation_checkpointing="full")
    assert yaml.safe_load(run.read_text(encoding="utf-8"))["model"]["init_args"]["activation_checkpointing"] is True
    assert call("fit", "--config", str(run)).code == 0
    assert losses(tmp_path) == losses(trained.folder)
    weights = [(f / "export/model.safetensors").read_bytes() for f in (tmp_path, trained.folder)]
    assert weights[0] == weights[1]


def test_recomputed_layers_of_a_masked_model_too(corpus: Any, tmp_path: Path) -> None:
    shape = {"architecture": "modernbert", "layers": 3, "heads": 2, "width": 32, "dropout": 0.1}
    for kind in ("none", "full"):
        run = write_run(corpus, tmp_path / kind, model=shape, duration="4 steps", activation_checkpointing=kind)
        assert call("fit", "--config", str(run)).code == 0
    with (tmp_path / "full/metrics.csv").open(encoding="utf-8", newline="") as file:
        assert len(list(csv.DictReader(file))) == 4
    assert losses(tmp_path / "full") == losses(tmp_path / "none")
