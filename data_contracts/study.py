"""词表研究的配置 the config of a vocabulary study: sizes to compare, and the model that they are compared for."""

from __future__ import annotations

from pydantic import Field, field_validator

from data_contracts.model import Model
from data_contracts.network import NetworkConfig, body_parameters
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


def study_of(sizes: tuple[int, ...], model: NetworkConfig) -> StudyConfig:
    """A study for the model of a config."""
    embeddings = 1 if model.tie_embeddings else 2
    return StudyConfig(sizes=sizes, width=model.width, body_parameters=body_parameters(model), embeddings=embeddings)
