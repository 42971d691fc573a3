"""词长 word lengths: the mean length of a text's words by the dictionary, from as little of the text as decides.

Chinese prose of today is made of words that a dictionary knows: 1.4 to 2.1 characters on average, classical text and
verse 1.1 to 1.5. Text whose characters stand in no order (badly scrambled, generated, mis-decoded) falls apart into
single characters: 1.03 to 1.09. New words are not guessed (no HMM): guessing makes words out of anything, and all kinds
of text measure alike. A text in traditional script is folded to simplified first, which the dictionary speaks.

Cutting costs 20 ms a megabyte, as much as everything else in clean together, so `measured` reads a window from the
middle of a text, and reads on only where the window leaves doubt.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from tasks.transforms.characters import HAN_RANGES
from tasks.transforms.script import simplify
from tasks.transforms.words import words

WINDOW = 48  # characters: the mean over a window of scrambled ones stays below 1.15, three deviations above its own
WIDE_WINDOW = 384  # characters, where the first window lies within DOUBT of a threshold
DOUBT = 0.12
_NO_HAN = f"[^{HAN_RANGES}]+"


def measured(frame: pl.DataFrame, low: float, high: float) -> pl.Series:
    """Mean length, characters, of the words of every row's `text`, null where it has none; between two thresholds."""
    narrow = _means(frame, WINDOW)
    doubtful = ((narrow < low + DOUBT) | (narrow > high - DOUBT)).fill_null(False) & (frame["chars"] > WINDOW)
    if not doubtful.any():
        return narrow
    return narrow.scatter(doubtful.arg_true(), _means(frame.filter(doubtful), WIDE_WINDOW))


def _means(frame: pl.DataFrame, window: int) -> pl.Series:
    start = ((pl.col("chars") - window) // 2).clip(0)
    windows = frame.select(pl.col("text").str.slice(start, window).str.replace_all(_NO_HAN, "\n")).to_series()
    foreign = frame["traditional_ratio"] > frame["simplified_ratio"]
    if foreign.any():
        windows = windows.scatter(foreign.arg_true(), simplify(windows.filter(foreign)))
    cut = words(windows.to_list(), hmm=False)
    rows = np.repeat(np.arange(len(windows)), np.diff(cut.offsets))[cut.is_word]
    count = np.bincount(rows, minlength=len(windows))
    chars = np.bincount(rows, cut.chars[cut.is_word], minlength=len(windows))
    means = np.divide(chars, count, out=np.full(len(count), np.nan), where=count > 0)
    return pl.Series("mean_word_chars", means).fill_nan(None)
