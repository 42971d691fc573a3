"""阈值 thresholds: what every rule of clean refuses, and thresholds that keep a wanted share of a dataset.

Everything here works on the signals that clean leaves beside its rows, not on texts. A null signal was not measured and
refuses nothing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from data_contracts.stages import CleanConfig
from tasks.transforms import language, quality

# Thresholds whose signal has another name than theirs; min_X and max_X limit X otherwise.
_NAMED = {"sentence_chars": "mean_sentence_chars", "word_chars": "mean_word_chars"}
# Settings that say when a threshold counts, and are none themselves.
_WHEN = {"min_layout_chars", "min_flagged_words", "min_advert_phrases", "min_machine_phrases"}
_BISECTIONS = 16


class Limit(NamedTuple):
    """One threshold: what it limits, from which side, and in which rows it counts."""

    key: str
    signal: str
    is_min: bool
    counts: pl.Expr  # rows in which it can refuse


class Share(NamedTuple):
    """What one rule does to a dataset, as shares of all rows."""

    reason: str
    refused: float  # rows that it refuses
    alone: float  # rows that it and no other rule refuses


def limits(cfg: CleanConfig) -> list[Limit]:
    """Every threshold of clean, in the order of the config."""
    long, laid_out = pl.col("chars") >= cfg.min_layout_chars, pl.col("lines") >= quality.MIN_LINES
    counts: dict[str, pl.Expr] = {
        **dict.fromkeys(("ellipsis_line_ratio", "list_line_ratio"), laid_out),
        **dict.fromkeys(("mean_line_chars", "terminal_line_ratio", "sentences", "mean_sentence_chars"), long),
        **dict.fromkeys(("stop_ratio", "mean_word_chars"), long),
        "flagged_ratio": pl.col("flagged_words") >= cfg.min_flagged_words,
        "advert_ratio": pl.col("advert_phrases") >= cfg.min_advert_phrases,
        "machine_ratio": pl.col("machine_phrases") >= cfg.min_machine_phrases,
    }  # fmt: skip
    found = []
    for key in CleanConfig.model_fields:
        side, _, name = key.partition("_")
        if side in ("min", "max") and key not in _WHEN:
            signal = _NAMED.get(name, name)
            when = long if key == "min_punctuation_ratio" else counts.get(signal, pl.lit(True))
            found.append(Limit(key, signal, side == "min", when & pl.col(signal).is_not_null()))
    return found


def refusals(cfg: CleanConfig) -> dict[str, pl.Expr]:
    """Reason -> when it holds, for every rule of clean that goes by signals."""
    tried = {"mojibake": pl.col("is_mojibake").cast(pl.Float32) > 0}
    for rules in (quality.length_rules, language.rules, quality.rules, quality.word_rules):
        tried |= rules(cfg)
    return {reason: holds.fill_null(False) for reason, holds in tried.items()}


def shares(signals: pl.DataFrame, cfg: CleanConfig) -> tuple[float, list[Share]]:
    """(share that all rules together keep, what each refuses and refuses alone, most first)."""
    held = signals.select(**refusals(cfg))
    number = held.select(pl.sum_horizontal(pl.all().cast(pl.UInt32))).to_series()
    rows = max(1, signals.height)
    found = [Share(r, float(held[r].sum()) / rows, float((held[r] & (number == 1)).sum()) / rows) for r in held.columns]
    return float((number == 0).sum()) / rows, sorted(found, key=lambda s: (-s.refused, s.reason))


def proposed(signals: pl.DataFrame, cfg: CleanConfig, keep: float) -> dict[str, float]:
    """Thresholds under which all rules together keep at least `keep` of these rows, and no more than they must.

    Every threshold may refuse the same share of rows; the largest such share that keeps enough is found by bisection.
    Thresholds of rules that are off, and of signals that nothing here has, stay as they are. Rules without a threshold
    (language, mojibake) refuse what they refuse; where they leave less than `keep`, the loosest thresholds come out.
    """
    loose = _at(signals, cfg, 0.0)
    best, low, high = loose, 0.0, 1.0 - keep
    for _ in range(_BISECTIONS):
        tail = (low + high) / 2
        tried = _at(signals, cfg, tail)
        if shares(signals, with_thresholds(cfg, tried))[0] >= keep:
            best, low = tried, tail
        else:
            high = tail
    return best


def with_thresholds(cfg: CleanConfig, changed: Mapping[str, float]) -> CleanConfig:
    """The config with other thresholds."""
    return CleanConfig(**(cfg.model_dump() | dict(changed)))


def _at(signals: pl.DataFrame, cfg: CleanConfig, tail: float) -> dict[str, float]:
    """Thresholds that refuse at most a share `tail` of the rows each."""
    found: dict[str, float] = {}
    for limit in limits(cfg):
        values = np.sort(signals.filter(limit.counts)[limit.signal].to_numpy().astype(np.float64))
        off = limit.key == "min_word_chars" and not cfg.min_word_chars
        if not len(values) or off:
            continue
        place = min(int(tail * signals.height), len(values) - 1)
        value = float(values[place] if limit.is_min else values[-1 - place])
        found[limit.key] = _rounded(limit, value, CleanConfig.model_fields[limit.key].annotation)
    return found


def _rounded(limit: Limit, value: float, kind: Any) -> float:
    """Three digits, to the looser side; whole where the config wants whole numbers, and within its bounds."""
    if kind is int:
        return max(1 if limit.key == "max_chars" else 0, math.floor(value) if limit.is_min else math.ceil(value))
    if value == 0:
        return 0.0 if limit.is_min or limit.signal.endswith("_ratio") else 1.0
    step = 10.0 ** (math.floor(math.log10(abs(value))) - 2)
    rounded = (math.floor(value / step) if limit.is_min else math.ceil(value / step)) * step
    top = 1.0 if limit.signal.endswith("_ratio") else math.inf
    low = 1.0 if limit.key in ("max_sentence_chars", "max_word_chars") else 0.0
    return float(f"{min(top, max(low, rounded)):.6g}")
