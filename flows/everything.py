"""全流程 everything: from the first fetched byte to an evaluated model. The whole house on one page."""

from __future__ import annotations

from prefect import flow

from data_contracts.config import (
    AssessmentConfig,
    CorpusConfig,
    EverythingConfig,
    PretrainingConfig,
    VocabularyConfig,
)
from data_contracts.dataset import Dataset
from flows.assessment import assessment
from flows.corpus import corpus
from flows.pretraining import pretraining
from flows.reported import reported
from flows.vocabulary import vocabulary


@flow(name="everything", flow_run_name="everything {cfg.name}")
def everything(cfg: EverythingConfig) -> Dataset:
    """全流程 everything: each part takes the version that the part before it made."""
    with reported("everything", cfg):
        text = corpus(cfg.part(CorpusConfig))  # 语料    sources -> a gated corpus
        blocks = vocabulary(cfg.part(VocabularyConfig, corpus=text.name))  # 词表    corpus -> tokenizer, blocks
        model = pretraining(cfg.part(PretrainingConfig, blocks=blocks.name))  # 预训练  blocks -> model
        return assessment(cfg.part(AssessmentConfig, model=model.name))  # 评测    model -> scores
