"""评分文件 score file: what `python -m lightning_modules score CONFIG.json` reads, and nothing else.

{"model": "RUN/export", "result": "OUT/result.json",
 "streams": [{"path": "shard0/test.bin", "documents": "shard0/documents.parquet", "split": "test"}],
 "max_tokens": 500000,
 "pairs": [{"name": "zhoblimp", "path": "pairs.parquet"}], "questions": [{"name": "c3", "path": "c3.parquet"}],
 "prompts": ["今天"], "sample_tokens": 80, "temperature": 0.8, "top_p": 0.95, "seed": 1}

Tables of pairs and questions have the columns of PAIR and QUESTION, whatever their files once looked like.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import polars as pl
from pydantic import Field

from data_contracts.errors import DatasetMissing
from data_contracts.model import Model
from data_contracts.schemas import BLOCKS, Schema, check

PAIR = Schema("PAIR", 1, {name: pl.String() for name in ("item", "phenomenon", "good", "bad")})
# A choice stands between `before` and `after`; `answer` is the number of the right one, from 0.
QUESTION = Schema(
    "QUESTION",
    1,
    {name: pl.String() for name in ("item", "group", "before", "after")}
    | {"choices": pl.List(pl.String()), "answer": pl.Int64()},
)

PROMPT = Schema("PROMPT", 1, {name: pl.String() for name in ("item", "text")})


class Stream(Model):
    """One token file to score, and where its documents lie in it."""

    path: str = Field(description="`<split>.bin` of one shard")
    documents: str | None = Field(None, description="BLOCKS table of the shard (Parquet); gives sources and characters")
    split: str = Field("test", description="which rows of the table belong to this file")
    chars: int | None = Field(None, description="characters of the file; needed without `documents`")


class NamedTable(Model):
    """One set of pairs or questions."""

    name: str = Field(description="what its figures are called")
    path: str = Field(description="Parquet")

    def read(self, schema: Schema) -> pl.DataFrame:
        """Its rows. DatasetMissing without the file, SchemaMismatch for other columns."""
        if not Path(self.path).is_file():
            raise DatasetMissing(f"score: {self.name}: no file {self.path}")
        table = pl.read_parquet(self.path)
        check(dict(table.schema), schema, self.path)
        return table


class ScoreConfig(Model):
    """Everything to be scored for one model."""

    model: str = Field(description="exported Hugging Face folder")
    result: str = Field(description="where the result JSON goes")
    streams: tuple[Stream, ...] = ()
    max_tokens: int = Field(500_000, ge=1, description="whole documents are taken in order until this many targets")
    blocks_per_batch: int = Field(8, ge=1, description="blocks of one forward pass")
    block_tokens: int | None = Field(None, ge=2, description="block length; empty: the model's trained context")
    vocab_size: int | None = Field(
        None, ge=1, description="tokens of the blocks' tokenizer: ids above 65,536 of them are wide; empty: the model's"
    )
    pairs: tuple[NamedTable, ...] = Field((), description="minimal pairs, columns of PAIR")
    questions: tuple[NamedTable, ...] = Field((), description="questions with choices, columns of QUESTION")
    speed: bool = Field(False, description="measure speed, latency and memory")
    prompts: tuple[str, ...] = ()
    sample_tokens: int = Field(80, ge=1, description="new tokens behind each of `prompts`")
    free_samples: int = Field(0, ge=0, description="samples that begin with the start of a document")
    free_tokens: int = Field(200, ge=1, description="new tokens of those, and of continuations")
    probes: NamedTable | None = Field(None, description="texts to go on with, columns of PROMPT")
    probe_tokens: int = Field(32, ge=1, description="tokens of each that the model is given")
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
