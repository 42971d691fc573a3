"""网络 network: which architecture, how large, and what that costs. Needs no torch.

A size counts the parameters besides embeddings, for the vocabulary is chosen elsewhere. With width d, layers L,
feed-forward f, key-value share k = kv_heads / heads, head width h, vocabulary V, block length T:

    llama    body  L (2 d² + 2 k d² + 3 d f + 2 d) + d                          embeddings  V d, twice when not tied
    qwen3    body  that of llama + 2 h L (the norms of queries and keys)

FLOPs of a token, forward and backward: 6 for every weight in a matrix product (2 forward, 4 backward; the input
embedding is a look-up, the output head a product whether tied or not), and 12 L d T for attention scores and mixing,
halved where attention is causal. The tests hold every formula to the network that Hugging Face builds.
"""

from __future__ import annotations

import math
from typing import Any, Literal

from pydantic import Field, model_validator

from data_contracts.model import Model

ArchitectureName = Literal["llama", "qwen3"]
Size = Literal["2M", "15M", "60M", "125M", "350M", "1B"]
# Layers and width. Deeper than GPT-3's models of the same size (Brown et al. 2020, table 2.1), for below a billion
# parameters depth is worth more than width (Liu et al. 2024, MobileLLM, section 2.2.2); widths are whole heads of 64.
SHAPES: dict[Size | None, tuple[int, int]] = {
    None: (6, 384),
    "2M": (5, 192),
    "15M": (8, 384),
    "60M": (12, 640),
    "125M": (18, 768),
    "350M": (28, 1024),
    "1B": (20, 2048),
}
HEAD_WIDTH = 64


def _heads(data: dict[str, Any]) -> int:
    """Heads of 64; a width that is no multiple of it must say its heads, or divide by those of the size."""
    usual = SHAPES[data.get("size")][1]
    width = data.get("width", usual)
    return int(usual if width % HEAD_WIDTH else width) // HEAD_WIDTH


class NetworkConfig(Model):
    """模型: an architecture from random weights, as large as `size` or single values say."""

    architecture: ArchitectureName = Field("llama", description="结构: llama, qwen3 (因果 causal)")
    size: Size | None = Field(
        None, description="大小: 词向量以外的参数, 定层数和宽度; 空为 10.6M (parameters besides embeddings)"
    )
    layers: int = Field(
        default_factory=lambda data: SHAPES[data.get("size")][0], ge=1, le=200, description="层数; 空则由 size 定"
    )
    width: int = Field(
        default_factory=lambda data: SHAPES[data.get("size")][1], ge=8, description="隐层宽度; 空则由 size 定"
    )
    heads: int = Field(default_factory=_heads, ge=1, description="注意力头数; 空则每头宽 64")
    kv_heads: int | None = Field(None, ge=1, description="键值头数; 空则等于注意力头数")
    ffn_width: int | None = Field(None, ge=8, description="前馈宽度; 空则为 8/3 宽度, 取 64 的倍数")
    dropout: float = Field(0.0, ge=0, lt=1, description="注意力丢弃率")
    tie_embeddings: bool = Field(True, description="输入输出共用词向量")

    @model_validator(mode="after")
    def _heads_divide(self) -> NetworkConfig:
        if self.width % self.heads:
            raise ValueError(f"width {self.width} is not a multiple of heads {self.heads}")
        if self.heads % (self.kv_heads or self.heads):
            raise ValueError(f"heads {self.heads} is not a multiple of kv_heads {self.kv_heads}")
        if self.head_width % 2:
            raise ValueError(f"head width {self.head_width} is odd; rotary positions need an even one")
        return self

    @property
    def head_width(self) -> int:
        """Width of one attention head."""
        return self.width // self.heads

    @property
    def feed_forward(self) -> int:
        """Width of the feed-forward layers: 8/3 of the width, rounded up to 64, unless it is set."""
        return self.ffn_width or math.ceil(self.width * 8 / 3 / 64) * 64


def body_parameters(cfg: NetworkConfig) -> int:
    """Parameters besides embeddings and the output head."""
    d, vectors = cfg.width, 2 * cfg.width + (2 * cfg.head_width if cfg.architecture == "qwen3" else 0)
    return cfg.layers * (_matrix_of_layer(cfg) + vectors) + d


def parameters(cfg: NetworkConfig, vocab_size: int) -> int:
    """All parameters of the network."""
    return body_parameters(cfg) + vocab_size * cfg.width * (1 if cfg.tie_embeddings else 2)


def flops_per_token(cfg: NetworkConfig, vocab_size: int, block_tokens: int) -> float:
    """Floating point operations of forward and backward pass for one token of a block."""
    weights = cfg.layers * _matrix_of_layer(cfg) + cfg.width * vocab_size
    return 6.0 * weights + 6.0 * cfg.layers * cfg.width * block_tokens


def _matrix_of_layer(cfg: NetworkConfig) -> int:
    """Weights of one layer that stand in matrix products."""
    d, key_value = cfg.width, cfg.head_width * (cfg.kv_heads or cfg.heads)
    return 2 * d * d + 2 * d * key_value + 3 * d * cfg.feed_forward
