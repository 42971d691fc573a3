"""布局 layout: how the processes of a run share its work. Needs no torch, so a wrong one is said before any starts.

processes   nodes x devices
tensor      so many neighbours on one machine share every layer (tensor parallelism) and see the same blocks
data        processes / tensor groups, each with blocks of its own; fsdp, tp and deepspeed spread the rest over them
"""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from data_contracts.errors import ConfigError
from data_contracts.network import MASKED
from data_contracts.training import PretrainConfig


def processes(cfg: PretrainConfig) -> int:
    """Processes of the whole run."""
    return cfg.nodes * cfg.devices


def data_processes(cfg: PretrainConfig) -> int:
    """Groups of processes that see blocks of their own."""
    return processes(cfg) // cfg.sharing


def check_layout(cfg: PretrainConfig) -> None:
    """ConfigError when layers cannot be shared by `tensor_parallel` processes, or DeepSpeed is not installed."""
    if cfg.zero_stage and find_spec("deepspeed") is None:
        raise ConfigError(
            f"pretrain.strategy {cfg.strategy} needs DeepSpeed, which is not installed: pip install '.[deepspeed]'; "
            "fsdp shards weights, gradients and optimizer state without it"
        )
    if cfg.sharing == 1:
        return
    if cfg.devices % cfg.sharing:
        raise ConfigError(
            f"pretrain.tensor_parallel {cfg.sharing} does not divide pretrain.devices {cfg.devices}: the "
            "processes that share a layer stand on one machine"
        )
    if not cfg.model.folder and cfg.model.architecture in MASKED:
        raise ConfigError(
            f"pretrain.strategy tp splits llama and qwen3, not {cfg.model.architecture}; use ddp or fsdp for it"
        )
    for name, count in _divided(cfg).items():
        if count % cfg.sharing:
            raise ConfigError(
                f"pretrain.tensor_parallel {cfg.sharing} does not divide the model's {name} {count}: every "
                "process has whole heads and an equal part of the feed-forward layer"
            )


def _divided(cfg: PretrainConfig) -> dict[str, int]:
    """What is dealt out to the processes that share a layer."""
    model = cfg.model
    if model.folder is None:
        return {"heads": model.heads, "kv_heads": model.kv_heads or model.heads, "ffn_width": model.feed_forward}
    try:
        said: dict[str, Any] = json.loads((Path(model.folder) / "config.json").read_text(encoding="utf-8"))
        heads = int(said["num_attention_heads"])
        return {
            "heads": heads,
            "kv_heads": int(said.get("num_key_value_heads") or heads),
            "ffn_width": int(said["intermediate_size"]),
        }
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(
            f"pretrain.model.folder {model.folder}: config.json does not tell its heads: {error}"
        ) from None
