"""Layers that processes share, and machines that meet: real programs, gloo, loopback. Each start costs seconds."""

from __future__ import annotations

import csv
import os
import signal
import socket
import subprocess
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file

from data_contracts.run_file import RENDEZVOUS, command
from data_contracts.training import PretrainConfig
from tests.lightning_modules.test_programs import finish, losses, start, wait_for_step
from tests.lightning_modules.tiny_runs import call, write_run

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
SHORT = {"duration": "12 steps", "steps_between_checkpoints": 4, "steps_between_validations": 6}
SMALL = {"layers": 2, "heads": 4, "kv_heads": 2, "width": 32, "dropout": 0.0}
STILL = {**SHORT, "model": SMALL}


def validation(run: Path) -> list[dict[str, float]]:
    with (run.parent / "validation.csv").open(encoding="utf-8", newline="") as file:
        return [{name: float(value) for name, value in row.items() if value} for row in csv.DictReader(file)]


def check_same(alone: Path, several: Path, steps: int = 12, loss: float = 1e-5, weight: float = 1e-4) -> None:
    """The same losses (relative), the same targets counted once, nearly the same exported weights (absolute)."""
    one, two = ([float(x) for x in losses(run)] for run in (alone, several))
    assert two == pytest.approx(one, rel=loss)
    assert len(two) == steps
    for mine, theirs in zip(validation(alone), validation(several), strict=True):
        assert theirs == pytest.approx(mine, rel=1e-5)
        assert theirs["tokens"] == mine["tokens"]
    weights = [load_file(run.parent / "export/model.safetensors") for run in (alone, several)]
    assert weights[0].keys() == weights[1].keys()
    assert max(float((weights[0][n] - weights[1][n]).abs().max()) for n in weights[0]) <= weight


@pytest.fixture(scope="module")
def alone(corpus: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = write_run(corpus, tmp_path_factory.mktemp("alone"), **STILL)
    assert call("fit", "--config", str(run)).code == 0
    return run


def test_two_processes_that_share_every_layer_give_the_losses_of_one(corpus: Any, tmp_path: Path, alone: Path) -> None:
    pair = write_run(corpus, tmp_path, **STILL, strategy="tp", devices=2)
    finish(pair, devices=2)
    check_same(alone, pair)


def test_norms_of_heads_and_a_head_of_its_own_are_shared_too(corpus: Any, tmp_path: Path) -> None:
    qwen = {**SMALL, "architecture": "qwen3", "tie_embeddings": False}
    given = {**STILL, "model": qwen, "optimizer": {"name": "muon", "learning_rate": 3e-3}}
    runs = [write_run(corpus, tmp_path / "one", **given)]
    runs += [write_run(corpus, tmp_path / "two", **given, strategy="tp", devices=2, activation_checkpointing="full")]
    assert call("fit", "--config", str(runs[0])).code == 0
    finish(runs[1], devices=2)
    check_same(*runs)


def test_a_mesh_of_shards_and_shared_layers_is_stopped_and_continues(corpus: Any, tmp_path: Path, alone: Path) -> None:
    """Two groups of two: fsdp over the groups, tensor parallelism in each."""
    mesh = write_run(corpus, tmp_path, **STILL, strategy="fsdp", tensor_parallel=2, devices=4, blocks_per_device=2)
    process = start(mesh, devices=4)
    wait_for_step(mesh, 5, process)
    os.killpg(process.pid, signal.SIGTERM)
    assert process.wait(120) == 143
    finish(mesh, devices=4)
    check_same(alone, mesh)


def test_two_machines_that_meet_train_like_one_process(
    corpus: Any, tmp_path: Path, alone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two launchers of one process each on loopback, as one would start them on two machines."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        monkeypatch.setenv(RENDEZVOUS, f"127.0.0.1:{free.getsockname()[1]}")
    run = write_run(corpus, tmp_path, **STILL, nodes=2)
    words = command(PretrainConfig(nodes=2), run)
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    agents = []
    for i in range(2):
        with (tmp_path / f"log{i}").open("wb") as log:
            agents.append(subprocess.Popen(words, stdout=log, stderr=log, env=environment))
    codes = [agent.wait(600) for agent in agents]
    assert codes == [0, 0], [(tmp_path / f"log{i}").read_text(encoding="utf-8")[-2000:] for i in range(2)]
    check_same(alone, run)
