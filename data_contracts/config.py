"""配置 config: one pydantic model per flow; one YAML file holds them all.

    CorpusConfig          sources -> a gated corpus
    VocabularyConfig      corpus -> tokenizer -> blocks
    PretrainingConfig     blocks -> checkpoint
    AssessmentConfig      checkpoint -> scores
    ConversionConfig      checkpoint -> other forms of the model, on request
    VectorsFlowConfig     corpus -> word vectors, on request
    EverythingConfig      all of the above; what a config file is

`EverythingConfig.part(CorpusConfig)` cuts out one flow's share. Loading, line numbers and `--set` are in
`data_contracts.config_file`.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

from pydantic import Field, model_validator

from data_contracts.assessment import AssessConfig
from data_contracts.boilerplate import BoilerplateConfig
from data_contracts.decontamination import Benchmark, DecontaminateConfig
from data_contracts.mixture import MixtureConfig
from data_contracts.model import Model
from data_contracts.scoring import ScoringConfig
from data_contracts.sources import CrawlSource, FileSource, Name, Source, WarcSource
from data_contracts.stages import (
    CleanConfig,
    DedupConfig,
    EncodeConfig,
    ExtractConfig,
    GateConfig,
    IngestConfig,
    RedactConfig,
    SegmentConfig,
    VocabConfig,
)
from data_contracts.training import ConvertConfig, PretrainConfig, ReportConfig
from data_contracts.vectors import VectorsConfig

ConfigT = TypeVar("ConfigT", bound=Model)
SourceT = TypeVar("SourceT", bound=Model)
Item = TypeVar("Item")


def default_store() -> str:
    """Where data goes unless the config says otherwise: ZILIU_STORE, else the user's data folder."""
    data_home = os.environ.get("XDG_DATA_HOME", str(Path("~/.local/share").expanduser()))
    return os.environ.get("ZILIU_STORE", str(Path(data_home) / "ziliu"))


def _unprofiled(source: SourceT) -> SourceT:
    """A source as crawl and ingest see it: how it is cleaned later changes nothing for them."""
    return source.model_copy(update={"profile": None})


class Place(Model):
    """在哪里运行 where a flow runs. Nothing here changes what is made, so nothing here is part of a key."""

    name: Name = Field("default", description="项目名称, 用于通道 corpus/NAME 等 (names the channels)")
    store: str = Field(default_factory=default_store, description="仓库目录 (store folder)")
    workers: int = Field(0, ge=0, le=1024, description="处理分片的进程数; 0 为全部核心, 1 为进程内")

    @property
    def place(self) -> Place:
        """Only where, for the stages."""
        return Place(name=self.name, store=self.store, workers=self.workers)


class CorpusStages(Model):
    """The sections of the corpus flow."""

    sources: tuple[Source, ...] = Field(min_length=1, description="来源列表 (sources)")
    benchmarks: tuple[Benchmark, ...] = Field((), description="测试集列表, 语料里不得有其题目 (benchmarks)")
    ingest: IngestConfig = Field(default_factory=IngestConfig, description="读入")
    extract: ExtractConfig = Field(default_factory=ExtractConfig, description="正文提取")
    boilerplate: BoilerplateConfig = Field(default_factory=BoilerplateConfig, description="套话: 网站各页重复的行")
    clean: CleanConfig = Field(default_factory=CleanConfig, description="清洗")
    score: ScoringConfig = Field(default_factory=ScoringConfig, description="评分")
    redact: RedactConfig = Field(default_factory=RedactConfig, description="脱敏")
    dedup: DedupConfig = Field(default_factory=DedupConfig, description="去重")
    decontaminate: DecontaminateConfig = Field(default_factory=DecontaminateConfig, description="去污染")
    segment: SegmentConfig = Field(default_factory=SegmentConfig, description="分词")
    gate: GateConfig = Field(default_factory=GateConfig, description="质量门")

    @model_validator(mode="after")
    def _names_differ(self) -> CorpusStages:
        for kind, given in (("source", self.sources), ("benchmark", self.benchmarks)):
            names = [one.name for one in given]
            twice = sorted({n for n in names if names.count(n) > 1})
            if twice:
                raise ValueError(f"{kind} names must differ: {', '.join(twice)}")
        return self

    @property
    def sites(self) -> tuple[CrawlSource, ...]:
        """Sources that are crawled."""
        return tuple(_unprofiled(s) for s in self.sources if isinstance(s, CrawlSource))

    @property
    def archives(self) -> tuple[WarcSource, ...]:
        """Sources that are WARC files."""
        return tuple(_unprofiled(s) for s in self.sources if isinstance(s, WarcSource))

    @property
    def files(self) -> tuple[FileSource, ...]:
        """Sources that hold text, not pages."""
        return tuple(_unprofiled(s) for s in self.sources if not isinstance(s, CrawlSource | WarcSource))

    def by_profile(self, texts: Sequence[Item]) -> list[tuple[CleanConfig, list[Item]]]:
        """How to clean what: one text per source in the order sites, archives, files; those cleaned alike together."""
        profiles = {s.name: s.profile for s in self.sources}
        found: list[tuple[CleanConfig, list[Item]]] = []
        for source, text in zip((*self.sites, *self.archives, *self.files), texts, strict=True):
            rules = self.clean.under(profiles[source.name])
            alike = next((some for known, some in found if known == rules), None)
            if alike is None:
                found.append((rules, [text]))
            else:
                alike.append(text)
        return found


