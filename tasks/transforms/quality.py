"""质量 quality: signals of every text, and the rules that turn them into a reason.

Measuring and deciding are apart: `measure` knows no threshold, `rules` knows no text. All ratios lie in [0, 1] and are
taken over visible characters (spaces and line ends left out) unless said otherwise.

| reason | signal | source | refitted how |
|---|---|---|---|
| too_short, too_long | chars | ChineseWebText 200; MAP-CC 50 to 10,000 | novels and statutes are longer |
| not_chinese | han_ratio | ChineseWebText: Han < 30 % | |
| short_lines | mean_line_chars | ChineseWebText, HPLT: mean line < 10 | verse and code have short lines |
| few_terminal_marks | terminal_line_ratio | C4, FineWeb: lines end in . ! ? " | 。！？…”」, a share, not every line |
| symbol_noise | symbol_ratio | Gopher: # and ... against words | all symbols against characters |
| digit_noise | digit_ratio | MAP-CC: digits <= .3 of non-punctuation | |
| ellipsis_lines | ellipsis_line_ratio | Gopher, MAP-CC: <= .3, with 展开 and 更多 | |
| list_lines | list_line_ratio | Gopher, MAP-CC: bullet lines <= .9 | |
| bracket_noise | bracket_ratio | MAP-CC: 【】 content > .10 | |
| repeated_lines | duplicate_line_ratio | Gopher: duplicate lines <= .3 | share of characters, not of lines |
| repeated_ngrams | top_ngram_ratio, duplicate_ngram_ratio | MAP-CC .16 to .20; ChineseWebText .5 of 13-grams | |
| low_entropy | unigram_entropy | MAP-CC: entropy >= 3 | of characters, nat |
| few_stop_words | stop_characters | Gopher: two of eight stop words | kinds of function characters |
| flagged_words | flagged_ratio | MAP-CC, C4: bad words | share of characters, own list |
| advertising | advert_ratio | RefinedWeb, MAP-CC: line rules | density of 4 or more different phrases, own list |
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from data_contracts.stages import CleanConfig
from tasks.transforms import characters, lines, phrases, repetition
from tasks.transforms.characters import HAN, Kind, Table

# Function characters. A text of any period that has none of them is a list, a menu or noise.
STOP_MODERN = "的了是在和不有我这就也人都一个们到说要去你会着没"
STOP_CLASSICAL = "之乎者也其而以於于曰矣焉哉何不無无有所為为"
# Written Cantonese uses these all the time, standard Chinese hardly ever.
CANTONESE = "嘅咗啲喺嚟冇佢哋唔嗰乜嘢咁畀睇"
MIN_LINES = 4  # a share of fewer lines says nothing: extractors often give one line
TEXT = pl.col("text")
Signal = npt.NDArray[Any]  # [rows]


def measure(frame: pl.DataFrame) -> pl.DataFrame:
    """The same rows with every signal of the table above, for normalised `text`; null reads as empty."""
    parts = [_measured(frame["text"][start:stop]) for start, stop in characters.batches(frame["text"])]
    found = pl.concat(parts) if parts else _measured(frame["text"])
    return pl.concat([frame, found], how="horizontal").pipe(_phrases)


def _measured(text: pl.Series) -> pl.DataFrame:
    """Signals of one batch of rows."""
    codes = characters.decode(text)
    table = characters.tabulate(codes)
    laid = lines.layout(codes)
    repeated = repetition.repetition(codes)
    kind = table.kinds
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
            "symbol_ratio": (kind[:, Kind.SYMBOL] + kind[:, Kind.BROKEN]) / visible,
            "digit_ratio": kind[:, Kind.DIGIT] / visible,
            "mean_line_chars": laid.chars / count,
            **per_line,
            "duplicate_line_ratio": repeated.lines,
            "top_ngram_ratio": repeated.top,
            "duplicate_ngram_ratio": repeated.duplicate,
            "unigram_entropy": _entropy(table, len(text)),
            "cantonese_ratio": _cantonese(table, len(text)),
            "stop_characters": _stop_characters(table, len(text)),
        }
    )


def _entropy(table: Table, size: int) -> Signal:
    """Shannon entropy of each row's visible characters, nat; 0 for an empty row. Rounded: sums may differ in order."""
    seen = ~characters.kind_mask(Kind.SPACE, Kind.LINE_FEED)[table.points]
    rows, counts = table.rows[seen], table.counts[seen]
    total = np.maximum(1, np.bincount(rows, weights=counts, minlength=size))
    inner = np.bincount(rows, weights=_n_log_n()[counts], minlength=size)
    return np.round(np.maximum(0.0, np.log(total) - inner / total), 6)


@cache
def _n_log_n() -> Signal:
    n = np.arange(1, characters.SAMPLE + 1, dtype=np.float64)
    return np.append(0.0, n * np.log(n))


