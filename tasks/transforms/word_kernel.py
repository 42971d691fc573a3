"""计词内核 word kernel: short words as 64-bit numbers, counted in a hash table by a compiled loop."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from tasks.transforms.compiled import compiled

SHORT = 4  # characters of a word that fit into a number, 16 bits each

Whole = Any  # a number inside a kernel: machine integers, for which Python has no type
Keys = npt.NDArray[np.uint64]
Counts = npt.NDArray[np.int64]


@compiled
def _place(key: Whole, mask: Whole) -> Whole:
    mixed = np.uint64(key) * np.uint64(0x9E3779B97F4A7C15)
    return np.int64(mixed >> np.uint64(32)) & mask


@compiled
def _add(key: Whole, times: Whole, keys: Keys, counts: Counts) -> Whole:
    """Count a word; 1 when it is new, else 0. No word is 0, which marks a free place."""
    mask = np.int64(len(keys) - 1)
    at = _place(key, mask)
    while keys[at] != key:
        if keys[at] == 0:
            keys[at] = key
            counts[at] = times
            return np.int64(1)
        at = (at + 1) & mask
    counts[at] += times
    return np.int64(0)


@compiled
def moved(keys: Keys, counts: Counts, to_keys: Keys, to_counts: Counts) -> None:
    """Put everything of one table into another, larger one."""
    for at in range(len(keys)):
        if keys[at] != 0:
            _add(keys[at], counts[at], to_keys, to_counts)


@compiled
def count(
    codes: npt.NDArray[np.uint32],
    lengths: npt.NDArray[np.uint32],
    is_word: npt.NDArray[np.bool_],
    keys: Keys,
    counts: Counts,
    long: npt.NDArray[np.int64],
) -> tuple[Whole, Whole]:
    """Count the short words of texts that lie end to end in `codes`; (new words, long words).

    Units have these `lengths`; where the long ones begin and end goes to `long`, two numbers each.
    """
    at, fresh, found = np.int64(0), np.int64(0), np.int64(0)
    for unit in range(len(lengths)):
        end = at + np.int64(lengths[unit])
        if is_word[unit]:
            key, fits = np.uint64(0), end - at <= SHORT
            if fits:
                for i in range(at, end):
                    fits = fits and codes[i] <= 0xFFFF
                    key |= np.uint64(codes[i]) << np.uint64(16 * (i - at))
            if fits:
                fresh += _add(key, np.int64(1), keys, counts)
            else:
                long[2 * found], long[2 * found + 1] = at, end
                found += 1
        at = end
    return fresh, found
