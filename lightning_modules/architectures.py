"""结构 architectures: one table from the name in a config to the Hugging Face network that it stands for.

What a row does not say is asked of the network itself, so that it also holds for a network that came from elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

from torch import nn
from torch.utils.checkpoint import checkpoint
from transformers import (
    AutoModelForCausalLM,
    AutoModelForMaskedLM,
    BertConfig,
    LlamaConfig,
    ModernBertConfig,
    PreTrainedConfig,
    PreTrainedModel,
    Qwen3Config,
)
from transformers.modeling_layers import GradientCheckpointingLayer
from transformers.models.auto import CONFIG_MAPPING
from transformers.pytorch_utils import Conv1D

from data_contracts.network import GLOBAL_EVERY, WINDOW, ArchitectureName, NetworkConfig, Objective

AUTO: dict[Objective, Any] = {"causal": AutoModelForCausalLM, "masked": AutoModelForMaskedLM}


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


def _encoder(cfg: NetworkConfig, tokens: Tokens) -> dict[str, Any]:
    separators = dict.fromkeys(("bos_token_id", "eos_token_id", "cls_token_id", "sep_token_id"), tokens.separator_id)
    return separators | {
        "vocab_size": tokens.vocab_size,
        "hidden_size": cfg.width,
        "intermediate_size": cfg.feed_forward,
        "num_hidden_layers": cfg.layers,
        "num_attention_heads": cfg.heads,
        "max_position_embeddings": tokens.block_tokens,
        "tie_word_embeddings": cfg.tie_embeddings,
        "pad_token_id": tokens.pad_id,
    }


def _bert(cfg: NetworkConfig, tokens: Tokens) -> PreTrainedConfig:
    dropout = {"hidden_dropout_prob": cfg.dropout, "attention_probs_dropout_prob": cfg.dropout}
    return BertConfig(**_encoder(cfg, tokens), **dropout, use_cache=False)


def _modernbert(cfg: NetworkConfig, tokens: Tokens) -> PreTrainedConfig:
    dropout = dict.fromkeys(("attention_dropout", "embedding_dropout", "mlp_dropout"), cfg.dropout)
    attention = {"global_attn_every_n_layers": GLOBAL_EVERY, "local_attention": WINDOW}
    return ModernBertConfig(**_encoder(cfg, tokens), **dropout, **attention)


ARCHITECTURES: dict[ArchitectureName, Callable[[NetworkConfig, Tokens], PreTrainedConfig]] = {
    "llama": lambda cfg, tokens: LlamaConfig(**_decoder(cfg, tokens)),
    "qwen3": lambda cfg, tokens: Qwen3Config(**_decoder(cfg, tokens)),
    "bert": _bert,
    "modernbert": _modernbert,
}


def hugging_face_config(cfg: NetworkConfig, tokens: Tokens) -> PreTrainedConfig:
    """The Hugging Face config of a model config."""
    return ARCHITECTURES[cfg.architecture](cfg, tokens)


def config_from(plain: dict[str, Any]) -> PreTrainedConfig:
    """The config whose `to_dict` a checkpoint holds."""
    config: PreTrainedConfig = CONFIG_MAPPING[plain["model_type"]].from_dict(plain)
    return config


def built(config: PreTrainedConfig, objective: Objective) -> PreTrainedModel:
    """A network with random weights, in fp32."""
    network: PreTrainedModel = AUTO[objective].from_config(config, attn_implementation="sdpa")
    return network


class Cost(NamedTuple):
    """What a network costs, counted on the network itself, so that it holds for one that came from elsewhere too."""

    parameters: int
    flops_per_token: float  # forward and backward, of a token of a block


def cost_of(network: PreTrainedModel, objective: Objective, block_tokens: int, asked: float = 1.0) -> Cost:
    """Count a dense network: 6 FLOPs a weight of a matrix product, and attention, halved where it is causal.

    The last layer is counted for the share of positions that are `asked` about, for a masked model scores no others.
    A layer that says it sees a window is counted with that window. data_contracts/network.py has the same as formulas.
    """
    config = network.config.get_text_config()
    products = [m.weight.numel() for m in network.modules() if isinstance(m, nn.Linear | Conv1D)]
    head_width = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    kinds = getattr(config, "layer_types", None) or ["full_attention"] * config.num_hidden_layers
    window = getattr(config, "sliding_window", None) or block_tokens
    seen = {"sliding_attention": min(block_tokens, 2 * window + 1 if objective == "masked" else window)}
    attended = sum(seen.get(kind, block_tokens) for kind in kinds) / (2 if objective == "causal" else 1)
    left_out = (1.0 - asked) * network.get_output_embeddings().weight.numel()
    flops = 6.0 * (sum(products) - left_out) + 12.0 * config.num_attention_heads * head_width * attended
    return Cost(sum(p.numel() for p in network.parameters()), flops)


def recompute_layers(network: nn.Module) -> None:
    """Activation checkpointing (Chen et al. 2016): keep the input of each layer only, and run it again going backward.

    The random state of a layer is kept with its input, so dropout draws the same numbers both times.
    """
    for layer in layers_of(network):
        layer.gradient_checkpointing = True
        layer._gradient_checkpointing_func = partial(checkpoint, use_reentrant=False)


def layers_of(network: nn.Module) -> list[nn.Module]:
    """The repeated layers, first to last: what is sharded, checkpointed or counted one by one."""
    return [module for module in network.modules() if isinstance(module, GradientCheckpointingLayer)]
