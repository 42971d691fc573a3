from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from data_contracts.block_sets import BlockFile, BlockFiles, MixedBlocks
from data_contracts.errors import ConfigError
from data_contracts.run_file import accumulation_of, command, run_file, steps_of
from data_contracts.training import PretrainConfig


def shard(path: str = "t.bin", sha256: str = "aa", tokens: int = 6401) -> BlockFiles:
    return BlockFiles(train=BlockFile(path=path, sha256=sha256, tokens=tokens, chars=9000))


def made(cfg: PretrainConfig, tokens: int = 6401, **changes: Any) -> dict[str, Any]:
    facts = {"vocab_size": 1000, "separator_id": 0, "pad_id": 1, "block_tokens": 64, "lineage": {"corpus": "x"}}
    return run_file(
        cfg, **{"blocks": [shard(tokens=tokens)], "tokenizer_dir": "tok", "run_dir": "run", **facts, **changes}
    )


SMALL = {"tokens_per_step": 512, "blocks_per_device": 2}


@pytest.mark.parametrize(
    ("duration", "steps"),
    [("10 steps", 10), ("5K tokens", 10), ("5.2K tokens", 11), ("1 epoch", 13), ("2 epochs", 25), ("3 minutes", -1)],
)
def test_durations_become_steps(duration: str, steps: int) -> None:
    cfg = PretrainConfig(**SMALL, duration=duration)
    assert steps_of(cfg, 100, 64) == steps == made(cfg)["trainer"]["max_steps"]


def test_a_global_batch_that_does_not_divide_names_the_nearest_that_do() -> None:
    with pytest.raises(ConfigError, match=r"tokens_per_step 600 is not a multiple of 128 .* nearest: 512 or 640"):
        made(PretrainConfig(tokens_per_step=600, blocks_per_device=2))
    with pytest.raises(ConfigError, match=r"nearest: 128$"):
        made(PretrainConfig(tokens_per_step=100, blocks_per_device=2))


@given(st.integers(1, 8), st.integers(1, 8), st.integers(1, 8), st.integers(8, 64))
def test_accumulation_makes_up_the_global_batch(rows: int, devices: int, accumulation: int, block: int) -> None:
    tokens = rows * devices * accumulation * block
    cfg = PretrainConfig(tokens_per_step=tokens, blocks_per_device=rows, devices=devices)
    assert accumulation_of(cfg, block) == accumulation


def test_no_training_block_is_a_clear_error() -> None:
    with pytest.raises(ConfigError, match="no training block of 64 tokens"):
        made(PretrainConfig(**SMALL), tokens=40)


def test_a_dataset_shorter_than_what_a_step_takes_of_it_is_named() -> None:
    with pytest.raises(
        ConfigError, match=r"blocks has 100 training blocks of 64 tokens and one step takes 128, .* at most 6400"
    ):
        made(PretrainConfig(tokens_per_step=128 * 64, blocks_per_device=2))
    small = MixedBlocks(name="blocks/replay", share=0.5, files=[shard(tokens=3 * 64 + 1)])
    with pytest.raises(ConfigError, match=r"blocks/replay has 3 training blocks .* one step takes 4, .* at most 384"):
        made(PretrainConfig(**SMALL), mixed_in=[small])


def test_a_mixture_has_its_shares_and_its_own_hash() -> None:
    other = MixedBlocks(name="blocks/replay", share=0.2, files=[shard("o.bin", "bb")])
    run = made(PretrainConfig(**SMALL, duration="1 epoch"), name="encode/1", mixed_in=[other])
    data = run["data"]["init_args"]
    assert [(s["name"], s["share"], s["blocks"]) for s in data["sets"]] == [
        ("encode/1", 0.8, 100),
        ("blocks/replay", 0.2, 100),
    ]
    assert [f["path"] for f in data["train"]] == ["t.bin", "o.bin"]
    assert run["trainer"]["max_steps"] == 16, "an epoch is one of the own blocks: 100 of 125 samples, 8 a step"
    assert data["data_hash"] != made(PretrainConfig(**SMALL))["data"]["init_args"]["data_hash"]


def test_shares_that_leave_nothing_are_refused() -> None:
    with pytest.raises(ValidationError, match="sum to 1 and leave nothing"):
        PretrainConfig(mixed_in=[{"blocks": "a", "share": 0.6}, {"blocks": "b", "share": 0.4}])


def test_a_growing_step_must_halve_the_micro_batch() -> None:
    grow = {"tokens_per_step": 512, "batch_warmup": {"start_tokens": 128}, "duration": "10 steps"}
    assert made(PretrainConfig(**grow, blocks_per_device=4))["data"]["init_args"]["batch"] == {
        "halvings": 2,
        "ratio": 0.1,
    }
    with pytest.raises(
        ConfigError, match="halves the micro-batch 2 times, and blocks_per_device 2 is no multiple of 4"
    ):
        made(PretrainConfig(**grow, blocks_per_device=2))


def test_strategies() -> None:
    assert made(PretrainConfig(**SMALL))["trainer"]["strategy"] == "auto"
    assert made(PretrainConfig(**SMALL, devices=2))["trainer"]["strategy"] == "ddp"
    sharded = made(PretrainConfig(**SMALL, devices=2, strategy="fsdp"))["trainer"]["strategy"]
    assert sharded["class_path"].endswith("ModelParallelStrategy")
    assert sharded["init_args"] == {"data_parallel_size": 2, "tensor_parallel_size": 1}


def test_commands(tmp_path: Path) -> None:
    run = tmp_path / "run.yaml"
    fit = ["-m", "lightning_modules", "fit", "--config", str(run)]
    assert command(PretrainConfig(), run) == [sys.executable, *fit]
    assert command(PretrainConfig(devices=3), run) == [sys.executable, *fit[:2], "launch", "3", *fit[2:]]


def test_the_data_hash_depends_on_the_bytes_and_their_order_only() -> None:
    def file(path: str, sha256: str) -> BlockFiles:
        return BlockFiles(train=BlockFile(path=path, sha256=sha256, tokens=6401, chars=1))

    def hashed(*shards: BlockFiles) -> str:
        return str(made(PretrainConfig(**SMALL), blocks=list(shards))["data"]["init_args"]["data_hash"])

    first = hashed(file("a", "1"), file("b", "2"))
    assert hashed(file("moved", "1"), file("b", "2")) == first
    assert hashed(file("b", "2"), file("a", "1")) != first
    assert hashed(file("a", "1"), file("b", "3")) != first


def test_it_is_plain_yaml() -> None:
    run = made(PretrainConfig(**SMALL))
    assert yaml.safe_load(yaml.safe_dump(run, allow_unicode=True)) == run


def test_writing_one_needs_no_torch() -> None:
    code = "import sys, data_contracts.run_file, data_contracts.score_file; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
