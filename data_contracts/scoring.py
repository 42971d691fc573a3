"""评分的配置 configs of scoring: which signals, what they are learned from, and from which value on a text is refused.

A signal without examples is not measured: its column stays null. Without thresholds every signal is measured only.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from data_contracts.model import Model
from data_contracts.sources import DatasetSource, JsonLinesSource, ParquetSource, TextSource
from data_contracts.units import Bytes

Example = Annotated[JsonLinesSource | ParquetSource | TextSource | DatasetSource, Field(discriminator="kind")]
Examples = tuple[Example, ...]
ClassifierSignal = Literal["quality", "toxicity", "spam"]


class ClassifierConfig(Model):
    """分类器: hashed character n-grams and logistic regression, calibrated. See tasks/transforms/text_classifier.py."""

    ngram_chars: int = Field(3, ge=1, le=5, description="最长的字符片段, 字符")
    hash_bits: int = Field(20, ge=10, le=24, description="散列桶数为 2 的此次方; 模型文件 4 字节一桶")
    sample_bytes: Bytes = Field(20_000_000, description="正反两方各取样多少字节, 各来源尽量相等, 按编号散列选取")
    passes: int = Field(5, ge=1, le=100, description="学习时看几遍样本")
    penalty: float = Field(1e-5, gt=0, le=1, description="L2 惩罚系数")
    held_out_ratio: float = Field(0.2, gt=0, le=0.8, description="留出的文本比例: 一半校准, 一半评估, 按正文散列")


class NgramConfig(Model):
    """字符 n 元模型: Witten-Bell, interpolated. See tasks/transforms/witten_bell.py."""

    order: int = Field(4, ge=1, le=8, description="片段长度, 字符 (4: 四元模型)")
    min_count: int = Field(2, ge=1, description="三字及以上的片段至少出现此次数才入表; 2 使模型更小, 也更准")
    sample_bytes: Bytes = Field(20_000_000, description="取样多少字节, 各来源尽量相等; 训练约需 20 倍于此的内存")
    held_out_ratio: float = Field(0.05, gt=0, le=0.5, description="留出的文本比例, 用来给出可信文本的分位数")


class QualityConfig(Model):
    """质量分: how much a text is like wanted ones and unlike unwanted ones."""

    wanted: Examples = Field((), description="想要的文本 (sources of wanted text)")
    unwanted: Examples = Field((), description="不想要的文本 (sources of unwanted text)")
    training: ClassifierConfig = Field(default_factory=ClassifierConfig, description="分类器")
    min_quality: float = Field(0.0, ge=0, le=1, description="最低质量分; 0 不拒 (0: refuse nothing)")

    @model_validator(mode="after")
    def _both(self) -> QualityConfig:
        _both_or_none("wanted", self.wanted, "unwanted", self.unwanted)
        return self


class HarmConfig(Model):
    """毒性或垃圾: how much a text is like harmful ones and unlike harmless ones."""

    harmful: Examples = Field((), description="有害的文本 (sources of harmful text)")
    harmless: Examples = Field((), description="无害的文本 (sources of harmless text)")
    training: ClassifierConfig = Field(default_factory=ClassifierConfig, description="分类器")
    max_score: float = Field(1.0, ge=0, le=1, description="最高概率; 1 不拒 (1: refuse nothing)")

    @model_validator(mode="after")
    def _both(self) -> HarmConfig:
        _both_or_none("harmful", self.harmful, "harmless", self.harmless)
        return self


class FluencyConfig(Model):
    """每字比特数: how much a character n-gram model of trusted text is surprised."""

    trusted: Examples = Field((), description="可信的文本 (sources of trusted text)")
    training: NgramConfig = Field(default_factory=NgramConfig, description="n 元模型")
    max_bits_per_char: float | None = Field(None, gt=0, description="最高每字比特数; 空则不拒 (empty: refuse nothing)")


class LimitsConfig(Model):
    """What `score` refuses. Limits of signals that are not measured are left at None, so that they are in no key."""

    min_quality: float | None = None
    max_bits_per_char: float | None = None
    max_toxicity: float | None = None
    max_spam: float | None = None


class LessonConfig(Model):
    """What one classifier is to learn: the first `positives` of the datasets it gets are its positive side."""

    signal: ClassifierSignal
    positives: int = Field(ge=1)
    training: ClassifierConfig


class ScoringConfig(Model):
    """评分: quality, fluency, toxicity and spam of every document, as far as examples are given."""

    quality: QualityConfig = Field(default_factory=QualityConfig, description="质量分: 像想要的文本的概率")
    bits_per_char: FluencyConfig = Field(default_factory=FluencyConfig, description="每字比特数: 可信文本的字符模型")
    toxicity: HarmConfig = Field(default_factory=HarmConfig, description="毒性: 有毒的概率")
    spam: HarmConfig = Field(default_factory=HarmConfig, description="垃圾: 是垃圾信息的概率")

    @property
    def sides(self) -> dict[ClassifierSignal, tuple[Examples, Examples, ClassifierConfig]]:
        """Positive and negative examples of every classifier that is asked for."""
        quality, toxicity, spam = self.quality, self.toxicity, self.spam
        asked: dict[ClassifierSignal, tuple[Examples, Examples, ClassifierConfig]] = {
            "quality": (quality.wanted, quality.unwanted, quality.training),
            "toxicity": (toxicity.harmful, toxicity.harmless, toxicity.training),
            "spam": (spam.harmful, spam.harmless, spam.training),
        }
        return {signal: sides for signal, sides in asked.items() if sides[0]}

    @property
    def examples(self) -> Examples:
        """Every source that something is learned from."""
        sides = [*self.sides.values()]
        return (*(e for s in sides for e in (*s[0], *s[1])), *self.bits_per_char.trusted)

    @property
    def limits(self) -> LimitsConfig:
        """What is refused, of the signals that are measured."""
        return LimitsConfig(
            min_quality=self.quality.min_quality if self.quality.wanted else None,
            max_bits_per_char=self.bits_per_char.max_bits_per_char if self.bits_per_char.trusted else None,
            max_toxicity=self.toxicity.max_score if self.toxicity.harmful else None,
            max_spam=self.spam.max_score if self.spam.harmful else None,
        )


def _both_or_none(name: str, some: Examples, other_name: str, others: Examples) -> None:
    if bool(some) != bool(others):
        raise ValueError(f"a classifier learns from two sides: give both `{name}` and `{other_name}`, or neither")