def _stop_characters(table: Table, size: int) -> Signal:
    """How many different function characters each row has: of modern or of classical Chinese, whichever is more."""
    found = []
    for stops in (STOP_MODERN, STOP_CLASSICAL):
        hit = characters.characters_mask(stops)[table.points]
        found.append(np.bincount(table.rows[hit], minlength=size))
    return np.maximum(*found)


def _cantonese(table: Table, size: int) -> Signal:
    """Share of characters that only written Cantonese uses much."""
    hit = characters.characters_mask(CANTONESE)[table.points]
    total = np.bincount(table.rows, weights=table.counts, minlength=size)
    return np.bincount(table.rows[hit], weights=table.counts[hit], minlength=size) / np.maximum(1, total)


def _phrases(frame: pl.DataFrame) -> pl.DataFrame:
    """Signals that need substrings: text inside 【】, flagged words, advertising phrases.

    Phrases are taken out only where a cheap count says that it can matter; elsewhere advert_ratio reads 0.
    """
    text, chars = frame["text"].fill_null(""), frame["chars"].clip(1)
    bracketed = text.str.contains("【", literal=True)
    flagged = text.str.contains_any(list(phrases.FLAGGED))
    advert = text.str.count_matches("|".join(phrases.ADVERTISING)) / chars > phrases.MIN_ADVERTS_PER_CHAR

    def share(hit: pl.Series, found: pl.Expr) -> tuple[Signal, Signal, Signal]:
        """(characters found / characters, pieces found, different ones) of every row, 0 where not hit."""
        lists = text.filter(hit).to_frame().select(found.alias("f")).to_series()
        here = hit.to_numpy()
        ratio, pieces, different = np.zeros(len(text)), np.zeros(len(text), np.int64), np.zeros(len(text), np.int64)
        ratio[here] = lists.list.join("").str.len_chars().to_numpy() / chars.filter(hit).to_numpy()
        pieces[here], different[here] = lists.list.len().to_numpy(), lists.list.n_unique().to_numpy()
        return ratio, pieces, different

    flagged_ratio, flagged_words, _ = share(flagged, TEXT.str.extract_many(list(phrases.FLAGGED), leftmost=True))
    advert_ratio, _, advert_phrases = share(advert, TEXT.str.extract_many(list(phrases.ADVERTISING), leftmost=True))
    return frame.with_columns(
        bracket_ratio=share(bracketed, TEXT.str.extract_all(r"【[^【】\n]{0,200}】"))[0],
        flagged_ratio=flagged_ratio,
        flagged_words=flagged_words,
        advert_ratio=advert_ratio,
        advert_phrases=advert_phrases,
    )


def length_rules(cfg: CleanConfig) -> dict[str, pl.Expr]:
    """Reason -> when it holds."""
    return {"too_short": pl.col("chars") < cfg.min_chars, "too_long": pl.col("chars") > cfg.max_chars}


def rules(cfg: CleanConfig) -> dict[str, pl.Expr]:
    """Reason -> when it holds, in the order in which they are tried."""
    signal = pl.col
    laid_out = signal("lines") >= MIN_LINES
    return {
        "low_entropy": signal("unigram_entropy") < cfg.min_unigram_entropy,
        "repeated_lines": signal("duplicate_line_ratio") > cfg.max_duplicate_line_ratio,
        "repeated_ngrams": (signal("top_ngram_ratio") > cfg.max_top_ngram_ratio)
        | (signal("duplicate_ngram_ratio") > cfg.max_duplicate_ngram_ratio),
        "symbol_noise": signal("symbol_ratio") > cfg.max_symbol_ratio,
        "digit_noise": signal("digit_ratio") > cfg.max_digit_ratio,
        "bracket_noise": signal("bracket_ratio") > cfg.max_bracket_ratio,
        "ellipsis_lines": laid_out & (signal("ellipsis_line_ratio") > cfg.max_ellipsis_line_ratio),
        "list_lines": laid_out & (signal("list_line_ratio") > cfg.max_list_line_ratio),
        "short_lines": signal("mean_line_chars") < cfg.min_mean_line_chars,
        "flagged_words": (signal("flagged_words") >= cfg.min_flagged_words)
        & (signal("flagged_ratio") > cfg.max_flagged_ratio),
        "advertising": (signal("advert_phrases") >= cfg.min_advert_phrases)
        & (signal("advert_ratio") > cfg.max_advert_ratio),
        "few_terminal_marks": signal("terminal_line_ratio") < cfg.min_terminal_line_ratio,
        "few_stop_words": signal("stop_characters") < cfg.min_stop_characters,
    }


def first_reason(tried: dict[str, pl.Expr]) -> pl.Expr:
    """The first reason whose expression is true, else null."""
    whens: list[pl.Expr] = [pl.when(broken).then(pl.lit(reason)) for reason, broken in tried.items()]
    return pl.coalesce(whens) if whens else pl.lit(None, pl.String())
