"""质量 quality: signals of every text, and the rules that turn them into a reason.

Measuring and deciding are apart: `measure` knows no threshold, `rules` knows no text. All ratios lie in [0, 1] and are
taken over visible characters (spaces and line ends left out) unless said otherwise. Thresholds of the four profiles
stand in data_contracts/profiles.

| reason | signal | source | refitted how |
|---|---|---|---|
| too_short, too_long | chars | ChineseWebText 200; MAP-CC 50 to 10,000 | novels and statutes are longer |
| not_chinese | han_ratio | ChineseWebText: Han < 30 % | |
| short_lines | mean_line_chars | ChineseWebText, HPLT: mean line < 10 | verse and code have short lines |
| few_terminal_marks | terminal_line_ratio | C4, FineWeb: lines end in . ! ? " | 。！？…”」, a share, not every line |
| few_sentences | sentences, mean_sentence_chars | MAP-CC: more than 1 sentence; C4: 5 | and Han characters a sentence |
| few_marks | punctuation_ratio | MAP-CC: punctuation > 0 | a share |
| mark_noise | punctuation_ratio | data-juicer special_characters <= .25 | JSON, code, tables |
| symbol_noise | symbol_ratio | Gopher: # and ... against words | all symbols against characters |
| digit_noise | digit_ratio | MAP-CC: digits <= .3 of non-punctuation | |
| ellipsis_lines | ellipsis_line_ratio | Gopher, MAP-CC: <= .3, with 展开 and 更多 | |
| list_lines | list_line_ratio | Gopher, MAP-CC: bullet lines <= .9 | |
| bracket_noise | bracket_ratio | MAP-CC: 【】 content > .10 | |
| repeated_lines | duplicate_line_ratio | Gopher: duplicate lines <= .3 | share of characters, not of lines |
| repeated_ngrams | top_ngram_ratio | MAP-CC: top 2- to 4-gram .16 to .20 | of 4 characters |
| repeated_ngrams | duplicate_5gram_ratio | MAP-CC: duplicate 5- to 10-grams .60 | of 5 characters |
| repeated_ngrams | duplicate_ngram_ratio | ChineseWebText: .5 of 13-grams | of 13 characters |
| low_entropy | unigram_entropy | MAP-CC: entropy >= 3, unique characters > .1 | of characters, nat |
| few_stop_words | stop_characters, stop_ratio | Gopher: two of eight; data-juicer: a share | function characters |
| mixed_script | mixed_script_ratio | ChineseWebText drops traditional text | only both scripts at once |
| broken_words | mean_word_chars | MAP-CC: mean jieba word 1.3 to 10 | 1.09, without new words: `word_lengths` |
| flagged_words | flagged_ratio | MAP-CC, C4: bad words | share of characters, own list |
| advertising | advert_ratio | RefinedWeb, MAP-CC: line rules | density of 4 or more different phrases, own list |
| machine_made | machine_ratio | C4: javascript, lorem ipsum, {; MAP-CC lines | density of different marks, own list |
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from data_contracts.stages import CleanConfig
from tasks.transforms import characters, lines, phrase_counts, repetition, tally
from tasks.transforms.characters import HAN, Kind

MIN_LINES = 4  # a share of fewer lines says nothing: extractors often give one line
FLAGGED = ("gambling", "adult", "fraud")  # lists whose words are flagged


def measure(frame: pl.DataFrame) -> pl.DataFrame:
    """The same rows with every signal of the table above, for normalised `text`; null reads as empty."""
    parts = [_measured(frame["text"][start:stop]) for start, stop in characters.batches(frame["text"])]
    found = pl.concat(parts) if parts else _measured(frame["text"])
    return pl.concat([frame, found], how="horizontal").with_columns(
        bracket_ratio=_bracketed(frame["text"], found["chars"])
    )


def _bracketed(text: pl.Series, chars: pl.Series) -> pl.Series:
    """Share of characters that stand inside 【】, with the brackets."""
    hit = text.str.contains("【", literal=True).fill_null(False)
    inside = text.filter(hit).str.extract_all(r"【[^【】\n]{0,200}】").list.join("").str.len_chars()
    return pl.Series(np.zeros(len(text))).scatter(hit.arg_true(), inside / chars.filter(hit).clip(1))


def _measured(text: pl.Series) -> pl.DataFrame:
    """Signals of one batch of rows."""
    codes = characters.decode(text)
    counted = tally.tally(codes)
    laid = lines.layout(codes)
    repeated = repetition.repetition(codes)
    named = phrase_counts.found(codes)
    kind = counted.kinds
    visible = np.maximum(1, kind.sum(axis=1) - kind[:, Kind.SPACE] - kind[:, Kind.LINE_FEED])
    han = kind[:, HAN].sum(axis=1)
    count, per_line = np.maximum(1, laid.lines), {}
    for name, number in (("terminal", laid.terminal), ("ellipsis", laid.more), ("list", laid.listed)):
        per_line[f"{name}_line_ratio"] = number / count
    return pl.DataFrame(
        {
            "chars": codes.lengths - 1,
            "lines": laid.lines,
            "han_ratio": han / visible,
            "kana_ratio": kind[:, Kind.KANA] / visible,
            "hangul_ratio": kind[:, Kind.HANGUL] / visible,
            "latin_ratio": kind[:, Kind.LATIN] / visible,
            "simplified_ratio": kind[:, Kind.SIMPLIFIED] / np.maximum(1, han),
            "traditional_ratio": kind[:, Kind.TRADITIONAL] / np.maximum(1, han),
            "mixed_script_ratio": kind[:, (Kind.SIMPLIFIED, Kind.TRADITIONAL)].min(axis=1) / np.maximum(1, han),
            "symbol_ratio": (kind[:, Kind.SYMBOL] + kind[:, Kind.BROKEN]) / visible,
            "digit_ratio": kind[:, Kind.DIGIT] / visible,
            "mean_line_chars": laid.chars / count,
            **per_line,
            "duplicate_line_ratio": repeated.lines,
            "top_ngram_ratio": repeated.top,
            "duplicate_5gram_ratio": repeated.short,
            "duplicate_ngram_ratio": repeated.duplicate,
            "unigram_entropy": counted.entropy.round(6),
            "cantonese_ratio": counted.cantonese / np.maximum(1, codes.lengths - 1),
            "stop_characters": counted.stop_kinds,
            "stop_ratio": counted.stops / np.maximum(1, han),
            "punctuation_ratio": kind[:, Kind.MARK] / visible,
            "sentences": counted.sentences,
            "mean_sentence_chars": han / np.maximum(1, counted.sentences),
            **_phrases(named, codes.lengths - 1),
        }
    )


def _phrases(named: phrase_counts.Found, chars: npt.NDArray[np.int64]) -> dict[str, npt.NDArray[Any]]:
    """Counts and shares of the lists of phrases."""
    number = dict(zip(phrase_counts.LISTS, named.pieces.T, strict=True))
    share = dict(zip(phrase_counts.LISTS, named.chars.T / np.maximum(1, chars), strict=True))
    different = dict(zip(phrase_counts.LISTS, named.different.T, strict=True))
    return {
        **{f"{name}_words": number[name] for name in FLAGGED},
        "flagged_words": np.sum([number[name] for name in FLAGGED], axis=0),
        "flagged_ratio": np.sum([share[name] for name in FLAGGED], axis=0),
        "advert_phrases": different["advert"],
        "advert_ratio": share["advert"],
        "machine_phrases": different["machine"],
        "machine_ratio": share["machine"],
    }


def length_rules(cfg: CleanConfig) -> dict[str, pl.Expr]:
    """Reason -> when it holds."""
    return {"too_short": pl.col("chars") < cfg.min_chars, "too_long": pl.col("chars") > cfg.max_chars}


def rules(cfg: CleanConfig) -> dict[str, pl.Expr]:
    """Reason -> when it holds, in the order in which they are tried."""
    signal = pl.col
    laid_out, long = signal("lines") >= MIN_LINES, signal("chars") >= cfg.min_layout_chars
    return {
        "low_entropy": signal("unigram_entropy") < cfg.min_unigram_entropy,
        "repeated_lines": signal("duplicate_line_ratio") > cfg.max_duplicate_line_ratio,
        "repeated_ngrams": (signal("top_ngram_ratio") > cfg.max_top_ngram_ratio)
        | (signal("duplicate_5gram_ratio") > cfg.max_duplicate_5gram_ratio)
        | (signal("duplicate_ngram_ratio") > cfg.max_duplicate_ngram_ratio),
        "symbol_noise": signal("symbol_ratio") > cfg.max_symbol_ratio,
        "digit_noise": signal("digit_ratio") > cfg.max_digit_ratio,
        "bracket_noise": signal("bracket_ratio") > cfg.max_bracket_ratio,
        "ellipsis_lines": laid_out & (signal("ellipsis_line_ratio") > cfg.max_ellipsis_line_ratio),
        "list_lines": laid_out & (signal("list_line_ratio") > cfg.max_list_line_ratio),
        "short_lines": long & (signal("mean_line_chars") < cfg.min_mean_line_chars),
        "flagged_words": (signal("flagged_words") >= cfg.min_flagged_words)
        & (signal("flagged_ratio") > cfg.max_flagged_ratio),
        "advertising": (signal("advert_phrases") >= cfg.min_advert_phrases)
        & (signal("advert_ratio") > cfg.max_advert_ratio),
        "machine_made": (signal("machine_phrases") >= cfg.min_machine_phrases)
        & (signal("machine_ratio") > cfg.max_machine_ratio),
        "few_terminal_marks": long & (signal("terminal_line_ratio") < cfg.min_terminal_line_ratio),
        "few_stop_words": (signal("stop_characters") < cfg.min_stop_characters)
        | (long & (signal("stop_ratio") < cfg.min_stop_ratio)),
        "few_marks": long & (signal("punctuation_ratio") < cfg.min_punctuation_ratio),
        "mark_noise": signal("punctuation_ratio") > cfg.max_punctuation_ratio,
        "few_sentences": long
        & ((signal("sentences") < cfg.min_sentences) | (signal("mean_sentence_chars") > cfg.max_sentence_chars)),
        "mixed_script": signal("mixed_script_ratio") > cfg.max_mixed_script_ratio,
    }


def word_rules(cfg: CleanConfig) -> dict[str, pl.Expr]:
    """The rule whose signal is measured only where no other rule holds, see `word_lengths`."""
    words, long = pl.col("mean_word_chars"), pl.col("chars") >= cfg.min_layout_chars
    return {"broken_words": long & ((words < cfg.min_word_chars) | (words > cfg.max_word_chars))}


def first_reason(tried: dict[str, pl.Expr]) -> pl.Expr:
    """The first reason whose expression is true, else null."""
    whens: list[pl.Expr] = [pl.when(broken).then(pl.lit(reason)) for reason, broken in tried.items()]
    return pl.coalesce(whens) if whens else pl.lit(None, pl.String())
