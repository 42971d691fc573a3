from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from data_contracts.errors import ConfigError
from data_contracts.layout import check_layout, data_processes, processes
from data_contracts.run_file import RENDEZVOUS, accumulation_of, command
from data_contracts.training import PretrainConfig
from tests.data_contracts.test_run_file import made

HEADS = {"layers": 1, "width": 64, "heads": 4, "kv_heads": 2}


@pytest.mark.parametrize(
    ("given", "tensor", "data"),
    [
        ({"devices": 4}, 1, 4),
        ({"devices": 4, "strategy": "tp"}, 4, 1),
        ({"devices": 4, "strategy": "tp", "tensor_parallel": 2}, 2, 2),
        ({"devices": 4, "strategy": "fsdp", "tensor_parallel": 2, "nodes": 3}, 2, 6),
    ],
)
def test_processes_are_dealt_out(given: dict[str, Any], tensor: int, data: int) -> None:
    cfg = PretrainConfig(**given)
    assert (cfg.sharing, data_processes(cfg)) == (tensor, data)
    assert processes(cfg) == tensor * data


def test_the_run_file_says_how(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(RENDEZVOUS, "node1:29400")
    cfg = PretrainConfig(
        model=HEADS, strategy="tp", tensor_parallel=2, devices=4, nodes=2, tokens_per_step=1024, blocks_per_device=2
    )
    trainer = made(cfg)["trainer"]
    assert trainer["num_nodes"] == 2
    assert trainer["strategy"]["init_args"] == {"data_parallel_size": 4, "tensor_parallel_size": 2}
    assert trainer["accumulate_grad_batches"] == accumulation_of(cfg, 64) == 2  # of 4 groups of 2 blocks of 64
    assert command(cfg, "r.yaml")[3:] == [
        *("launch", "--nodes", "2", "--rendezvous", "node1:29400", "4", "fit", "--config", "r.yaml")
    ]
    monkeypatch.delenv(RENDEZVOUS)
    with pytest.raises(ConfigError, match=r"pretrain\.nodes 2: set ZILIU_RENDEZVOUS to HOST:PORT"):
        command(cfg, "r.yaml")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"devices": 4, "tensor_parallel": 3}, "tensor_parallel 3 does not divide pretrain.devices 4"),
        ({"devices": 8, "tensor_parallel": 8}, "tensor_parallel 8 does not divide the model's heads 4"),
        ({"devices": 4, "tensor_parallel": 4}, "tensor_parallel 4 does not divide the model's kv_heads 2"),
        (
            {"devices": 2, "tensor_parallel": 2, "model": {"layers": 1, "width": 64, "heads": 2, "ffn_width": 99}},
            "tensor_parallel 2 does not divide the model's ffn_width 99",
        ),
        ({"devices": 2, "model": {"architecture": "bert"}}, "splits llama and qwen3, not bert"),
    ],
)
def test_layers_that_cannot_be_shared_are_refused_before_anything_starts(given: dict[str, Any], message: str) -> None:
    cfg = PretrainConfig(**{"model": HEADS, "strategy": "tp", "tokens_per_step": 4096, **given})
    with pytest.raises(ConfigError, match=message):
        made(cfg)


def test_heads_of_a_model_in_a_folder_are_read_from_its_config(tmp_path: Path) -> None:
    said = {
        "num_attention_heads": 6,
        "num_key_value_heads": 3,
        "intermediate_size": 64,
        "architectures": ["LlamaForCausalLM"],
    }
    (tmp_path / "config.json").write_text(json.dumps(said), encoding="utf-8")
    cfg = PretrainConfig(model={"folder": str(tmp_path)}, strategy="tp", devices=2)
    with pytest.raises(ConfigError, match="does not divide the model's kv_heads 3"):
        check_layout(cfg)
    (tmp_path / "config.json").write_text("{}", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"config\.json does not tell its heads"):
        check_layout(cfg)


def test_sharing_layers_needs_a_strategy_that_shards() -> None:
    with pytest.raises(ValidationError, match="tensor_parallel 2 needs strategy tp or fsdp, not ddp"):
        PretrainConfig(strategy="ddp", devices=2, tensor_parallel=2)
    with pytest.raises(ValidationError, match="the shards of tp do not have"):
        PretrainConfig(strategy="tp", devices=2, optimizer={"name": "adafactor"})


def test_deepspeed_is_a_class_by_its_stage() -> None:
    for name, stage in (("deepspeed_stage_1", 1), ("deepspeed", 2), ("deepspeed_stage_3", 3)):
        told = made(PretrainConfig(strategy=name, devices=2, tokens_per_step=1024))["trainer"]["strategy"]
        assert told == {"class_path": "lightning_modules.zero.ZeroStrategy", "init_args": {"stage": stage}}


def test_deepspeed_is_refused_where_it_is_missing_or_cannot_do_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("muon", "adafactor"):
        with pytest.raises(ValidationError, match=f"optimizer {name}"):
            PretrainConfig(strategy="deepspeed", devices=2, optimizer={"name": name})
    with pytest.raises(ValidationError, match="looks at the gradients before the step, which deepspeed_stage_3 takes"):
        PretrainConfig(strategy="deepspeed_stage_3", devices=2, skip_spikes={})
    monkeypatch.setattr("data_contracts.layout.find_spec", lambda _: None)
    with pytest.raises(ConfigError, match=r"not installed: pip install '\.\[deepspeed\]'"):
        check_layout(PretrainConfig(strategy="deepspeed", devices=2))


def test_a_micro_batch_that_is_to_be_found_starts_with_the_fewest_blocks() -> None:
    run = made(PretrainConfig(tokens_per_step=1024, blocks_per_device="auto"))
    assert (run["run"]["find_blocks"], run["data"]["init_args"]["blocks_per_device"]) == (True, 1)
    assert run["trainer"]["accumulate_grad_batches"] == 16
    grown = PretrainConfig(tokens_per_step=1024, blocks_per_device="auto", batch_warmup={"start_tokens": 256})
    assert made(grown)["data"]["init_args"]["blocks_per_device"] == 4  # halved twice at first
