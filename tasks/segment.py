"""分词 segment: DOCUMENT -> SEGMENTED. Words by rjieba, as lengths in characters beside the untouched text.

Conservation: the lengths of every document add up to its characters; the stage fails otherwise. What counts as a unit
stands in tasks/transforms/words.py. Measures: units, words (units that are neither space nor mark), word_chars.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from data_contracts.dataset import KEPT, File, Shard
from data_contracts.errors import ConservationBroken
from data_contracts.schemas import SEGMENTED
from data_contracts.stages import SegmentConfig
from tasks import rows
from tasks.rows import Room
from tasks.stage import stage
from tasks.transforms.words import Words, words
from tasks.work import Inputs, Output, Work


@stage(schema=SEGMENTED, libraries=("numpy", "polars", "rjieba"))
def segment(documents: Inputs, cfg: SegmentConfig, work: Work) -> Output:
    """分词 segment: DOCUMENT -> SEGMENTED. Word lengths by rjieba; their sum is the number of characters."""
    jobs = [(s.content, (s.files[KEPT], cfg)) for s in work.shards(documents) if s.rows_kept]
    shards = [made[0] for made in work.each(segment_shard, jobs)]
    count, chars = (sum(s.measures[name] for s in shards) for name in ("words", "word_chars"))
    return Output(shards, measures={"mean_word_chars": round(chars / count, 4) if count else 0.0})


def segment_shard(room: Room, source: File, cfg: SegmentConfig) -> list[Shard]:
    """Cut one shard."""
    frame = pl.read_parquet(room.store.path(source))
    cut = words(frame["text"].to_list(), cfg.hmm)
    lengths = word_lengths(cut)
    made = frame.with_columns(word_chars=lengths, reason=pl.lit(None, pl.String()))
    expected = frame["text"].str.len_chars()
    if not (lengths.list.sum() == expected).all():
        raise ConservationBroken("segment: words do not add up to the characters of their text; a fault of the cutter")
    measures = {
        "units": float(len(cut.chars)),
        "words": float(cut.is_word.sum()),
        "word_chars": float(cut.chars[cut.is_word].sum()),
    }
    size = int(frame["text"].str.len_bytes().sum())
    return [rows.shard(room, made, SEGMENTED, text_bytes=size, measures=measures)]


def word_lengths(cut: Words) -> pl.Series:
    """The lengths as one list per text."""
    texts = len(cut.offsets) - 1
    owner = np.repeat(np.arange(texts, dtype=np.uint32), np.diff(cut.offsets))
    lists = pl.DataFrame({"text": owner, "chars": cut.chars}).group_by("text", maintain_order=True).agg("chars")
    every = pl.DataFrame({"text": np.arange(texts, dtype=np.uint32)})
    joined = every.join(lists, on="text", how="left", maintain_order="left")["chars"]
    return joined.fill_null(pl.Series([[]], dtype=pl.List(pl.UInt32))).alias("word_chars")
