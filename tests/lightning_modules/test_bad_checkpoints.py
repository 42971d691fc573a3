"""Checkpoints that must not be gone on from: of another model, cut short, carrying code."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from data_contracts.errors import ConfigError
from data_contracts.run_file import command
from data_contracts.training import PretrainConfig
from lightning_modules.checkpointing import INDEX, CheckpointFolder
from lightning_modules.token_blocks import TokenBlocks
from tests.lightning_modules.tiny_runs import Trained, call, settings, write_run

NEWEST = "step-00000012.ckpt"


@pytest.fixture
def unfinished(trained: Trained, corpus: Any, tmp_path: Path) -> Path:
    """The run file of a finished run whose result is gone, elsewhere."""
    shutil.copytree(trained.folder / "checkpoints", tmp_path / "checkpoints")
    return write_run(corpus, tmp_path)


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"width": 64}, "hidden_size: checkpoint 32, run file 64"),
        ({"layers": 3}, "num_hidden_layers: checkpoint 2, run file 3"),
        ({"architecture": "qwen3"}, "model_type: checkpoint 'llama', run file 'qwen3'"),
        ({"tie_embeddings": False}, "tie_word_embeddings: checkpoint True, run file False"),
    ],
)
def test_a_checkpoint_of_another_model_is_refused_with_both_values(
    unfinished: Path, corpus: Any, changed: dict[str, Any], told: str
) -> None:
    run = write_run(corpus, unfinished.parent, model={"layers": 2, "heads": 2, "width": 32, "dropout": 0.1, **changed})
    ended = call("fit", "--config", str(run))
    assert ended.code == 2
    assert told in ended.of("error")[0]["message"]


def test_another_dropout_is_no_other_model(unfinished: Path, corpus: Any) -> None:
    run = write_run(corpus, unfinished.parent, model={"layers": 2, "heads": 2, "width": 32, "dropout": 0.0})
    assert call("fit", "--config", str(run)).code == 0


class Code:
    """Runs when it is unpickled."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> Any:
        return Path.touch, (self.marker,)


def test_code_in_a_checkpoint_is_refused_and_never_runs(unfinished: Path, tmp_path: Path) -> None:
    folder, marker = unfinished.parent / "checkpoints", tmp_path / "it ran"
    torch.save({"state_dict": {}, "network": Code(marker)}, folder / NEWEST)
    CheckpointFolder(folder, 2).record(12)  # whoever can write there can make the index fit
    ended = call("fit", "--config", str(unfinished))
    assert ended.code == 5
    assert "never code" in ended.of("error")[0]["message"]
    (folder / INDEX).unlink()  # without one it is judged by whether it loads
    ended = call("fit", "--config", str(unfinished))
    assert ended.code == 0
    assert ended.of("warning")[0]["kind"] == "damaged_checkpoint"
    assert ended.of("resume")[0]["step"] == 8
    assert not marker.exists()


@pytest.mark.parametrize("indexed", [True, False])
def test_a_checkpoint_that_is_cut_short_is_passed_over(unfinished: Path, indexed: bool) -> None:
    folder = unfinished.parent / "checkpoints"
    whole = (folder / NEWEST).read_bytes()
    (folder / NEWEST).write_bytes(whole[: len(whole) // 2])
    if not indexed:
        (folder / INDEX).unlink()
    ended = call("fit", "--config", str(unfinished))
    assert ended.code == 0
    assert [e["kind"] for e in ended.of("warning")] == ["damaged_checkpoint"]
    assert ended.of("resume")[0]["step"] == 8
    assert json.loads((folder / INDEX).read_text(encoding="utf-8"))["newest"] == NEWEST


def test_an_empty_validation_set_is_named_at_once(corpus: Any, tmp_path: Path) -> None:
    bare = [shard.model_copy(update={"validation": None}) for shard in corpus.shards]
    ended = call("fit", "--config", str(write_run(corpus._replace(shards=bare), tmp_path, duration="2 steps")))
    assert ended.code == 0
    assert [e["event"] for e in ended.events if e.get("kind") == "no_validation"] == ["warning"]
    assert [e["event"] for e in ended.events].index("warning") < [e["event"] for e in ended.events].index("train_start")


def test_a_number_of_processes_that_does_not_divide_is_said_before_any_starts(corpus: Any, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"tokens_per_step 256 is not a multiple of 384 = .* devices 3"):
        settings(corpus, tmp_path, devices=3)
    assert "launch" in command(PretrainConfig(devices=3), tmp_path)
    made = TokenBlocks(**{**settings(corpus, tmp_path)["data"]["init_args"], "blocks_per_device": 3})
    with pytest.raises(ConfigError, match="does not divide into 1 processes of 3 blocks"):
        made.train_dataloader()
