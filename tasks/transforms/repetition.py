"""重复 repetition: how much of a text repeats itself, in lines and in character n-grams.

Words are the wrong unit for Chinese repetition: they cost 30 times as much to find, and an n-gram of characters says
the same. Spaces and punctuation are left out of n-grams, as MAP-CC does, so that table rules and code indentation do
not count. A polynomial hash modulo 2^64 over scrambled code points stands for each segment.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from tasks.transforms.characters import WORD, Codes, Points, kind_mask
from tasks.transforms.compiled import compiled

Hashes = npt.NDArray[np.uint64]
Ratios = npt.NDArray[np.float64]
Table = npt.NDArray[Any]

TOP_CHARS = 4  # about two to three words, the middle of MAP-CC's top 2-, 3- and 4-gram rules
SHORT_CHARS = 5  # MAP-CC: duplicate 5- to 10-grams; templates differ too often for longer ones
DUPLICATE_CHARS = 13  # ChineseWebText: repeated 13-grams of characters
SAMPLE = 1024  # n-grams of one row; of a row ten times as long the shares are right to about .1
MAX_CHARS = 1_000_000  # only so much of a text is looked at, which bounds memory
_SLOTS = 4 * SAMPLE  # of a hash table for n-grams, which is never more than half full; two lie in one array
_ODD = np.uint64(0x9E3779B97F4A7C15)


class Repetition(NamedTuple):
    """Shares of each row, [rows]; 0 for an empty row."""

    lines: Ratios  # of its word characters, those in lines that occurred before in the row
    top: Ratios  # of its word characters, those in its most frequent n-gram of TOP_CHARS; 0 where none occurs twice
    short: Ratios  # 1 - distinct / all n-grams of SHORT_CHARS
    duplicate: Ratios  # 1 - distinct / all n-grams of DUPLICATE_CHARS


def repetition(codes: Codes) -> Repetition:
    """Measure every row. Rows of more than SAMPLE n-grams are estimated.

    top is then taken from scattered n-grams, the others from the n-grams whose hash has zeros in a fixed place
    (which keeps or drops all copies of one n-gram together). A text measures the same in any company.
    """
    found = Repetition(*(np.zeros(len(codes.lengths)) for _ in Repetition._fields))
    longest = int(min(codes.lengths.max(initial=1), MAX_CHARS)) + 1
    slots = max(
        2 * _SLOTS, 1 << (2 * longest).bit_length()
    )  # room for a text of lines of one character; rarely touched
    words, keys, stamps = np.empty(longest, np.uint64), np.empty(slots, np.uint64), np.zeros(slots, np.int32)
    counts = np.empty(_SLOTS, np.int32)
    is_word = kind_mask(*WORD)
    _repetition(codes.points, codes.starts, codes.lengths, is_word, MAX_CHARS, words, keys, stamps, counts, *found)
    return found


@compiled
def _repetition(
    points: Points, starts: Table, lengths: Table, is_word: Table, most: int,
    words: Hashes, keys: Hashes, stamps: Table, counts: Table,
    lines: Ratios, top: Ratios, short: Ratios, duplicate: Ratios,
) -> None:  # fmt: skip
    """`stamps` says in which pass a slot was filled, so that no pass has to empty the table of the one before."""
    stamp = 0
    for row in range(len(starts)):
        begin = starts[row]
        end = begin + min(lengths[row], most)
        stamp += 1
        number, lines[row] = _lines(points, begin, end, is_word, words, keys, stamps, stamp)
        stamp += 1
        top[row] = _top(words, number, keys, stamps, stamp, counts)
        stamp += 2
        short[row], duplicate[row] = _duplicates(words, number, keys, stamps, stamp)


@compiled
def _place(key: Any, keys: Hashes, stamps: Table, stamp: int, mask: int) -> Any:
    """The slot that holds a key, or the free one that would."""
    slot = np.int64(key * _ODD >> np.uint64(40)) & mask
    while stamps[slot] == stamp and keys[slot] != key:
        slot = (slot + 1) & mask
    return slot


@compiled
def _lines(
    points: Points, begin: int, end: int, is_word: Table, words: Hashes, keys: Hashes, stamps: Table, stamp: int
) -> tuple[int, float]:
    """(word characters, share of them in lines that occurred before); fills `words` with scrambled characters."""
    feeds = 1
    for i in range(begin, end):
        feeds += points[i] == 10
    mask = 15
    while mask < 2 * feeds:
        mask = 2 * mask + 1
    number, first, repeated, line = 0, 0, 0, np.uint64(0)
    for i in range(begin, end + 1):
        if i < end and points[i] != 10:
            if is_word[points[i]]:
                word = np.uint64(points[i]) * np.uint64(0xD6E8FEB86659FD93)
                word ^= word >> np.uint64(32)
                words[number] = word
                number += 1
                line = line * _ODD + word
        elif number > first:
            slot = _place(line, keys, stamps, stamp, mask)
            if stamps[slot] == stamp:
                repeated += number - first
            else:
                keys[slot], stamps[slot] = line, stamp
            first, line = number, np.uint64(0)
    return number, repeated / max(1, number)


@compiled
def _top(words: Hashes, number: int, keys: Hashes, stamps: Table, stamp: int, counts: Table) -> float:
    grams = number - TOP_CHARS + 1
    if grams <= 0:
        return 0.0
    step = -(-grams // SAMPLE)
    mask = 15
    while mask < 2 * min(grams, SAMPLE):
        mask = 2 * mask + 1
    most, taken, at = 0, 0, 0
    while at < grams:
        # one out of every `step` places, scattered: a text with a period would else show always the same face
        place = min(at + ((taken * 0x9E3779B1) >> 16) % step, grams - 1)
        key = np.uint64(0)
        for k in range(TOP_CHARS):
            key = key * _ODD + words[place + k]
        slot = _place(key, keys, stamps, stamp, mask)
        if stamps[slot] != stamp:
            keys[slot], stamps[slot], counts[slot] = key, stamp, 0
        counts[slot] += 1
        most = max(most, counts[slot])
        taken += 1
        at += step
    return min(1.0, most * TOP_CHARS / taken) if most > 1 else 0.0


@compiled
def _duplicates(words: Hashes, number: int, keys: Hashes, stamps: Table, stamp: int) -> tuple[float, float]:
    """Shares of n-grams that occurred before, of SHORT_CHARS and of DUPLICATE_CHARS, both in one pass."""
    grams = number - SHORT_CHARS + 1
    if grams <= 0:
        return 0.0, 0.0
    zeros = np.uint64(0)  # a mask of bits that must be zero: one more for every doubling beyond SAMPLE
    while grams > SAMPLE * np.int64(zeros + np.uint64(1)):
        zeros = zeros * np.uint64(2) + np.uint64(1)
    mask = 15
    while mask < 2 * min(grams, SAMPLE):
        mask = 2 * mask + 1
    leaving_short, leaving = np.uint64(1), np.uint64(1)
    for i in range(DUPLICATE_CHARS):
        leaving *= _ODD
        if i < SHORT_CHARS:
            leaving_short *= _ODD
    short, long, half = np.uint64(0), np.uint64(0), mask + 1  # the long ones lie in the second half of the table
    taken_short, distinct_short, taken, distinct = 0, 0, 0, 0
    for i in range(number):
        word = words[i]
        short, long = short * _ODD + word, long * _ODD + word
        if i >= SHORT_CHARS:
            short -= leaving_short * words[i - SHORT_CHARS]
        if i >= DUPLICATE_CHARS:
            long -= leaving * words[i - DUPLICATE_CHARS]
        if i >= SHORT_CHARS - 1 and (short ^ short >> np.uint64(29)) & zeros == 0 and 2 * distinct_short <= mask:
            taken_short += 1
            distinct_short += _is_new(short, keys, stamps, stamp, mask, 0)
        if i >= DUPLICATE_CHARS - 1 and (long ^ long >> np.uint64(29)) & zeros == 0 and 2 * distinct <= mask:
            taken += 1
            distinct += _is_new(long, keys, stamps, stamp, mask, half)
    return 1 - distinct_short / taken_short if taken_short else 0.0, 1 - distinct / taken if taken else 0.0


@compiled
def _is_new(key: Any, keys: Hashes, stamps: Table, stamp: int, mask: int, first: int) -> Any:
    """Put a key into the table that begins at slot `first`; whether it was not there."""
    slot = np.int64(key * _ODD >> np.uint64(40)) & mask
    while stamps[first + slot] == stamp and keys[first + slot] != key:
        slot = (slot + 1) & mask
    new = stamps[first + slot] != stamp
    keys[first + slot], stamps[first + slot] = key, stamp
    return new
