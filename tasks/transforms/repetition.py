"""重复 repetition: how much of a text repeats itself, in lines and in character n-grams.

Words are the wrong unit for Chinese repetition: they cost 30 times as much to find, and an n-gram of characters says
the same. Spaces and punctuation are left out of n-grams, as MAP-CC does, so that table rules and code indentation do
not count. A polynomial hash modulo 2^64 over scrambled code points stands for each segment.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from tasks.transforms.characters import LINE_FEED, WORD, Codes, kind_mask, runs

Hashes = npt.NDArray[np.uint64]
Ratios = npt.NDArray[np.float64]

TOP_CHARS = 4  # about two to three words, the middle of MAP-CC's top 2-, 3- and 4-gram rules
DUPLICATE_CHARS = 13  # ChineseWebText: repeated 13-grams of characters
MAX_CHARS = 1_000_000  # only so much of a text is looked at, which bounds memory
_BASE = 0x9E3779B97F4A7C15  # odd, so that it has an inverse modulo 2^64
_HASH_BITS = 44  # bits of an n-gram's hash in a sort key; the rest hold the row's number within its batch


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


def line_ratio(codes: Codes) -> Ratios:
    """Share of each row's characters that stand in a line which occurred before in it; 0 for an empty row."""
    ends = np.flatnonzero(codes.points == LINE_FEED)
    begins = np.concatenate([[0], ends[:-1] + 1]).astype(np.int64) if len(ends) else ends
    filled = ends > begins
    ends, begins = ends[filled], begins[filled]
    row = np.searchsorted(codes.starts, begins, side="right") - 1
    hashes, down = _prefix(codes.points)
    line = (hashes[ends] - hashes[begins]) * down[begins]
    line ^= (row.astype(np.uint64) + np.uint64(1)) * np.uint64(0xC2B2AE3D27D4EB4F)
    _, first = np.unique(line, return_index=True)
    repeated = np.ones(len(line), bool)
    repeated[first] = False
    rows, width = len(codes.lengths), ends - begins
    again = np.bincount(row[repeated], weights=width[repeated], minlength=rows)
    return again / np.maximum(1, np.bincount(row, weights=width, minlength=rows))


def ngram_ratios(codes: Codes) -> tuple[Ratios, Ratios]:
    """(top_ngram_ratio, duplicate_ngram_ratio) of each row.

    top: share of the row's word characters that its most frequent n-gram of TOP_CHARS covers, 0 where none occurs
    twice. duplicate: 1 - distinct / all n-grams of DUPLICATE_CHARS. Both 0 for a row shorter than its n.
    """
    keep = kind_mask(*WORD)[codes.points]
    if codes.lengths.max(initial=0) > MAX_CHARS:
        keep &= np.arange(len(keep)) - np.repeat(codes.starts, codes.lengths) < MAX_CHARS
    lengths = np.add.reduceat(keep, codes.starts, dtype=np.int64) if len(codes.starts) else codes.lengths
    hashes, down = _prefix(codes.points[keep])
    _, most = _counted(hashes, down, lengths, TOP_CHARS)
    distinct, _ = _counted(hashes, down, lengths, DUPLICATE_CHARS)
    top = np.where(most > 1, np.minimum(1.0, most * TOP_CHARS / np.maximum(1, lengths)), 0.0)
    return top, 1 - distinct / np.maximum(1, lengths - DUPLICATE_CHARS + 1) * (lengths >= DUPLICATE_CHARS) - (
        lengths < DUPLICATE_CHARS
    )


def _counted(hashes: Hashes, down: Hashes, lengths: npt.NDArray[np.int64], n: int) -> tuple[Ratios, Ratios]:
    """Per row: number of distinct n-grams, and how often the most frequent one occurs."""
    rows, total = len(lengths), len(hashes) - 1
    grams = np.maximum(0, lengths - n + 1)
    if not grams.any():
        return np.zeros(rows), np.zeros(rows)
    key = (hashes[n:] - hashes[:-n]) * down[: total - n + 1]
    key *= np.uint64(_BASE)
    key >>= np.uint64(64 - _HASH_BITS)
    inside = np.ones(total, bool)
    last = np.cumsum(lengths)[:, None] - np.arange(1, n)
    inside[last[(last >= (np.cumsum(lengths) - lengths)[:, None])]] = False
    key = key[inside[: len(key)]]
    key |= np.repeat(np.arange(rows, dtype=np.uint64) << np.uint64(_HASH_BITS), grams)
    distinct, counts = runs(key)
    row = (distinct >> np.uint64(_HASH_BITS)).astype(np.int64)
    most = np.zeros(rows)
    number = np.bincount(row, minlength=rows)
    present = np.flatnonzero(number)
    most[present] = np.maximum.reduceat(counts, (np.cumsum(number) - number)[present])
    return number.astype(np.float64), most
