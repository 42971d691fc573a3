"""片段索引 gram index: which evaluation texts hold a run of n characters. Built once, searched by every shard.

A *unit* is one field of an evaluation item, folded (tasks/transforms/fold.py); a *gram* is a 64-bit hash of n folded
characters in a row. The arrays are sorted by gram, so that a search is a look-up in a bitmap and, for the few that
pass, a binary search. Two different grams share a hash with probability n²/2^65: 1e-6 for ten million of them.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tasks.transforms.flat_text import Codes, FlatText, Offsets, offsets_of

Grams = npt.NDArray[np.uint64]
Numbers = npt.NDArray[np.uint32]
Places = npt.NDArray[np.int64]

# Multipliers of splitmix64 (Steele et al. 2014): base of a polynomial hash, and its finaliser.
_BASE = np.uint64(0x9E3779B97F4A7C15)
_MIX = np.uint64(0xBF58476D1CE4E5B9)
_BITS_PER_GRAM = 32  # of the bitmap, in which a gram sets two: one foreign gram in 250 goes on to the binary search
_MAX_BITS = 33  # the bitmap has at most 2^33 bits, 1 GB


_CJK = 0x2E80  # from here on: Han, kana, Hangul


class GramIndex(NamedTuple):
    """Grams in ascending order; those of gram i stand in `units[starts[i]:starts[i + 1]]` at `places[...]`."""

    grams: Grams  # [n] distinct
    starts: Offsets  # [n + 1]
    units: Numbers  # [m] number of the unit that holds the gram
    places: Numbers  # [m] where the gram begins in the folded unit, its first place only
    codes: Codes  # [characters of all units] folded
    offsets: Offsets  # [units + 1] where each unit begins in `codes`
    unit_chars: npt.NDArray[np.float64]  # [units] what each unit weighs, in Han characters
    bitmap: npt.NDArray[np.uint8]  # bit h is set when the highest or the lowest bits of a gram are h


def weight(codes: Codes) -> npt.NDArray[np.float64]:
    """How much each character says: a Han character as much as about four Latin letters or digits."""
    return np.where(codes >= _CJK, 1.0, 0.25)


def grams_at(codes: Codes, chars: int, step: int = 1) -> Grams:
    """The gram that begins at every `step`-th place of `codes`; empty when there are fewer than `chars` of them."""
    windows = len(codes) - chars + 1
    if windows <= 0:
        return np.zeros(0, dtype=np.uint64)
    hashes = codes[:windows:step].astype(np.uint64)
    for i in range(1, chars):
        hashes *= _BASE
        hashes += codes[i : i + windows : step]
    hashes ^= hashes >> np.uint64(32)
    hashes *= _MIX
    hashes ^= hashes >> np.uint64(29)
    return hashes


def within(offsets: Offsets, chars: int, places: Places) -> tuple[npt.NDArray[np.bool_], Places]:
    """(whether the gram at each place lies in one text, that text's number)."""
    owner = np.searchsorted(offsets, places, side="right") - 1
    return places + chars <= offsets[owner + 1], owner


def build(keys: FlatText, chars: int, max_units_per_gram: int) -> GramIndex:
    """The index of folded units. A gram that more units hold is a formula of the test itself and is left out."""
    places = np.arange(max(0, len(keys.codes) - chars + 1))
    whole, owner = within(keys.offsets, chars, places)
    places, owner = places[whole], owner[whole]
    grams = grams_at(keys.codes, chars)[whole]
    order = np.lexsort((places, owner, grams))
    grams, places, owner = grams[order], places[order], owner[order]
    first = np.ones(len(grams), dtype=bool)  # of a gram that a unit repeats, the first place only
    first[1:] = (grams[1:] != grams[:-1]) | (owner[1:] != owner[:-1])
    grams, places, owner = grams[first], places[first], owner[first]
    heads = np.flatnonzero(np.concatenate((np.ones(min(1, len(grams)), bool), grams[1:] != grams[:-1])))
    counts = np.diff(heads, append=len(grams))
    telling = counts <= max_units_per_gram
    kept = np.repeat(telling, counts)
    distinct = grams[heads[telling]]
    return GramIndex(
        grams=distinct,
        starts=offsets_of(counts[telling]),
        units=owner[kept].astype(np.uint32),
        places=(places - keys.offsets[owner])[kept].astype(np.uint32),
        codes=keys.codes,
        offsets=keys.offsets,
        unit_chars=np.diff(np.concatenate(([0.0], np.cumsum(weight(keys.codes))))[keys.offsets]),
        bitmap=_bitmap(distinct),
    )


def _bitmap(grams: Grams) -> npt.NDArray[np.uint8]:
    bits = max(8, min(_MAX_BITS, (len(grams) * _BITS_PER_GRAM).bit_length()))
    flags = np.zeros(1 << bits, dtype=bool)
    for slots in (grams >> np.uint64(64 - bits), grams & np.uint64((1 << bits) - 1)):
        flags[slots] = True
    return np.packbits(flags, bitorder="little")


def _set(bitmap: npt.NDArray[np.uint8], slots: Grams) -> Places:
    """Positions of the slots whose bit is set."""
    bits = bitmap[slots >> np.uint64(3)] >> (slots & np.uint64(7)).astype(np.uint8)
    return np.flatnonzero(bits & np.uint8(1))


def found(index: GramIndex, grams: Grams) -> tuple[Places, Places]:
    """(positions in `grams`, their numbers in the index) of those that the index holds, in order of position."""
    if not len(index.grams) or not len(grams):
        return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
    bits = len(index.bitmap).bit_length() + 2
    likely = _set(index.bitmap, grams >> np.uint64(64 - bits))
    likely = likely[_set(index.bitmap, grams[likely] & np.uint64((1 << bits) - 1))]
    asked = grams[likely]
    order = np.argsort(asked)  # neighbours are asked for one after the other, and lie in the cache
    number = np.empty(len(asked), dtype=np.int64)
    number[order] = np.searchsorted(index.grams, asked[order])
    number[number == len(index.grams)] = 0
    real = index.grams[number] == asked
    return likely[real], number[real]
