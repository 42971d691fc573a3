"""词向量流程 vectors: a corpus in, vectors of its words out. Run when it is wanted."""

from __future__ import annotations

from prefect import flow

from data_contracts.config import VectorsFlowConfig
from data_contracts.dataset import Dataset
from flows.reported import reported
from tasks.store import find_input, publish
from tasks.vectors import vectors as learned


@flow(name="vectors", flow_run_name="vectors {cfg.name}")
def vectors(cfg: VectorsFlowConfig) -> Dataset:
    """词向量 vectors: skip-gram with negative sampling over the words of a corpus."""
    with reported("vectors", cfg) as place:
        documents = find_input(cfg.corpus, "corpus", place)  # a version, or the latest
        made = learned(documents, cfg.vectors, place)  # 词向量  SEGMENTED -> vectors
        return publish(made, "vectors", place)
