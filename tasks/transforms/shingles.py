"""片段 shingles: every run of n characters of a key as one 64-bit hash, for many keys at once."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tasks.transforms.flat_text import FlatText, Offsets, offsets_of

Hashes = npt.NDArray[np.uint64]

# Multipliers of splitmix64 (Steele et al. 2014), as constants of a polynomial hash and of its finaliser.
_BASE = np.uint64(0x9E3779B97F4A7C15)
_MIX_1, _MIX_2 = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)


def shingles(keys: FlatText, chars: int) -> tuple[Hashes, Offsets]:
    """Hashes of all n-grams of every key, and the n + 1 offsets of the keys in them.

    A key shorter than `chars` has one shingle, the key itself; so has an empty one.
    """
    codes, offsets = _padded(keys, chars)
    lengths = np.diff(offsets)
    if not len(codes):
        return np.zeros(0, dtype=np.uint64), offsets
    windows = len(codes) - chars + 1
    hashes = np.zeros(windows, dtype=np.uint64)
    for i in range(chars):
        hashes *= _BASE
        hashes += codes[i : i + windows]
    within = np.ones(windows, dtype=bool)  # windows that do not reach into the next key
    if chars > 1:
        reach = offsets[1:-1, None] - np.arange(1, chars)
        within[reach.ravel()] = False
    return _mixed(hashes[within]), offsets_of(lengths - chars + 1)


def _padded(keys: FlatText, chars: int) -> FlatText:
    """Keys of at least `chars` code points; code point 0, which no key holds, fills short ones."""
    lengths = np.diff(keys.offsets)
    short = np.maximum(chars - lengths, 0)
    if not short.any():
        return keys
    places = np.repeat(keys.offsets[1:], short)
    return FlatText(np.insert(keys.codes, places, 0), offsets_of(lengths + short))


def _mixed(hashes: Hashes) -> Hashes:
    hashes ^= hashes >> np.uint64(30)
    hashes *= _MIX_1
    hashes ^= hashes >> np.uint64(27)
    hashes *= _MIX_2
    hashes ^= hashes >> np.uint64(31)
    return hashes
