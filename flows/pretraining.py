"""预训练流程 pretraining: blocks in, a trained model in Hugging Face form out."""

from __future__ import annotations

from prefect import flow

from data_contracts.config import PretrainingConfig
from data_contracts.dataset import Dataset
from flows.reported import reported
from tasks.pretrain import pretrain
from tasks.store import find_input, publish


@flow(name="pretraining", flow_run_name="pretraining {cfg.name}")
def pretraining(cfg: PretrainingConfig) -> Dataset:
    """预训练 pretraining: train from random weights; a killed run goes on from its checkpoint."""
    with reported("pretraining", cfg) as place:
        blocks = find_input(cfg.blocks, "blocks", place)  # a version, or the latest
        others = [find_input(name, "blocks", place) for name in cfg.pretrain.other_blocks]  # mixed in, validated on
        model = pretrain([blocks, *others], cfg.pretrain, place)  # 预训练  BLOCKS -> model
        return publish(model, "model", place)
