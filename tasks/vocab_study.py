"""词表研究 vocab_study: DOCUMENT -> study. A vocabulary at several sizes, measured on documents that none of them saw.

Merges are learnt in order and never taken back, so a smaller vocabulary is the beginning of a larger one: the largest
is trained, the others are cut from it (tasks/transforms/bpe.py). The text that measures is validation and test
documents, in the order of a hash of their ids, up to `held_out_bytes`.

The dataset is one shard with study.json: the figures of each size, and the size that is recommended
(tasks/transforms/vocabulary_study.py), which are its measures too.
"""

from __future__ import annotations

import json

import numpy as np

from data_contracts.dataset import KEPT, File, Shard, digest_of
from data_contracts.errors import NothingLeft
from data_contracts.stages import Splits, VocabConfig
from data_contracts.study import StudyConfig
from tasks.rows import Room
from tasks.stage import stage
from tasks.store import Store
from tasks.transforms import bpe
from tasks.transforms.splits import TRAIN
from tasks.transforms.vocabulary_study import measured, recommended
from tasks.vocab import Chosen, choose, sampled
from tasks.work import Inputs, Output, Work

STUDY = "study.json"


@stage(schema="study", libraries=("gigatoken", "numpy", "polars", "tokenizers"))
def vocab_study(documents: Inputs, cfg: VocabConfig, splits: Splits, study: StudyConfig, work: Work) -> Output:
    """词表研究 vocab_study: DOCUMENT -> study. Several sizes of one vocabulary, measured on held-out text."""
    sources = [s.files[KEPT] for s in work.shards(documents) if s.rows_kept]
    taught = choose(work.store, sources, cfg.sample_bytes, splits)
    asked = held_out(work.store, sources, study.held_out_bytes, splits)
    key = digest_of([[[c.source.sha256, c.rows, c.ranks] for c in chosen] for chosen in (taught, asked)])
    shard = work.each(compare, [(key, (taught, asked, cfg, study))])[0][0]
    told = json.loads(work.store.path(shard.files[STUDY]).read_bytes())
    return Output([shard], told)


def held_out(store: Store, sources: list[File], most_bytes: int, splits: Splits) -> list[Chosen]:
    """Documents that measure, of the splits that no vocabulary is trained on. NothingLeft where there are none."""
    found = choose(store, sources, most_bytes, splits, wanted=lambda split: split != TRAIN, purpose="study")
    if not found:
        raise NothingLeft("vocab_study: no document is held out; raise encode.validation_ratio or add documents")
    return found


def compare(room: Room, taught: list[Chosen], asked: list[Chosen], cfg: VocabConfig, study: StudyConfig) -> list[Shard]:
    """Train the largest, cut the others, measure all. A job of its own, for its memory's sake."""
    largest = bpe.train(sampled(room.store, taught)["text"].to_list(), max(study.sizes), cfg.min_frequency)
    texts = sampled(room.store, asked)["text"].to_list()
    most = bpe.vocabulary_size(largest)
    sizes = sorted({min(size, most) for size in study.sizes})
    rows = [measured(bpe.opened(bpe.cut_to(largest, size)), texts, study) for size in sizes]
    told = {
        "sizes": rows,
        "recommended": recommended(rows),
        "held_out_documents": len(texts),
        "held_out_bytes": int(np.sum([len(t.encode()) for t in texts])),
        "width": study.width,
        "body_parameters": study.body_parameters,
    }
    file = room.put(json.dumps(told, indent=1).encode())
    return [Shard(content=file.sha256, files={STUDY: file}, text_bytes=told["held_out_bytes"])]
