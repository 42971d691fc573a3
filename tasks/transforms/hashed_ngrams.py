"""散列片段 hashed n-grams: what a linear classifier sees of a text, and what it makes of it.

Every run of 1 to n characters is hashed into one of 2^bits buckets. Characters are read as people read them: script,
width and case are folded, digits are one character, private use is one character, white space is one blank. A text of m
n-grams counts each as

    1 / sqrt(m)             for m <= FULL
    sqrt(FULL) / m          beyond

so a short text is a vector of about length one, in which evidence grows with length, and a long one the mean of its
passages: twice the same text has the same score. Scoring is one gather from the weights for every n-gram, no matrix.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from functools import cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tasks.transforms.flat_text import Codes, FlatText, batches, flat_text
from tasks.transforms.fold import simplified

FULL = 3000  # n-grams: a passage of about a thousand characters
BATCH_CHARS = 1 << 17  # of a batch that is scored: its arrays stay in the cache
_BLANK, _PRIVATE, _DIGIT = 0x20, 0xE000, 0x30
# Odd constants of xxHash (Collet 2012) and the finaliser of MurmurHash3 (Appleby 2011), on 32 bits.
_BASE, _MIX = np.uint32(0x9E3779B1), np.uint32(0x85EBCA6B)

Buckets = npt.NDArray[np.uint32]
Weights = npt.NDArray[np.float32]


class Hashed(NamedTuple):
    """The n-grams of some texts: entry i is in bucket `buckets[i]` and belongs to text `rows[i]`."""

    buckets: Buckets
    rows: npt.NDArray[np.int64]
    scale: npt.NDArray[np.float64]  # [texts] what one n-gram counts


def read(texts: Sequence[str]) -> FlatText:
    """Texts end to end, as characters that are told apart."""
    flat = flat_text(texts)
    return FlatText(_table().take(flat.codes, mode="clip"), flat.offsets)


def scores(texts: Sequence[str], weights: Weights, chars: int) -> npt.NDArray[np.float64]:
    """Sum of the weights of each text's n-grams of 1 to `chars` characters, times their scale; 0 for an empty text."""
    parts = [_scores(read(texts[some]), weights, chars) for some in batches(texts, BATCH_CHARS)]
    return np.concatenate(parts) if parts else np.zeros(0)


def _scores(flat: FlatText, weights: Weights, chars: int) -> npt.NDArray[np.float64]:
    lengths = np.diff(flat.offsets)
    shift = _shift(len(weights))
    total = np.zeros(len(flat.codes) + 1, np.float64)  # one more, so that an empty text at the end has a place
    for n, keys in _grams(flat.codes, chars):
        worth = weights.take(_mixed(keys, shift))
        worth[_crossing(flat.offsets, n, len(worth))] = 0.0
        total[: len(worth)] += worth
    sums = np.add.reduceat(total, flat.offsets[:-1]) if len(lengths) else np.zeros(0)
    return np.where(lengths > 0, sums * scale(lengths, chars), 0.0)


def hashed(flat: FlatText, bits: int, chars: int) -> Hashed:
    """Every n-gram of texts by itself: for training."""
    lengths = np.diff(flat.offsets)
    owner = np.repeat(np.arange(len(lengths)), lengths)
    buckets, rows = [], []
    for n, keys in _grams(flat.codes, chars):
        within = np.ones(len(keys), bool)
        within[_crossing(flat.offsets, n, len(keys))] = False
        buckets.append(_mixed(keys, _shift(1 << bits))[within])
        rows.append(owner[: len(keys)][within])
    return Hashed(np.concatenate(buckets), np.concatenate(rows), scale(lengths, chars))


def scale(lengths: npt.NDArray[np.int64], chars: int) -> npt.NDArray[np.float64]:
    """What one n-gram of texts of so many characters counts."""
    number = np.zeros(len(lengths))
    for n in range(1, chars + 1):
        number += np.maximum(lengths - n + 1, 0)
    number = np.maximum(number, 1.0)
    return np.where(number <= FULL, 1.0 / np.sqrt(number), np.sqrt(FULL) / number)


def _grams(codes: Codes, chars: int) -> Iterator[tuple[int, Buckets]]:
    """(n, polynomial hash of the n characters from each place on) for n from 1; texts are not kept apart."""
    keys = np.zeros(len(codes), np.uint32)
    for n in range(1, chars + 1):
        if len(codes) < n:
            yield n, keys[:0]
            continue
        keys = keys[: len(codes) - n + 1] * _BASE + codes[n - 1 :] + np.uint32(n)
        yield n, keys


def _mixed(keys: Buckets, shift: np.uint32) -> Buckets:
    mixed = keys ^ (keys >> np.uint32(15))
    mixed *= _MIX
    mixed ^= mixed >> np.uint32(13)
    mixed *= _BASE
    mixed >>= shift
    return mixed


def _shift(buckets: int) -> np.uint32:
    return np.uint32(32 - (buckets.bit_length() - 1))


def _crossing(offsets: npt.NDArray[np.int64], n: int, places: int) -> npt.NDArray[np.int64]:
    """Places from which n characters reach beyond their text."""
    reach = (offsets[1:, None] - np.arange(1, n)).ravel()
    return reach[(reach >= np.repeat(offsets[:-1], n - 1)) & (reach < places)]


@cache
def _table() -> Codes:
    """What each code point is read as; the last entry stands for all that lie beyond."""
    table = simplified().copy()
    for code in range(len(table)):
        char = chr(int(table[code]))
        kind = unicodedata.category(char)
        if kind == "Nd":
            table[code] = _DIGIT
        elif kind == "Co" or 0xE000 <= code <= 0xF8FF:
            table[code] = _PRIVATE
        elif char.isspace():
            table[code] = _BLANK
        elif kind in ("Lu", "Ll", "Lt"):
            folded = unicodedata.normalize("NFKC", char).lower()
            table[code] = ord(folded) if len(folded) == 1 else table[code]
    table[-1] = _PRIVATE
    table.setflags(write=False)
    return table
