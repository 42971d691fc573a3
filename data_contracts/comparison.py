"""对比的配置 comparison: two configs that differ in their corpus alone, and how their models are compared.

    ComparisonConfig(a=load("a.yaml"), b=load("b.yaml"), seeds=2)

May differ: everything up to the corpus, the mixture, and what changes no result (name, workers, report). All else must
be the same, or the difference between the models would not be that of the corpora.
"""

from __future__ import annotations

import json
from typing import Any

from pydantic import Field, model_validator

from data_contracts.config import CorpusStages, EverythingConfig, Place
from data_contracts.model import Model
from data_contracts.training import PretrainConfig
from data_contracts.units import DurationField

NO_MATTER = frozenset({"name", "workers", "report", "convert", "vectors"})  # change nothing of a trained model
MAY_DIFFER = frozenset({*CorpusStages.model_fields, "mixture"}) | NO_MATTER


class ExamConfig(Model):
    """考卷: held-out texts on which models of two corpora are compared."""

    max_overlap_ratio: float = Field(
        0.5,
        gt=0,
        le=1,
        description="留出文本有一段占全文此比例且见于任何一方的训练文档, 则不用 (not used: a near copy was trained on)",
    )
    max_chars: int = Field(
        1_000_000, ge=1000, description="每组留出文本最多的字数, 按散列选取 (characters of each set of texts at most)"
    )


class CompareConfig(Model):
    """比较: whose models are compared, and by how many draws."""

    names: tuple[str, str] = Field(description="两份语料的名称 (names of the two corpora)")
    seeds: tuple[int, ...] = Field(min_length=1, description="每份语料训练所用的种子 (seeds of the runs a side)")
    resamples: int = Field(10_000, ge=100, description="自助法抽样次数 (draws of the bootstrap)")


class ComparisonConfig(Place):
    """对比流程 comparison: two corpora -> which one trains the better model, by how much and how sure."""

    a: EverythingConfig = Field(description="第一份语料的配置 (config of the first corpus)")
    b: EverythingConfig = Field(description="第二份语料的配置 (config of the second corpus)")
    seeds: int = Field(1, ge=1, le=20, description="每份语料训练几次, 种子依次加一 (training runs a side)")
    duration: DurationField | None = Field(
        None, description='双方各训练多久, 如 "2M tokens" 或 "20 minutes"; 空则用配置的 (the same for both)'
    )
    held_out: str = Field(
        "", description="判定所用的留出文本: 仓库中的数据集或通道; 空则用双方共同留出的文档 (texts that decide)"
    )
    exam: ExamConfig = Field(default_factory=ExamConfig, description="考卷")
    resamples: int = Field(10_000, ge=100, description="自助法抽样次数 (draws of the bootstrap)")

    @model_validator(mode="after")
    def _only_the_corpus_differs(self) -> ComparisonConfig:
        found = differing(self.a, self.b)
        wrong = [f"{key}: {a} | {b}" for key, a, b in found if key.partition(".")[0] not in MAY_DIFFER]
        if wrong:
            told = "\n  ".join(wrong)
            raise ValueError(
                "不止语料不同 the configs differ in more than the corpus; make these alike, or give both by --set:"
                f"\n  {told}"
            )
        if all(key.partition(".")[0] in NO_MATTER for key, _, _ in found):
            raise ValueError("两份配置的语料相同 the two configs describe the same corpus; there is nothing to compare")
        if (self.duration or self.a.pretrain.duration).unit == "epochs":
            raise ValueError(
                "两份语料的一遍不一样长 an epoch of one corpus is not one of the other; "
                'give --duration "2M tokens" or "20 minutes"'
            )
        return self

    @property
    def sides(self) -> tuple[EverythingConfig, EverythingConfig]:
        """Both configs in this place, under names of their own: a comparison moves no channel of its configs."""
        here = {"store": self.store, "workers": self.workers}
        a, b = (one.model_copy(update={**here, "name": f"{one.name[:61]}-{s}"}) for s, one in self.by_letter)
        return a, b

    @property
    def by_letter(self) -> tuple[tuple[str, EverythingConfig], ...]:
        """The configs as `a` and `b`."""
        return ("a", self.a), ("b", self.b)

    @property
    def runs(self) -> tuple[PretrainConfig, ...]:
        """How each side is trained: once for every seed, for the same duration, to its end."""
        base = self.a.pretrain
        alike = {"duration": self.duration or base.duration, "early_stopping": None}
        return tuple(base.model_copy(update={**alike, "seed": base.seed + i}) for i in range(self.seeds))

    @property
    def told(self) -> CompareConfig:
        """What the comparison itself must know."""
        names = [one.name for _, one in self.by_letter]
        if names[0] == names[1]:
            names = [f"{name}-{letter}" for name, letter in zip(names, "ab", strict=True)]
        return CompareConfig(
            names=(names[0], names[1]), seeds=tuple(run.seed for run in self.runs), resamples=self.resamples
        )


def differing(a: EverythingConfig, b: EverythingConfig) -> list[tuple[str, str, str]]:
    """Every setting that two configs do not share: its dotted key, and both values as JSON; empty for one it lacks."""
    one, other = (flat(config.model_dump(mode="json")) for config in (a, b))
    return [
        (key, one.get(key, ""), other.get(key, ""))
        for key in dict.fromkeys([*one, *other])
        if one.get(key) != other.get(key)
    ]


def flat(value: Any, at: str = "") -> dict[str, str]:
    """Nested settings by dotted key; items of a list that are settings themselves by their number."""
    inner: list[tuple[str, Any]] = []
    if isinstance(value, dict):
        inner = [(str(key), one) for key, one in value.items()]
    elif isinstance(value, list) and any(isinstance(one, dict) for one in value):
        inner = [(str(number), one) for number, one in enumerate(value)]
    if not inner:
        return {at: json.dumps(value, ensure_ascii=False)}
    return {k: v for key, one in inner for k, v in flat(one, f"{at}.{key}" if at else key).items()}
