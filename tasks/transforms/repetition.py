"""重复 repetition: how much of a text repeats itself, in lines and in character n-grams.

Words are the wrong unit for Chinese repetition: they cost 30 times as much to find, and an n-gram of characters says
the same. Spaces and punctuation are left out of n-grams, as MAP-CC does, so that table rules and code indentation do
not count. A polynomial hash modulo 2^64 over scrambled code points stands for each segment.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from tasks.transforms.characters import LINE_FEED, ROW_SHIFT, WORD, Codes, kind_mask, runs, sampled

Hashes = npt.NDArray[np.uint64]
Ratios = npt.NDArray[np.float64]
Index = npt.NDArray[np.int64]

TOP_CHARS = 4  # about two to three words, the middle of MAP-CC's top 2-, 3- and 4-gram rules
DUPLICATE_CHARS = 13  # ChineseWebText: repeated 13-grams of characters
SAMPLE = 2048  # n-grams of one row; of a row ten times as long the shares are right to about .1
MAX_CHARS = 1_000_000  # only so much of a text is looked at, which bounds memory
_BASE = 0x9E3779B97F4A7C15  # odd, so that it has an inverse modulo 2^64


@lru_cache(maxsize=2)
def _powers(length: int) -> tuple[Hashes, Hashes]:
    """_BASE^i and _BASE^-i modulo 2^64 for i < length."""
    ones = np.ones(length, np.uint64)
    up, down = ones.copy(), ones.copy()
    up[1:], down[1:] = np.uint64(_BASE), np.uint64(pow(_BASE, -1, 1 << 64))
    return np.cumprod(up, dtype=np.uint64), np.cumprod(down, dtype=np.uint64)


def _prefix(points: npt.NDArray[np.uint32]) -> tuple[Hashes, Hashes]:
    """Hashes of all prefixes (one more than points), and the factors that move a segment to position 0."""
    up, down = _powers(1 << max(16, len(points).bit_length()))
    scrambled = points.astype(np.uint64)
    scrambled *= np.uint64(0xD6E8FEB86659FD93)
    scrambled ^= scrambled >> np.uint64(32)
    scrambled *= up[: len(points)]
    hashes = np.zeros(len(points) + 1, np.uint64)
    np.cumsum(scrambled, out=hashes[1:])
    return hashes, down


class Repetition(NamedTuple):
    """Shares of each row, [rows]; 0 for an empty row."""

    lines: Ratios  # of its word characters, those in lines that occurred before in the row
    top: Ratios  # of its word characters, those in its most frequent n-gram of TOP_CHARS; 0 where none occurs twice
    duplicate: Ratios  # 1 - distinct / all n-grams of DUPLICATE_CHARS


def repetition(codes: Codes) -> Repetition:
    """Measure every row. Rows of more than SAMPLE n-grams are estimated.

    top is then taken from scattered n-grams, duplicate from the n-grams whose hash has zeros in a fixed place
    (which keeps or drops all copies of one n-gram together).
    """
    keep = kind_mask(*WORD)[codes.points]
    if codes.lengths.max(initial=0) > MAX_CHARS:
        keep &= np.arange(len(keep)) - np.repeat(codes.starts, codes.lengths) < MAX_CHARS
    before = np.zeros(len(keep) + 1, np.int64)
    np.cumsum(keep, out=before[1:])
    starts = before[codes.starts]
    lengths = before[codes.starts + codes.lengths] - starts
    hashes, down = _prefix(codes.points[keep])
    return Repetition(
        _lines(codes, before, hashes, down),
        _top(hashes, down, starts, lengths),
        _duplicate(hashes, down, starts, lengths),
    )


def _lines(codes: Codes, before: Index, hashes: Hashes, down: Hashes) -> Ratios:
    """`before[i]` is the number of word characters before point i; lines without any do not count."""
    ends = before[np.flatnonzero(codes.points == LINE_FEED)]
    begins = np.append(0, ends[:-1])[: len(ends)]
    filled = ends > begins
    ends, begins = ends[filled], begins[filled]
    row = np.searchsorted(before[codes.starts + codes.lengths], begins, side="right")
    line = (hashes[ends] - hashes[begins]) * down[begins]
    line ^= (row.astype(np.uint64) + np.uint64(1)) * np.uint64(0xC2B2AE3D27D4EB4F)
    again = ~pl.Series(line).is_first_distinct().to_numpy()
    rows, width = len(codes.lengths), ends - begins
    repeated = np.bincount(row[again], weights=width[again], minlength=rows)
    return repeated / np.maximum(1, np.bincount(row, weights=width, minlength=rows))


def _top(hashes: Hashes, down: Hashes, starts: Index, lengths: Index) -> Ratios:
    grams = np.maximum(0, lengths - TOP_CHARS + 1)
    row, at = sampled(starts, grams, SAMPLE // 2)
    distinct, counts = runs(_key((hashes[at + TOP_CHARS] - hashes[at]) * down[at], row))
    number = np.bincount(distinct >> np.uint32(ROW_SHIFT), minlength=len(lengths))
    most, present = np.zeros(len(lengths)), np.flatnonzero(number)
    if len(present):
        most[present] = np.maximum.reduceat(counts, (np.cumsum(number) - number)[present])
    taken = np.bincount(row, minlength=len(lengths))
    return np.where(most > 1, np.minimum(1.0, most * TOP_CHARS / np.maximum(1, taken)), 0.0)


def _duplicate(hashes: Hashes, down: Hashes, starts: Index, lengths: Index) -> Ratios:
    n, rows = DUPLICATE_CHARS, len(lengths)
    grams = np.maximum(0, lengths - n + 1)
    if not grams.any():
        return np.zeros(rows)
    key = hashes[n:] - hashes[:-n]
    key *= down[: len(key)]
    inside = np.ones(len(hashes) - 1, bool)
    last = (starts + lengths)[:, None] - np.arange(1, n)
    inside[last[last >= starts[:, None]]] = False  # n-grams that would reach into the next row
    inside = inside[: len(key)]
    spread = np.ceil(np.log2(np.maximum(1, grams / SAMPLE))).astype(np.uint64)
    if spread.any():  # the low half of the product decides, the high half is the key
        zeros = np.repeat(((np.uint64(1) << spread) - np.uint64(1)) << np.uint64(24), lengths)[: len(key)]
        inside &= (key * np.uint64(_BASE) & zeros) == 0
    at = np.flatnonzero(inside)
    sampled = np.add.reduceat(np.append(inside, np.zeros(n, bool)), starts, dtype=np.int64) * (lengths > 0)
    distinct, _ = runs(_key(key[at], np.repeat(np.arange(rows), sampled)))
    number = np.bincount(distinct >> np.uint32(ROW_SHIFT), minlength=rows)
    return np.where(sampled > 0, 1 - number / np.maximum(1, sampled), 0.0)


def _key(hashes: Hashes, row: Index) -> npt.NDArray[np.uint32]:
    """The best bits of each hash below its row's number: of 1024 n-grams of a row, two collide once in four rows."""
    key = ((hashes * np.uint64(_BASE)) >> np.uint64(64 - ROW_SHIFT)).astype(np.uint32)
    key |= row.astype(np.uint32) << np.uint32(ROW_SHIFT)
    return key
