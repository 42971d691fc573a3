"""词表流程 vocabulary: a corpus in, a tokenizer and packed blocks out."""

from __future__ import annotations

from prefect import flow

from data_contracts.config import VocabularyConfig
from data_contracts.dataset import Dataset
from flows.reported import reported
from tasks.encode import encode
from tasks.gate import asked, gate
from tasks.store import find_input, publish
from tasks.vocab import vocab


@flow(name="vocabulary", flow_run_name="vocabulary {cfg.name}")
def vocabulary(cfg: VocabularyConfig) -> Dataset:
    """词表 vocabulary: train a tokenizer, encode and pack the corpus, gate the blocks."""
    with reported("vocabulary", cfg) as place:
        documents = find_input(cfg.corpus, "corpus", place)  # a version, or the latest
        tokenizer = (
            find_input(cfg.tokenizer, "tokenizer", place)  # an existing one: blocks of one tokenizer can be mixed
            if cfg.tokenizer
            else vocab(documents, cfg.vocab, cfg.encode.splits, place)  # 词表    BPE on training documents only
        )
        blocks = encode(documents, tokenizer, cfg.encode, cfg.mixture, place)  # 装箱    SEGMENTED -> BLOCKS
        gate(blocks, asked(cfg.gate, "blocks"), place)  # 质量门  raises GateFailed; nothing later runs
        return publish(blocks, "blocks", place)
