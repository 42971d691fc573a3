"""信号 signals: how the documents' measurements are spread, and which of them stands behind a reason."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import polars as pl

from tasks.reporting.facts import Bin, Distribution

BINS = 28


class Signal(NamedTuple):
    """A measurement of clean or score that people look at, and the config keys that limit it."""

    title: str
    low: str | None = None
    high: str | None = None
    logarithmic: bool = False


SHOWN = {
    "chars": Signal("正文长度, 字 characters", "min_chars", "max_chars", logarithmic=True),
    "han_ratio": Signal("汉字占比 Han ratio", "min_han_ratio"),
    "mean_line_chars": Signal("平均行长, 字 mean line", "min_mean_line_chars", logarithmic=True),
    "mean_sentence_chars": Signal("平均句长, 汉字 mean sentence", None, "max_sentence_chars", logarithmic=True),
    "stop_ratio": Signal("虚词占汉字 function characters", "min_stop_ratio"),
    "punctuation_ratio": Signal("标点占比 punctuation", "min_punctuation_ratio", "max_punctuation_ratio"),
    "symbol_ratio": Signal("符号占比 symbol ratio", None, "max_symbol_ratio"),
    "digit_ratio": Signal("数字占比 digit ratio", None, "max_digit_ratio"),
    "duplicate_line_ratio": Signal("重复行占比 duplicate lines", None, "max_duplicate_line_ratio"),
    "duplicate_ngram_ratio": Signal("重复片段占比 duplicate n-grams", None, "max_duplicate_ngram_ratio"),
    "unigram_entropy": Signal("字符熵, nat character entropy", "min_unigram_entropy"),
    "quality": Signal("质量分 quality", "min_quality"),
    "bits_per_char": Signal("每字比特数 bits per character", None, "max_bits_per_char"),
    "toxicity": Signal("毒性 toxicity", None, "max_toxicity"),
    "spam": Signal("垃圾 spam", None, "max_spam"),
}

# The signal whose value explains a reason (tasks/transforms/quality.py), for the samples of refused rows.
BEHIND = {
    "too_short": "chars",
    "too_long": "chars",
    "not_chinese": "han_ratio",
    "short_lines": "mean_line_chars",
    "few_terminal_marks": "terminal_line_ratio",
    "few_sentences": "mean_sentence_chars",
    "few_marks": "punctuation_ratio",
    "mark_noise": "punctuation_ratio",
    "symbol_noise": "symbol_ratio",
    "digit_noise": "digit_ratio",
    "ellipsis_lines": "ellipsis_line_ratio",
    "list_lines": "list_line_ratio",
    "bracket_noise": "bracket_ratio",
    "repeated_lines": "duplicate_line_ratio",
    "repeated_ngrams": "duplicate_ngram_ratio",
    "low_entropy": "unigram_entropy",
    "few_stop_words": "stop_ratio",
    "mixed_script": "mixed_script_ratio",
    "broken_words": "mean_word_chars",
    "flagged_words": "flagged_ratio",
    "advertising": "advert_ratio",
    "machine_made": "machine_ratio",
    "wrong_language": "language",
    "low_quality": "quality",
    "high_perplexity": "bits_per_char",
    "toxic": "toxicity",
    "spam": "spam",
    "exact_duplicate": "duplicate_of",
    "near_duplicate": "similarity",
    "contaminated": "item",
    "http_error": "status",
    "redirected": "location",
    "not_html": "content_type",
    "unreadable": "error",
}


def distributions(signals: pl.LazyFrame, config: dict[str, Any]) -> list[Distribution]:
    """Histograms of the signals that the frame has, with the limits of the stage's config. Out of core."""
    have = signals.collect_schema().names()
    return [d for name in SHOWN if name in have and (d := _spread(signals, name, config)) is not None]


def _spread(signals: pl.LazyFrame, name: str, config: dict[str, Any]) -> Distribution | None:
    signal, refused = SHOWN[name], pl.col("reason").is_not_null()
    value = pl.col(name).cast(pl.Float64)
    value = (value.clip(lower_bound=1.0)).log10() if signal.logarithmic else value
    frame = signals.select(value=value, refused=refused).filter(pl.col("value").is_finite())
    low, high = frame.select(low=pl.col("value").min(), high=pl.col("value").max()).collect(engine="streaming").row(0)
    if low is None:
        return None
    width = (high - low) / BINS or 1.0
    counted = (
        frame.group_by(bin=((pl.col("value") - low) / width).floor().cast(pl.Int64).clip(0, BINS - 1))
        .agg(kept=(~pl.col("refused")).sum(), quarantined=pl.col("refused").sum())
        .sort("bin")
        .collect(engine="streaming")
    )

    def edge(i: int) -> float:
        at = low + i * width
        return math.pow(10, at) if signal.logarithmic else at

    return Distribution(
        signal=name,
        title=signal.title,
        logarithmic=signal.logarithmic,
        bins=tuple(Bin(low=edge(i), high=edge(i + 1), kept=k, quarantined=q) for i, k, q in counted.iter_rows()),
        low_limit=_limit(config, signal.low),
        high_limit=_limit(config, signal.high),
    )


def _limit(config: dict[str, Any], key: str | None) -> float | None:
    value = config.get(key) if key else None
    return float(value) if isinstance(value, int | float) else None
