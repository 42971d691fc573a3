"""网络 network: which architecture, how large, and what that costs. Needs no torch.

A size counts the parameters besides embeddings, for the vocabulary is chosen elsewhere. With width d, layers L,
feed-forward f, key-value share k = kv_heads / heads, head width h, vocabulary V, block length T:

    llama    body  L (2 d² + 2 k d² + 3 d f + 2 d) + d                          embeddings  V d, twice when not tied
    qwen3    body  that of llama + 2 h L (the norms of queries and keys)
    bert     body  L (4 d² + 2 d f + 9 d + f) + 2 d + d² + 3 d                  embeddings  and (T + 2) d, and V biases
    modernbert     L (4 d² + 3 d f + 2 d) + d + d² + d                          embeddings  and V biases

FLOPs of a token, forward and backward: 6 for every weight in a matrix product (2 forward, 4 backward; the input
embedding is a look-up, the output head a product whether tied or not), and 12 L d T for attention scores and mixing,
halved where attention is causal, with a window in place of T where a layer of modernbert sees no more. The tests hold
every formula to the network that Hugging Face builds.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, model_validator

from data_contracts.errors import ConfigError
from data_contracts.model import Model

ArchitectureName = Literal["llama", "qwen3", "bert", "modernbert"]
Objective = Literal["causal", "masked"]  # a token from those before it, or hidden words from all around them
MASKED: frozenset[ArchitectureName] = frozenset({"bert", "modernbert"})
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
GLOBAL_EVERY, WINDOW = 3, 128  # layers of modernbert: every third sees all, the others WINDOW around (its own config)


def _heads(data: dict[str, Any]) -> int:
    """Heads of 64; a width that is no multiple of it must say its heads, or divide by those of the size."""
    usual = SHAPES[data.get("size")][1]
    width = data.get("width", usual)
    return int(usual if width % HEAD_WIDTH else width) // HEAD_WIDTH


class NetworkConfig(Model):
    """模型: an architecture from random weights, as large as `size` or single values say."""

    architecture: ArchitectureName = Field(
        "llama", description="结构: llama, qwen3 因果 (causal); bert, modernbert 掩码 (masked)"
    )
    size: Size | None = Field(
        None, description="大小: 词向量以外的参数, 定层数和宽度; 空为 10.6M (parameters besides embeddings)"
    )
    folder: str | None = Field(
        None,
        description="从此 Hugging Face 文件夹的权重继续训练, 结构与大小由它定 (continue from its weights; safetensors)",
    )
    extend_vocabulary: bool = Field(
        False, description="词表比模型大时添行, 初值为各行均值 (rows for new tokens, as the mean of all)"
    )
    layers: int = Field(
        default_factory=lambda data: SHAPES[data.get("size")][0], ge=1, le=200, description="层数; 空则由 size 定"
    )
    width: int = Field(
        default_factory=lambda data: SHAPES[data.get("size")][1], ge=8, description="隐层宽度; 空则由 size 定"
    )
    heads: int = Field(default_factory=_heads, ge=1, description="注意力头数; 空则每头宽 64")
    kv_heads: int | None = Field(None, ge=1, description="键值头数; 空则等于注意力头数; 只用于 llama, qwen3")
    ffn_width: int | None = Field(None, ge=8, description="前馈宽度; 空则为 8/3 宽度, 取 64 的倍数; bert 4 倍")
    dropout: float = Field(0.0, ge=0, lt=1, description="丢弃率: 注意力; bert, modernbert 也用于各层的输出")
    tie_embeddings: bool = Field(True, description="输入输出共用词向量")

    @model_validator(mode="after")
    def _the_folder_decides(self) -> NetworkConfig:
        if self.folder:
            usual = NetworkConfig()
            names = ("architecture", "size", "layers", "width", "heads", "kv_heads", "ffn_width", "dropout")
            changed = [name for name in names if getattr(self, name) != getattr(usual, name)]
            if changed:
                raise ValueError(f"the model in folder decides its shape; leave out {', '.join(changed)}")
        return self

    @model_validator(mode="after")
    def _heads_divide(self) -> NetworkConfig:
        if self.width % self.heads:
            raise ValueError(f"width {self.width} is not a multiple of heads {self.heads}")
        if self.heads % (self.kv_heads or self.heads):
            raise ValueError(f"heads {self.heads} is not a multiple of kv_heads {self.kv_heads}")
        if self.architecture in MASKED and self.kv_heads not in (None, self.heads):
            raise ValueError(f"{self.architecture} has as many kv_heads as heads; leave kv_heads out")
        if self.architecture == "bert" and not self.tie_embeddings:
            raise ValueError("bert shares its embeddings with the output head; leave tie_embeddings out")
        if self.head_width % 2 and self.architecture != "bert":
            raise ValueError(f"head width {self.head_width} is odd; rotary positions need an even one")
        return self

    @property
    def objective(self) -> Objective:
        """What such a network is trained for; ConfigError for a folder that says nothing that we know."""
        if self.folder:
            return objective_of(Path(self.folder))
        return "masked" if self.architecture in MASKED else "causal"

    @property
    def head_width(self) -> int:
        """Width of one attention head."""
        return self.width // self.heads

    @property
    def feed_forward(self) -> int:
        """Width of the feed-forward layers: 8/3 of the width, rounded up to 64, and 4 times it in bert."""
        usual = 4 * self.width if self.architecture == "bert" else math.ceil(self.width * 8 / 3 / 64) * 64
        return self.ffn_width or usual


def objective_of(folder: Path) -> Objective:
    """What the model of a Hugging Face folder was trained for, by the `architectures` of its config.json."""
    try:
        named = json.loads((folder / "config.json").read_text(encoding="utf-8")).get("architectures") or []
    except (OSError, ValueError, AttributeError) as error:
        raise ConfigError(f"pretrain.model.folder {folder}: config.json cannot be read: {error}") from None
    for name in named:
        if name.endswith(("ForCausalLM", "LMHeadModel")):
            return "causal"
        if name.endswith(("ForMaskedLM", "ForPreTraining")):
            return "masked"
    raise ConfigError(
        f"pretrain.model.folder {folder}: config.json names the architectures {named}, none of which is a causal "
        "(...ForCausalLM) or masked (...ForMaskedLM) language model"
    )


class MaskingConfig(Model):
    """整词掩码: which words a masked model must guess. Shares: BERT (Devlin et al. 2019); words: Cui et al. 2019."""

    ratio: float = Field(0.15, gt=0, lt=1, description="被选中的词的比例 (words chosen)")
    hidden_ratio: float = Field(0.8, ge=0, le=1, description="选中的词元中换成掩码符的比例 (become the mask)")
    random_ratio: float = Field(0.1, ge=0, le=1, description="选中的词元中换成随机词元的比例, 其余不变 (become random)")

    @model_validator(mode="after")
    def _at_most_all(self) -> MaskingConfig:
        if self.hidden_ratio + self.random_ratio > 1:
            raise ValueError(f"hidden_ratio {self.hidden_ratio} and random_ratio {self.random_ratio} are more than 1")
        return self


def body_parameters(cfg: NetworkConfig) -> int:
    """Parameters besides embeddings and what the output head has for each token."""
    d, f = cfg.width, cfg.feed_forward
    vectors, rest = {
        "llama": (2 * d, d),
        "qwen3": (2 * d + 2 * cfg.head_width, d),
        "bert": (9 * d + f, 2 * d + d * d + 3 * d),
        "modernbert": (2 * d, d + d * d + d),
    }[cfg.architecture]
    return cfg.layers * (_matrix_of_layer(cfg) + vectors) + rest


def parameters(cfg: NetworkConfig, vocab_size: int, block_tokens: int) -> int:
    """All parameters of the network."""
    embeddings = vocab_size * cfg.width * (1 if cfg.tie_embeddings else 2)
    biases = vocab_size if cfg.objective == "masked" else 0
    positions = (block_tokens + 2) * cfg.width if cfg.architecture == "bert" else 0
    return body_parameters(cfg) + embeddings + biases + positions


def flops_per_token(cfg: NetworkConfig, vocab_size: int, block_tokens: int, asked: float = 1.0) -> float:
    """Floating point operations of forward and backward pass for one token of a block.

    `asked` is the share of the positions that the last layer scores: of a masked model in training, those it hides.
    """
    head = cfg.width * cfg.width if cfg.objective == "masked" else 0
    weights = cfg.layers * _matrix_of_layer(cfg) + head + asked * cfg.width * vocab_size
    return 6.0 * weights + 12.0 * cfg.width * _attended(cfg, block_tokens)


def _attended(cfg: NetworkConfig, block_tokens: int) -> float:
    """Tokens that a token looks at, summed over the layers."""
    if cfg.objective == "causal":
        return cfg.layers * block_tokens / 2
    if cfg.architecture == "modernbert":
        everything = -(-cfg.layers // GLOBAL_EVERY)
        return everything * block_tokens + (cfg.layers - everything) * min(block_tokens, WINDOW + 1)
    return cfg.layers * block_tokens


def _matrix_of_layer(cfg: NetworkConfig) -> int:
    """Weights of one layer that stand in matrix products."""
    d, key_value = cfg.width, cfg.head_width * (cfg.kv_heads or cfg.heads)
    return 2 * d * d + 2 * d * key_value + (2 if cfg.architecture == "bert" else 3) * d * cfg.feed_forward
