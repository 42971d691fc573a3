from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from transformers import AutoModelForCausalLM

from data_contracts.training import PretrainConfig
from lightning_modules.averaging import take_mean
from lightning_modules.checkpointing import CheckpointFolder
from lightning_modules.export import network_of
from tests.lightning_modules.tiny_runs import Trained, call, write_run


@pytest.fixture(scope="module")
def averaged(corpus: Any, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """A run of 12 steps whose model is the mean of its last three checkpoints, 6, 8 and 12."""
    folder = tmp_path_factory.mktemp("averaged")
    ended = call("fit", "--config", str(write_run(corpus, folder, averaged_checkpoints=3, checkpoints_kept=3)))
    assert ended.code == 0
    return Trained(folder, ended.events)


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return AutoModelForCausalLM.from_pretrained(folder).state_dict()


def mean_of(paths: list[Path]) -> dict[str, torch.Tensor]:
    """Tensor by tensor, in numpy's fp64: the definition, beside the program."""
    states = [torch.load(path, weights_only=True)["state_dict"] for path in paths]
    return {
        name.removeprefix("network."): torch.from_numpy(
            sum(s[name].double().numpy() for s in states) / len(states)
        ).float()
        for name in states[0]
    }


def test_the_model_is_the_mean_of_the_last_checkpoints(averaged: Trained) -> None:
    paths = [averaged.folder / "checkpoints" / f"step-{step:08d}.ckpt" for step in (6, 8, 12)]
    found, expected = weights(averaged.folder / "export"), mean_of(paths)
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[name], expected[name]) for name in expected)


def test_its_loss_stands_beside_that_of_the_last_step(averaged: Trained, trained: Trained) -> None:
    result = json.loads((averaged.folder / "result.json").read_text(encoding="utf-8"))
    alone = json.loads((trained.folder / "result.json").read_text(encoding="utf-8"))
    assert result["averaged_steps"] == "6, 8, 12"
    assert result["validation_loss"] == alone["validation_loss"]  # training itself is not changed
    assert result["average_validation_loss"] != result["validation_loss"]
    assert "averaged_steps" not in alone
    card = (averaged.folder / "export" / "README.md").read_text(encoding="utf-8")
    assert "6, 8, 12" in card
    assert f"{result['average_validation_loss']:.4f}" in card
    warned = [e for e in averaged.events if e.get("kind") == "average_is_worse"]
    assert bool(warned) == (result["average_validation_loss"] > result["validation_loss"])


def test_the_mean_of_one_has_the_loss_of_the_last_step(trained: Trained) -> None:
    from lightning_modules.averaging import held_out_figures
    from tests.lightning_modules.tiny_runs import run_of

    found = CheckpointFolder(trained.folder / "checkpoints").newest()
    assert found is not None
    figures = held_out_figures(run_of(trained.folder), network_of(found.path)[0])
    result = json.loads((trained.folder / "result.json").read_text(encoding="utf-8"))
    assert figures["loss"] == pytest.approx(result["validation_loss"], rel=1e-12)
    assert figures["bits_per_char"] == pytest.approx(result["validation_bits_per_char"], rel=1e-12)


def test_a_damaged_checkpoint_is_left_out_of_the_mean(averaged: Trained, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    shutil.copytree(averaged.folder, folder)
    text = (folder / "run.yaml").read_text(encoding="utf-8").replace(str(averaged.folder), str(folder))
    (folder / "run.yaml").write_text(text, encoding="utf-8")
    damaged = folder / "checkpoints" / "step-00000008.ckpt"
    damaged.write_bytes(damaged.read_bytes()[:-1])
    ended = call("export", str(folder / "run.yaml"), str(tmp_path / "out"), "--average", "3")
    assert ended.code == 0
    assert {e["kind"] for e in ended.of("warning")} >= {"damaged_checkpoint", "fewer_averaged"}
    assert ended.of("end")[0]["averaged_steps"] == "6, 12"
    expected = mean_of([folder / "checkpoints" / f"step-{step:08d}.ckpt" for step in (6, 12)])
    assert all(torch.equal(tensor, expected[name]) for name, tensor in weights(tmp_path / "out").items())


def test_equal_networks_have_themselves_for_a_mean(trained: Trained) -> None:
    one, two = (AutoModelForCausalLM.from_pretrained(trained.folder / "export") for _ in range(2))
    before = {name: tensor.clone() for name, tensor in one.state_dict().items()}
    take_mean(one, [two, two])
    assert all(torch.equal(tensor, before[name]) for name, tensor in one.state_dict().items())


def test_no_more_are_averaged_than_are_kept() -> None:
    with pytest.raises(ValidationError, match="averaged_checkpoints 3 is more than checkpoints_kept 2"):
        PretrainConfig(averaged_checkpoints=3)