class VocabularyStages(Model):
    """The sections of the vocabulary flow."""

    tokenizer: str = Field(
        "",
        description="已有的词表, 如 vocab/版本, 使几份定长块可以混合; 空则训练新的 (an existing one; empty: train one)",
    )
    vocab: VocabConfig = Field(default_factory=VocabConfig, description="词表")
    encode: EncodeConfig = Field(default_factory=EncodeConfig, description="编码装箱")
    mixture: MixtureConfig = Field(default_factory=MixtureConfig, description="配比")
    gate: GateConfig = Field(default_factory=GateConfig, description="质量门")


class PretrainingStages(Model):
    """The section of the pretraining flow."""

    pretrain: PretrainConfig = Field(default_factory=PretrainConfig, description="预训练")


class AssessmentStages(Model):
    """The section of the assessment flow."""

    assess: AssessConfig = Field(default_factory=AssessConfig, description="评测")


class ConversionStages(Model):
    """The section of the conversion flow."""

    convert: ConvertConfig = Field(default_factory=ConvertConfig, description="转换")


class VectorsStages(Model):
    """The section of the vectors flow."""

    vectors: VectorsConfig = Field(default_factory=VectorsConfig, description="词向量")


class CorpusConfig(Place, CorpusStages):
    """语料流程 corpus: sources in, a gated Chinese corpus out."""


class VocabularyConfig(Place, VocabularyStages):
    """词表流程 vocabulary: corpus -> tokenizer -> blocks."""

    corpus: str = Field("latest", description="语料版本, 或 latest (corpus version)")


class PretrainingConfig(Place, PretrainingStages):
    """预训练流程 pretraining: blocks -> checkpoint."""

    blocks: str = Field("latest", description="定长块版本, 或 latest (blocks version)")


class AssessmentConfig(Place, AssessmentStages):
    """评测流程 assessment: checkpoint -> scores."""

    model: str = Field("latest", description="模型版本, 或 latest (model version)")


class ConversionConfig(Place, ConversionStages):
    """转换流程 conversion: a model -> the same in other forms. Not part of the whole road: run when it is wanted."""

    model: str = Field("latest", description="模型版本, 或 latest (model version)")


class VectorsFlowConfig(Place, VectorsStages):
    """词向量流程 vectors: a corpus -> vectors of its words. Not part of the whole road: run when it is wanted."""

    corpus: str = Field("latest", description="语料版本, 或 latest (corpus version)")


class EverythingConfig(
    Place, CorpusStages, VocabularyStages, PretrainingStages, AssessmentStages, ConversionStages, VectorsStages
):
    """全流程 everything: from the first fetched byte to an evaluated model. What a config file is."""

    report: ReportConfig = Field(default_factory=ReportConfig, description="报告")

    def part(self, kind: type[ConfigT], **inputs: str) -> ConfigT:
        """The share of one flow, as that flow's own model, with the versions that it takes."""
        shared = {name: getattr(self, name) for name in kind.model_fields if name in type(self).model_fields}
        return kind(**shared, **inputs)
