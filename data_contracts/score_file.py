"""评分文件 score file: what `python -m lightning_modules score CONFIG.json` reads, and nothing else.

{"model": "RUN/export", "result": "OUT/result.json",
 "streams": [{"path": "shard0/test.bin", "documents": "shard0/documents.parquet", "split": "test"}],
 "max_tokens": 500000, "minimal_pairs": "pairs.jsonl", "max_pairs": 5000,
 "prompts": ["今天"], "sample_tokens": 80, "temperature": 0.8, "top_p": 0.95, "seed": 1}
"""

from __future__ import annotations

from typing import NamedTuple

import polars as pl
from pydantic import Field

from data_contracts.model import Model
from data_contracts.schemas import BLOCKS, check


class Stream(Model):
    """One token file to score, and where its documents lie in it."""

    path: str = Field(description="`<split>.bin` of one shard")
    documents: str | None = Field(None, description="BLOCKS table of the shard (Parquet); gives sources and characters")
    split: str = Field("test", description="which rows of the table belong to this file")
    chars: int | None = Field(None, description="characters of the file; needed without `documents`")


class ScoreConfig(Model):
    """Everything to be scored for one model."""

    model: str = Field(description="exported Hugging Face folder")
    result: str = Field(description="where the result JSON goes")
    streams: tuple[Stream, ...] = ()
    max_tokens: int = Field(500_000, ge=1, description="whole documents are taken in order until this many targets")
    blocks_per_batch: int = Field(8, ge=1, description="blocks of one forward pass")
    block_tokens: int | None = Field(None, ge=2, description="block length; empty: the model's trained context")
    minimal_pairs: str | None = Field(None, description="JSONL (.gz): sentence_good, sentence_bad, phenomenon")
    max_pairs: int = Field(5000, ge=0, description="pairs at most, chosen by hash; 0 scores none")
    prompts: tuple[str, ...] = ()
    sample_tokens: int = Field(80, ge=1)
    temperature: float = Field(0.8, gt=0)
    top_p: float = Field(0.95, gt=0, le=1)
    seed: int = Field(1, ge=0)


class Documents(NamedTuple):
    """Where the documents of one stream lie: parallel lists, by position in the stream."""

    ids: list[str]
    sources: list[str]
    starts: list[int]
    tokens: list[int]
    chars: list[int]

    @classmethod
    def read(cls, path: str, split: str) -> Documents:
        """The rows of a BLOCKS table that belong to a split, in stream order."""
        table = pl.read_parquet(path).filter(pl.col("split") == split).sort("start")
        check(dict(table.schema), BLOCKS, path)
        return cls(*(table[name].to_list() for name in ("doc_id", "source", "start", "tokens", "chars")))
