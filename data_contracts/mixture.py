"""配比 mixture: which training documents a model sees, and how often. Only what changes the blocks stands here."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import BeforeValidator, Field, field_validator

from data_contracts.model import Model
from data_contracts.sources import Name

DECILES = 10
_COUNT = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([KMBT]?)\s*(?:tokens?)?\s*")
_SCALE = {"": 1, "K": 10**3, "M": 10**6, "B": 10**9, "T": 10**12}


def _count(value: object) -> object:
    if isinstance(value, str):
        found = _COUNT.fullmatch(value)
        if not found:
            raise ValueError(f'not a number of tokens: {value!r}; write "500M tokens" or "2B"')
        return int(float(found[1]) * _SCALE[found[2]])
    return value


TokenCount = Annotated[int, BeforeValidator(_count), Field(ge=1)]
Weight = Annotated[float, Field(ge=0)]
Epochs = Annotated[float, Field(gt=0, le=1000)]


class MixtureConfig(Model):
    """配比: shares of sources and of quality deciles among the training tokens. As it stands, every document once."""

    weights: dict[Name, Weight] = Field(
        default_factory=dict,
        description="各来源占训练词元的相对权重, 须写出全部来源, 0 为不用; 空则按本来大小 (all sources or none)",
    )
    tokens: TokenCount | None = Field(
        None,
        description='训练词元总数, 如 "2B tokens"; 空则与语料的训练词元数相同 (budget; empty: as many as there are)',
    )
    source_tokens: dict[Name, TokenCount] = Field(
        default_factory=dict, description="单个来源的词元上限 (most tokens of a source)"
    )
    decile_weights: tuple[Weight, ...] = Field(
        (), description="质量十分位的相对权重, 由低到高共十个; 没有质量分的文档权重为 1 (lowest quality first)"
    )
    max_epochs: Epochs = Field(
        4.0,
        description="一篇文档最多重复的遍数; 四遍以内几乎与新文本等效 (Muennighoff et al. 2023, arXiv:2305.16264)",
    )
    source_max_epochs: dict[Name, Epochs] = Field(
        default_factory=dict, description="单个来源的遍数上限, 代替 max_epochs (cap of one source)"
    )

    @field_validator("decile_weights")
    @classmethod
    def _ten(cls, weights: tuple[float, ...]) -> tuple[float, ...]:
        if weights and len(weights) != DECILES:
            raise ValueError(
                f"ten weights are needed, one for each decile, lowest quality first; here are {len(weights)}"
            )
        if weights and not any(weights):
            raise ValueError("every decile has weight 0, so nothing would be left")
        return weights

    @field_validator("weights")
    @classmethod
    def _something(cls, weights: dict[str, float]) -> dict[str, float]:
        if weights and not any(weights.values()):
            raise ValueError("every source has weight 0, so nothing would be left")
        return weights

    @property
    def is_neutral(self) -> bool:
        """Whether every document is there once, whatever the corpus."""
        return not (self.weights or self.tokens or self.source_tokens or self.decile_weights)
