"""对比流程 comparison: two corpora in, which of them trains the better model out."""

from __future__ import annotations

from prefect import flow

from data_contracts.comparison import ComparisonConfig
from data_contracts.config import CorpusConfig, VocabularyConfig
from data_contracts.dataset import Dataset
from flows.corpus import corpus
from flows.reported import compared, reported
from flows.vocabulary import vocabulary
from tasks.assess import assess
from tasks.compare import compare
from tasks.examine import examine
from tasks.hold_out import hold_out
from tasks.pretrain import pretrain
from tasks.store import find_input, publish


@flow(name="comparison", flow_run_name="comparison {cfg.name}")
def comparison(cfg: ComparisonConfig) -> Dataset:
    """对比 comparison: the same model on two corpora, for the same tokens or minutes, asked about the same texts."""
    with reported("comparison", cfg) as place:
        texts = [(one, corpus(one.part(CorpusConfig))) for one in cfg.sides]  # 语料    sources -> two gated corpora
        blocks = [
            vocabulary(one.part(VocabularyConfig, corpus=text.name)) for one, text in texts
        ]  # 词表    each its own
        named = [find_input(name, "corpus", place) for name in [cfg.held_out] if name]  # texts that decide instead
        exam = hold_out(*blocks, named, cfg.exam, place)  # 留题    texts that neither trains on
        others = [find_input(name, "blocks", place) for name in cfg.a.pretrain.other_blocks]  # mixed in, on both sides
        models = [
            pretrain([one, *others], run, place) for one in blocks for run in cfg.runs
        ]  # 预训练  alike but the text
        scores = [assess(model, cfg.a.assess, place) for model in models]  # 评测    pairs, questions, speed
        answers = [examine(model, exam, place) for model in models]  # 考试    bits for each text
        made = compare(models, scores, answers, exam, cfg.told, place)  # 比较    who is better, how sure
        compared(made, cfg)  # 网页    STORE/comparisons/VERSION.html
        return publish(made, "comparison", place)
