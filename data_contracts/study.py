"""词表研究的配置 the config of a vocabulary study: sizes to compare, and the model that they are compared for."""

from __future__ import annotations

import math

from pydantic import Field, field_validator

from data_contracts.model import Model
from data_contracts.training import CausalModelConfig
from data_contracts.units import Bytes


class StudyConfig(Model):
    """词表研究: which vocabulary sizes to measure, on how much held-out text, for a model of which shape."""

    sizes: tuple[int, ...] = Field((8_000, 16_000, 32_000), min_length=1, description="要比较的词表大小 (sizes)")
    held_out_bytes: Bytes = Field(4_000_000, description="测量用的留出文本字节数上限 (held-out text)")
    width: int = Field(384, ge=8, description="模型宽度, 决定词向量参数 (width of the model)")
    body_parameters: int = Field(0, ge=0, description="词向量以外的参数 (parameters besides embeddings)")
    embeddings: int = Field(1, ge=1, le=2, description="1: 输入输出共用词向量, 2: 各有一份 (tied or not)")

    @field_validator("sizes")
    @classmethod
    def _sizes(cls, sizes: tuple[int, ...]) -> tuple[int, ...]:
        if min(sizes) < 300 or max(sizes) > 1_000_000:
            raise ValueError("a vocabulary has between 300 and 1,000,000 tokens")
        return tuple(sorted(set(sizes)))


def study_of(sizes: tuple[int, ...], model: CausalModelConfig) -> StudyConfig:
    """A study for the model of a config.

    Parameters besides embeddings: layers x (2 d^2 + 2 k d^2 + 3 d f + 2 d) + d for width d, feed-forward f and
    key-value share k, as in lightning_modules/README.md.
    """
    d, share = model.width, (model.kv_heads or model.heads) / model.heads
    f = model.ffn_width or math.ceil(d * 8 / 3 / 64) * 64
    body = model.layers * (2 * d * d + 2 * share * d * d + 3 * d * f + 2 * d) + d
    return StudyConfig(sizes=sizes, width=d, body_parameters=int(body), embeddings=1 if model.tie_embeddings else 2)
