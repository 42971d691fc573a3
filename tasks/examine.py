"""考试 examine: model -> answers. What a model pays for the texts of an exam, text by text.

The texts are encoded with the model's own tokenizer and packed as its training blocks were, so that it sees them as it
saw text in training; bits per character compare models of different tokenizers. One table, answers.parquet: digest,
source, side (columns of the exam), bits, chars, tokens.
"""

from __future__ import annotations

import json

import numpy as np
import polars as pl

from data_contracts.dataset import Dataset, Shard
from data_contracts.errors import ConfigError
from data_contracts.schemas import BLOCKS
from data_contracts.score_file import ScoreConfig, Stream
from tasks.assess import run_program
from tasks.encode import opened
from tasks.hold_out import EXAM
from tasks.model_files import laid_out
from tasks.rows import Room
from tasks.stage import stage
from tasks.transforms.packing import Documents, pack, token_type
from tasks.vocab import TOKENIZER
from tasks.work import Output, Work

ANSWERS = "answers.parquet"


@stage(
    schema="answers",
    libraries=("gigatoken", "numpy", "polars", "tokenizers", "torch", "transformers"),
    programs=("lightning_modules",),
)
def examine(model: Dataset, exam: Dataset, work: Work) -> Output:
    """考试 examine: model -> answers. Bits that a model pays for every text of an exam."""
    store, made = work.store, work.store.manifest(model)
    blocks = store.checked(made.parents[0])
    facts = {name: int(blocks.measures[name]) for name in ("vocab_size", "separator_id", "pad_id", "block_tokens")}
    texts = pl.read_parquet(store.path(store.checked(exam).shards[0].files[EXAM]))
    tokenizer = store.checked(blocks.parents[1]).shards[0].files[TOKENIZER]
    encoded = opened(store.path(tokenizer)).encoder.encode(texts["text"].to_list())
    ids = Documents(encoded.ids, np.zeros(len(encoded.ids), dtype=np.bool_), encoded.offsets)
    stream = pack(ids, facts["separator_id"], facts["pad_id"], facts["block_tokens"], token_type(facts["vocab_size"]))
    (work.scratch / "exam.bin").write_bytes(stream.tokens.tobytes())
    table = texts.select(
        doc_id="digest",
        source="source",
        split=pl.lit("test"),
        start=pl.Series(stream.starts),
        tokens=pl.Series(np.diff(encoded.offsets) + 1),  # with the separator, as the blocks count
        chars=pl.col("text").str.len_chars().cast(pl.Int64),
        copies=pl.lit(1, pl.Int64),
    ).select(pl.col(name).cast(kind) for name, kind in BLOCKS.columns.items())
    table.write_parquet(work.scratch / "exam-blocks.parquet")
    result = work.scratch / "answers.json"
    config = ScoreConfig(
        model=str(laid_out(store, made.handle, work.scratch)),
        result=str(result),
        streams=(Stream(path=str(work.scratch / "exam.bin"), documents=str(work.scratch / "exam-blocks.parquet")),),
        max_tokens=max(1, len(stream.tokens)),
        block_tokens=facts["block_tokens"],
        vocab_size=facts["vocab_size"],
    )
    run_program(config, work.scratch)
    scores = json.loads(result.read_text(encoding="utf-8"))
    if scores["not_scored"]:
        raise ConfigError(f"{model.name}: {scores['not_scored']}; compare causal models")
    paid = pl.DataFrame(scores["bits_per_char"]["documents"]).rename({"doc_id": "digest"})
    answers = paid.join(texts.select("digest", "side"), "digest", how="left", maintain_order="left")
    file = Room(store, work.scratch).put(answers.select("digest", "source", "side", "bits", "chars", "tokens"))
    told = {name: scores["bits_per_char"][name] for name in ("bits_per_char", "chars", "documents_scored")}
    return Output([Shard(content=file.sha256, files={ANSWERS: file})], told)
