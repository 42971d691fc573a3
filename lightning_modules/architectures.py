"""结构 architectures: one table from the name in a config to the Hugging Face network that it stands for.

What a row does not say is asked of the network itself, so that it also holds for a network that came from elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

from torch import nn
from transformers import AutoModelForCausalLM, LlamaConfig, PreTrainedConfig, PreTrainedModel, Qwen3Config
from transformers.modeling_layers import GradientCheckpointingLayer
from transformers.models.auto import CONFIG_MAPPING

from data_contracts.network import ArchitectureName, NetworkConfig

Objective = Literal["causal"]
AUTO: dict[Objective, Any] = {"causal": AutoModelForCausalLM}


class Tokens(NamedTuple):
    """What a network must know of its tokens."""

    vocab_size: int
    separator_id: int
    pad_id: int
    block_tokens: int


def _decoder(cfg: NetworkConfig, tokens: Tokens) -> dict[str, Any]:
    # No pad_token_id: with one, torch would keep the padding's row at zero. Padding is no target, so nothing needs it.
    return {
        "vocab_size": tokens.vocab_size,
        "hidden_size": cfg.width,
        "intermediate_size": cfg.feed_forward,
        "num_hidden_layers": cfg.layers,
        "num_attention_heads": cfg.heads,
        "num_key_value_heads": cfg.kv_heads or cfg.heads,
        "head_dim": cfg.head_width,
        "max_position_embeddings": tokens.block_tokens,
        "attention_dropout": cfg.dropout,
        "tie_word_embeddings": cfg.tie_embeddings,
        "bos_token_id": tokens.separator_id,
        "eos_token_id": tokens.separator_id,
        "use_cache": False,
    }


class Architecture(NamedTuple):
    """A row: what the network is trained for, and its Hugging Face config."""

    objective: Objective
    config: Callable[[NetworkConfig, Tokens], PreTrainedConfig]


ARCHITECTURES: dict[ArchitectureName, Architecture] = {
    "llama": Architecture("causal", lambda cfg, tokens: LlamaConfig(**_decoder(cfg, tokens))),
    "qwen3": Architecture("causal", lambda cfg, tokens: Qwen3Config(**_decoder(cfg, tokens))),
}


def hugging_face_config(cfg: NetworkConfig, tokens: Tokens) -> PreTrainedConfig:
    """The Hugging Face config of a model config."""
    return ARCHITECTURES[cfg.architecture].config(cfg, tokens)


def config_from(plain: dict[str, Any]) -> PreTrainedConfig:
    """The config whose `to_dict` a checkpoint holds."""
    config: PreTrainedConfig = CONFIG_MAPPING[plain["model_type"]].from_dict(plain)
    return config


def built(config: PreTrainedConfig, objective: Objective) -> PreTrainedModel:
    """A network with random weights, in fp32."""
    network: PreTrainedModel = AUTO[objective].from_config(config, attn_implementation="sdpa")
    return network


def layers_of(network: nn.Module) -> list[nn.Module]:
    """The repeated layers, first to last: what is sharded, checkpointed or counted one by one."""
    return [module for module in network.modules() if isinstance(module, GradientCheckpointingLayer)]
