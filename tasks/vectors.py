"""词向量 vectors: SEGMENTED -> vectors. A vector for every word that is frequent enough, learned from its neighbours.

Words are those of the segment stage without marks and spaces; a document is one sentence. Documents are taken by the
hash of their id until `sample_bytes` are full, so the sample is the same whatever the sharding, and shards are read in
their order. The dataset is one shard with three files:

    words.parquet   word, count; row i belongs to row i of the matrix
    vectors.npy     float32 (words, dimensions)
    vectors.txt     the same in word2vec's text form, which gensim, spaCy and fastText read

Measures: words, dimensions, sample_documents, sample_words, and `neighbours` of a few words.
"""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import numpy as np
import polars as pl

from data_contracts.dataset import KEPT, Shard, digest_of
from data_contracts.errors import NothingLeft, SchemaMismatch
from data_contracts.vectors import VectorsConfig
from tasks import progress
from tasks.rows import Room
from tasks.stage import stage
from tasks.store import Store
from tasks.transforms.splits import places
from tasks.transforms.word_vectors import Vectors, learn, neighbours, spoken, table, telling
from tasks.work import Inputs, Output, Work

WORDS, MATRIX, TEXT = "words.parquet", "vectors.npy", "vectors.txt"


@stage(schema="vectors", libraries=("gensim", "numpy", "polars"))
def vectors(documents: Inputs, cfg: VectorsConfig, work: Work) -> Output:
    """词向量 vectors: SEGMENTED -> vectors. Skip-gram with negative sampling over the words of the documents."""
    shards = [s for s in work.shards(documents) if s.rows_kept]
    sample = Sample(work.store, shards, cfg.sample_bytes, cfg.epochs)
    made = learn(sample, cfg)
    if not made.words:
        raise NothingLeft(
            f"vectors: no word of {sample.documents} documents stands there {cfg.min_count} times; lower "
            "vectors.min_count, or give more text"
        )
    matrix, room = BytesIO(), Room(work.store, work.scratch)
    np.save(matrix, made.matrix, allow_pickle=False)
    path = work.scratch / TEXT
    path.write_text(as_text(made), encoding="utf-8")
    files = {WORDS: room.put(table(made)), MATRIX: room.put(matrix.getvalue()), TEXT: room.put(path)}
    told = neighbours(made, telling(made))
    measures = {
        "words": len(made.words),
        "dimensions": cfg.dimensions,
        "sample_documents": sample.documents,
        "sample_words": sample.words,
        "reproducible": cfg.threads == 1,
        "neighbours": {word: [list(one) for one in near] for word, near in told.items()},
    }
    content = digest_of({name: file.sha256 for name, file in sorted(files.items())})
    return Output([Shard(content=content, files=files)], measures)


class Sample:
    """The words of the sampled documents, as often as they are asked for; a shard is in memory at a time."""

    def __init__(self, store: Store, shards: list[Shard], sample_bytes: int, epochs: int) -> None:
        self._paths = [store.path(s.files[KEPT]) for s in shards]
        total = sum(_bytes(path) for path in self._paths)
        self._below = min(1.0, sample_bytes / max(1, total))
        self._rounds, self._done = epochs + 1, 0
        self.documents = self.words = 0

    def __iter__(self) -> Iterator[list[str]]:
        self.documents = self.words = 0
        for number, path in enumerate(self._paths):
            at = self._done * len(self._paths) + number
            progress.report(progress.Step("vectors", at, self._rounds * len(self._paths)))
            frame = pl.read_parquet(path, columns=["doc_id", "text", "word_chars"])
            inside = places(frame["doc_id"].to_list(), "vectors") < self._below
            for text, lengths in frame.filter(pl.Series(inside)).select("text", "word_chars").iter_rows():
                found = spoken(text, lengths)
                self.documents += 1
                self.words += len(found)
                yield found
        self._done += 1


def _bytes(path: Path) -> int:
    frame = pl.scan_parquet(path)
    if "word_chars" not in frame.collect_schema().names():
        raise SchemaMismatch("vectors: the documents have no word_chars; give it a dataset of the segment stage")
    return int(frame.select(pl.col("text").str.len_bytes().sum()).collect().item())


def as_text(made: Vectors) -> str:
    """word2vec's text form: a line with both sizes, then a word and its numbers a line."""
    rows = (" ".join((word, *(f"{v:.6g}" for v in row))) for word, row in zip(made.words, made.matrix, strict=True))
    return "\n".join([f"{len(made.words)} {made.matrix.shape[1]}", *rows]) + "\n"
