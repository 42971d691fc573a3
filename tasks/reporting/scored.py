"""评分的事实 facts of scoring: how good the scorers are, and how the documents' scores are spread."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from data_contracts.dataset import KEPT, QUARANTINED, Manifest
from data_contracts.schemas import SCORES
from tasks.reporting.facts import Classified, Decile, Fluency, Said, Scored, Threshold
from tasks.reporting.signals import SHOWN, distributions
from tasks.store import Store

DECILES = 10


def scored(store: Store, by_stage: Mapping[str, Sequence[Manifest]]) -> Scored | None:
    """What a run tells of scoring, None where it has no scorer."""
    classifiers, ngrams = by_stage.get("train_classifier", []), by_stage.get("train_ngrams", [])
    if not classifiers and not ngrams:
        return None
    made = by_stage.get("score", [])
    frame = _scores(store, made[-1]) if made else None
    return Scored(
        classifiers=tuple(_classified(m.measures) for m in classifiers),
        fluency=_fluency(ngrams[-1].measures) if ngrams else None,
        distributions=tuple(_spread(frame, made[-1])) if frame is not None else (),
        deciles=tuple(deciles(frame)) if frame is not None else (),
    )


def _classified(told: dict[str, Any]) -> Classified:
    return Classified(
        signal=told["signal"],
        title=SHOWN[told["signal"]].title,
        learned_from=(told["learned_from"]["positives"], told["learned_from"]["negatives"]),
        held_out=(told["positives"], told["negatives"]),
        **{name: told[name] for name in ("auc", "average_precision", "brier")},
        reliability=tuple(Said(said=r["said"], was=r["was"], texts=r["texts"]) for r in told["reliability"]),
        deciles=tuple(
            Decile(low=r["low"], high=r["high"], texts=r["texts"], share=r["positive_ratio"]) for r in told["deciles"]
        ),
        thresholds=tuple(Threshold(**r) for r in told["thresholds"]),
    )


def _fluency(told: dict[str, Any]) -> Fluency:
    return Fluency(
        texts=told["texts"],
        chars=told["chars"],
        by_order=tuple(told["bits_per_char_by_order"]),
        quantiles=told["quantiles"],
    )


def _scores(store: Store, manifest: Manifest) -> pl.LazyFrame:
    """Reason, characters and scores of every document, kept or not."""
    name, chars = f"{manifest.stage}/{manifest.version}", pl.col("text").str.len_chars()
    kept = store.scan(name, KEPT).select(*SCORES, reason=pl.lit(None, pl.String), chars=chars)
    refused = store.scan(name, QUARANTINED).select(*SCORES, "reason", chars=chars)
    return pl.concat([kept, refused])


def _spread(frame: pl.LazyFrame, manifest: Manifest) -> list[Any]:
    return distributions(frame.select("reason", *SCORES), manifest.config.get("LimitsConfig", {}))


def deciles(scores: pl.LazyFrame) -> list[Decile]:
    """The documents in ten equal parts in order of quality, lowest first; none where quality was not asked for."""
    known = scores.select("quality", "reason", "chars").filter(pl.col("quality").is_not_null()).sort("quality")
    parts = (
        known.with_columns(part=pl.int_range(pl.len()) * DECILES // pl.len())
        .group_by("part")
        .agg(
            low=pl.col("quality").min(),
            high=pl.col("quality").max(),
            texts=pl.len(),
            share=pl.col("reason").is_null().mean(),
            chars=pl.col("chars").sum(),
        )
        .sort("part")
        .drop("part")
        .collect()
    )
    return [Decile(**row) for row in parts.to_dicts()]
