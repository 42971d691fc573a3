"""评分 score: DOCUMENT -> DOCUMENT. What trained scorers make of every document, and limits on it.

A signal without a scorer stays null. Without any scorer the shards pass on as they are, unread. Measures: for every
signal `<signal>_deciles`, eleven values from the least to the greatest, kept and refused documents together.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from data_contracts.dataset import KEPT, QUARANTINED, Dataset, File, Shard
from data_contracts.schemas import DOCUMENT, SCORES
from data_contracts.scoring import LimitsConfig
from tasks import rows
from tasks.rows import Room
from tasks.stage import stage
from tasks.store import Store
from tasks.transforms import hashed_ngrams, witten_bell
from tasks.transforms.flat_text import batches
from tasks.transforms.scorer_files import CLASSIFIER, NGRAMS, read_classifier, read_ngrams
from tasks.work import Inputs, Output, Work

Models = dict[str, tuple[str, File]]  # signal -> name of its scorer's file, and the file


Scorer = Callable[[Sequence[str]], npt.NDArray[np.float64]]  # one number for each text


def mark(documents: pl.LazyFrame, cfg: LimitsConfig, scorers: Mapping[str, Scorer]) -> pl.LazyFrame:
    """The same rows with the signals that there are scorers for, and `reason`. A null text is `unreadable`."""
    return documents.map_batches(lambda frame: _marked(frame, cfg, scorers), validate_output_schema=False)


def _marked(documents: pl.DataFrame, cfg: LimitsConfig, scorers: Mapping[str, Scorer]) -> pl.DataFrame:
    texts, missing = documents["text"].fill_null("").to_list(), pl.col("text").is_null()
    told = {signal: pl.Series(scorer(texts), dtype=pl.Float64) for signal, scorer in scorers.items()}
    frame = documents.with_columns(**{s: told.get(s, pl.lit(None, pl.Float64)) for s in SCORES})
    tried = {"unreadable": missing, **rules(cfg)}
    return frame.with_columns(pl.when(~missing).then(pl.col(s)).alias(s) for s in SCORES).with_columns(
        reason=pl.coalesce(pl.when(hit).then(pl.lit(reason)) for reason, hit in tried.items()),
        error=pl.when(missing).then(pl.lit("the text is null; its source gave none")),
    )


def rules(cfg: LimitsConfig) -> dict[str, pl.Expr]:
    """Reason -> when it holds, in the order in which they are tried. A null signal breaks no rule."""
    tried = {
        "spam": (pl.col("spam"), cfg.max_spam, 1),
        "toxic": (pl.col("toxicity"), cfg.max_toxicity, 1),
        "high_perplexity": (pl.col("bits_per_char"), cfg.max_bits_per_char, 1),
        "low_quality": (pl.col("quality"), cfg.min_quality, -1),
    }
    return {
        reason: (signal * sign > limit * sign).fill_null(value=False)
        for reason, (signal, limit, sign) in tried.items()
        if limit is not None
    }


@stage(schema=DOCUMENT, libraries=("numpy", "opencc", "polars", "safetensors"))
def score(documents: Inputs, scorers: Sequence[Dataset], cfg: LimitsConfig, work: Work) -> Output:
    """评分 score: DOCUMENT -> DOCUMENT. Quality, bits per character, toxicity and spam, as far as there are scorers."""
    shards = [s for s in work.shards(documents) if s.rows_kept]
    if not scorers:
        return Output([_passed(s) for s in shards])
    models: Models = {}
    for manifest in map(work.store.manifest, scorers):
        [shard] = manifest.shards
        name = next(name for name in shard.files if name in _SCORERS)
        models[str(manifest.measures["signal"])] = (name, shard.files[name])
    key = " ".join(f"{signal} {file.sha256}" for signal, (_, file) in models.items())
    made = work.each(score_shard, [(f"{s.content}\0{key}", (s.files[KEPT], models, cfg)) for s in shards])
    done = [shard for each in made for shard in each]
    return Output(done, _deciles(work.store, done, list(models)))


def _passed(shard: Shard) -> Shard:
    """The kept rows of a shard, unread."""
    return Shard(
        content=shard.content,
        files={KEPT: shard.files[KEPT]},
        rows_in=shard.rows_kept,
        rows_kept=shard.rows_kept,
        chars=shard.chars,
    )


def score_shard(room: Room, source: File, models: Models, cfg: LimitsConfig) -> list[Shard]:
    """Score one shard."""
    scorers = {signal: _loaded(room.store.path(file), name) for signal, (name, file) in models.items()}
    frame = pl.read_parquet(room.store.path(source))
    marked = mark(frame.lazy(), cfg, scorers).collect()
    return [rows.shard(room, marked, DOCUMENT, text_bytes=int(frame["text"].str.len_bytes().sum()))]


def bits_per_char(model: witten_bell.Model, texts: Sequence[str]) -> npt.NDArray[np.float64]:
    """Bits of each text, its end mark included, for each of its characters as `hashed_ngrams.read` reads them."""
    parts = [model.bits_of(hashed_ngrams.read(texts[some])) for some in batches(texts, witten_bell.BATCH_CHARS)]
    lengths = np.fromiter(map(len, texts), np.int64, len(texts))
    return np.round((np.concatenate(parts) if parts else np.zeros(0)) / np.maximum(1, lengths), 4)


_SCORERS: dict[str, Callable[[bytes], Scorer]] = {
    CLASSIFIER: lambda content: read_classifier(content).probability,
    NGRAMS: lambda content: partial(bits_per_char, read_ngrams(content)),
}


@lru_cache(maxsize=len(SCORES))
def _loaded(path: Path, name: str) -> Scorer:
    """A scorer, read once in a process: an object's bytes never change."""
    return _SCORERS[name](path.read_bytes())


def _deciles(store: Store, shards: Sequence[Shard], signals: Sequence[str]) -> dict[str, Any]:
    """For each signal eleven values: a tenth of all documents lies between each two of them."""
    files = [s.files[which] for s in shards for which in (KEPT, QUARANTINED) if which in s.files]
    if not files or not signals:
        return {}
    frame = pl.concat(pl.read_parquet(store.path(file), columns=list(signals)) for file in files)
    cuts = [i / 10 for i in range(11)]
    return {f"{s}_deciles": [frame[s].quantile(cut, "nearest") for cut in cuts] for s in signals}
