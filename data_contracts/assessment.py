"""评测的配置 assessment: what a model is asked, and how much of it. Everything here is part of the scores' key."""

from __future__ import annotations

from pydantic import Field

from data_contracts.model import Model


class AssessConfig(Model):
    """评测: bits per character beside baselines, minimal pairs, samples."""

    minimal_pairs: str = Field(
        "embedded", description="embedded 或 .jsonl(.gz) 路径: sentence_good, sentence_bad, phenomenon"
    )
    max_pairs: int = Field(5000, ge=0, description="最多评测的句对数, 按散列选取; 0 不评测")
    max_tokens: int = Field(500_000, ge=1000, description="计算每字比特数的词元上限")
    prompts: tuple[str, ...] = Field(("今天", "第一条", "春"), description="生成样例的开头")
    sample_tokens: int = Field(80, ge=1, le=4096, description="每个样例生成的词元数")
    temperature: float = Field(0.8, gt=0, le=10, description="采样温度")
    top_p: float = Field(0.95, gt=0, le=1, description="核采样概率")
    seed: int = Field(1, ge=0, description="随机种子")
