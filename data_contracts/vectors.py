"""词向量的配置 vectors: how word vectors are learned. Everything here is part of their key."""

from __future__ import annotations

from pydantic import Field

from data_contracts.model import Model
from data_contracts.units import Bytes


class VectorsConfig(Model):
    """词向量: skip-gram with negative sampling over the words of the segment stage (Mikolov et al. 2013)."""

    dimensions: int = Field(100, ge=2, le=2000, description="每个词的维数 (numbers a word)")
    window_words: int = Field(5, ge=1, le=100, description="窗口: 左右各看几个词 (words to each side)")
    min_count: int = Field(5, ge=1, description="至少出现此次数的词才有向量 (rarer words get none)")
    negatives: int = Field(5, ge=1, le=100, description="每个正例配几个负例 (negative samples)")
    subsample: float = Field(
        1e-3, ge=0, lt=1, description="高频词的降采样阈值; 0 不降 (frequent words seen less often)"
    )
    epochs: int = Field(5, ge=1, le=1000, description="看几遍语料 (passes over the text)")
    learning_rate: float = Field(0.025, gt=0, le=1, description="起始学习率, 线性降到几乎为零 (falls to almost 0)")
    sample_bytes: Bytes = Field(
        50_000_000, description="语料取样字节数上限, 按文档散列选取; 单线程每百万字节每遍约 1 秒 (text at most)"
    )
    seed: int = Field(1, ge=0, description="随机种子")
    threads: int = Field(
        1, ge=1, le=256, description="线程数; 1 则同样的文本得同样的向量, 更多则快而不可复现 (more: not reproducible)"
    )
