r"""编码内核 bpe kernel: byte-level BPE by Qwen2's expression as a compiled loop, for text that repeats itself little.

gigatoken is fast because it remembers; runs of Han characters are nearly all new, and for a new one it takes three
times as long as this loop, which remembers nothing. The expression, alternative by alternative, at a character that
begins a piece (L letter, N number, S white space, R carriage return or line feed, which are S too, O any other):

    1  (?i:'s|'t|'re|'ve|'m|'ll|'d)
    2  [^\r\n\p{L}\p{N}]?\p{L}+     one S (not R) or O before letters goes with them
    3  \p{N}
    4   ?[^\s\p{L}\p{N}]+[\r\n]*     one space, a run of O, and the line ends behind it
    5  \s*[\r\n]+                   white space up to and with its last line end
    6  \s+(?!\S)                    white space but for its last character, or to the end of the text
    7  \s+

Within a piece the pair of tokens that was learnt first is joined first, the leftmost of equals, until no pair is left.
It may begin from characters instead of bytes, with the same end, when (a) the bytes of each of its characters join to
one token, by pairs all learnt before any pair that this token is part of, and (b) no two neighbours could hold a token
that takes a character apart and reaches into the next. (a) says that whatever waits for a character would have waited
for it anyway, (b) that nobody else takes its bytes. A vocabulary of 16,384 has about 40 tokens that (b) is about.

A text is given back undone (count -1) when it holds a character that the table of kinds does not know, a long s behind
an apostrophe, or a piece of more than LONGEST bytes, for which joining in a loop takes too long.
"""

from __future__ import annotations

import unicodedata
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from tasks.transforms.compiled import compiled

OTHER, LETTER, NUMBER, SPACE, LINE_END, UNKNOWN = 0, 1, 2, 3, 4, 5
LONGEST = 600  # bytes of a piece
LAST = 0x323B0  # behind the last Han character; what comes later is read byte by byte
NONE = np.int32(2**31 - 1)  # rank of a pair that is never joined
# Oniguruma's \s, which is what `tokenizers` reads; Python's own isspace() also takes U+001C to U+001F.
_SPACES = (9, 11, 12, 32, 0x85, 0xA0, 0x1680, *range(0x2000, 0x200B), 0x2028, 0x2029, 0x202F, 0x205F, 0x3000)

Whole = Any  # a number inside a kernel: machine integers, for which Python has no type
Bytes = npt.NDArray[np.uint8]
Offsets = npt.NDArray[np.int64]


@cache
def kinds() -> Bytes:
    """The kind of every code point. What this Python's Unicode has not assigned is UNKNOWN: another's may have."""
    found = np.full(0x110000, UNKNOWN, dtype=np.uint8)
    by_category = {"L": LETTER, "N": NUMBER, "M": OTHER, "P": OTHER, "S": OTHER, "Z": OTHER}
    for code in range(LAST):
        category = unicodedata.category(chr(code))
        if category != "Cn":
            found[code] = by_category.get(category[0], OTHER)
    found[0xE0000:0xE01F0] = [
        UNKNOWN if unicodedata.category(chr(c)) == "Cn" else OTHER for c in range(0xE0000, 0xE01F0)
    ]
    found[list(_SPACES)] = SPACE
    found[[10, 13]] = LINE_END
    found.setflags(write=False)
    return found


def pair_table(merges: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.int32]]:
    """Rows (left, right, joined id) in the order of learning -> a hash table of pairs: keys, (rank, joined id)."""
    size = 1 << max(4, int(4 * len(merges) - 1).bit_length())
    keys = np.full(size, np.uint64(2**64 - 1), dtype=np.uint64)
    values = np.full((size, 2), NONE, dtype=np.int32)
    _fill(merges, keys, values)
    return keys, values


@compiled
def _place(key: Whole, mask: Whole) -> Whole:
    mixed = np.uint64(key) * np.uint64(0x9E3779B97F4A7C15)
    return np.int64(mixed >> np.uint64(32)) & mask


@compiled
def _fill(merges: npt.NDArray[np.int64], keys: npt.NDArray[np.uint64], values: npt.NDArray[np.int32]) -> None:
    mask = np.int64(len(keys) - 1)
    for rank in range(len(merges)):
        key = np.uint64(merges[rank, 0]) << np.uint64(32) | np.uint64(merges[rank, 1])
        at = _place(key, mask)
        while keys[at] != np.uint64(2**64 - 1) and keys[at] != key:
            at = (at + 1) & mask
        if keys[at] == key:
            continue  # the first of two equal pairs counts
        keys[at] = key
        values[at, 0] = rank
        values[at, 1] = merges[rank, 2]


@compiled
def _slot(left: Whole, right: Whole, keys: npt.NDArray[np.uint64]) -> Whole:
    """Where a pair stands in the table, -1 when it is never joined."""
    mask = np.int64(len(keys) - 1)
    key = np.uint64(left) << np.uint64(32) | np.uint64(right)
    at = _place(key, mask)
    while keys[at] != key:
        if keys[at] == np.uint64(2**64 - 1):
            return np.int64(-1)
        at = (at + 1) & mask
    return at


@compiled
def _char(raw: Bytes, at: Whole) -> tuple[Whole, Whole]:
    """The code point at a byte, and the byte behind it."""
    first = np.int64(raw[at])
    if first < 0x80:
        return first, at + 1
    if first < 0xE0:
        return (first & 0x1F) << 6 | (np.int64(raw[at + 1]) & 0x3F), at + 2
    if first < 0xF0:
        low = (np.int64(raw[at + 1]) & 0x3F) << 6 | (np.int64(raw[at + 2]) & 0x3F)
        return (first & 0x0F) << 12 | low, at + 3
    low = (np.int64(raw[at + 1]) & 0x3F) << 12 | (np.int64(raw[at + 2]) & 0x3F) << 6 | (np.int64(raw[at + 3]) & 0x3F)
    return (first & 0x07) << 18 | low, at + 4


@compiled
def _run(raw: Bytes, at: Whole, end: Whole, kind: Bytes, wanted: Whole) -> Whole:
    """The end of the run of one kind that begins at a byte."""
    while at < end:
        code, behind = _char(raw, at)
        if kind[code] != wanted:
            break
        at = behind
    return at


@compiled
def _contraction(raw: Bytes, at: Whole, end: Whole) -> Whole:
    """The end of 's, 't, 're ... behind an apostrophe that ends at `at`; `at` for none, -1 for a long s."""
    if at >= end:
        return at
    if raw[at] == 0xC5 and raw[at + 1] == 0xBF:  # U+017F, the one other character whose case folds to one of these
        return np.int64(-1)
    one = raw[at] | 0x20
    if one == 0x73 or one == 0x74 or one == 0x6D or one == 0x64:  # s t m d
        return at + 1
    if at + 1 < end:
        two = raw[at + 1] | 0x20
        if ((one == 0x72 or one == 0x76) and two == 0x65) or (one == 0x6C and two == 0x6C):  # re ve ll
            return at + 2
    return at


@compiled
def _space_piece(raw: Bytes, at: Whole, end: Whole, kind: Bytes) -> Whole:
    """The end of a piece of white space: alternatives 5 to 7."""
    last_line_end, last, here = np.int64(-1), at, at
    while here < end:
        code, behind = _char(raw, here)
        if kind[code] == LINE_END:
            last_line_end = behind
        elif kind[code] != SPACE:
            break
        last, here = here, behind
    if last_line_end >= 0:
        return last_line_end
    return here if here == end or last == at else last


@compiled
def _piece(raw: Bytes, at: Whole, end: Whole, kind: Bytes) -> Whole:
    """The end of the piece that begins at a byte; -1 where the expression cannot be trusted to this table."""
    code, behind = _char(raw, at)
    own = kind[code]
    if own == UNKNOWN:
        return np.int64(-1)
    if own == LETTER:
        return _run(raw, behind, end, kind, LETTER)
    if own == NUMBER:
        return behind
    if code == 0x27:
        shortened = _contraction(raw, behind, end)
        if shortened != behind:
            return shortened
    follows, after = np.int64(-1), behind
    if behind < end:
        next_code, after = _char(raw, behind)
        follows = np.int64(kind[next_code])
        if follows == UNKNOWN:
            return np.int64(-1)
    if follows == LETTER and own != LINE_END:
        return _run(raw, after, end, kind, LETTER)
    if own == OTHER or (code == 0x20 and follows == OTHER):
        return _run(raw, _run(raw, behind, end, kind, OTHER), end, kind, LINE_END)
    return _space_piece(raw, at, end, kind)


@compiled
def pieces(raw: Bytes, offsets: Offsets, kind: Bytes, ends: Offsets, counts: Offsets) -> Whole:
    """Write where each piece of all texts ends into `ends`, their numbers into `counts`; returns how many there are.

    Text i is `raw[offsets[i]:offsets[i + 1]]`, valid UTF-8. `ends` has room for one piece a byte. What cannot be
    trusted to the table of kinds has the count -1 and no pieces.
    """
    written = 0
    for text in range(len(offsets) - 1):
        at, end, first = offsets[text], offsets[text + 1], written
        while at < end:
            at = _piece(raw, at, end, kind)
            if at < 0:
                break
            ends[written] = at
            written += 1
        if at < 0:
            written = first
        counts[text] = written - first if at >= 0 else -1
    return written


@compiled
def _joined(
    symbols: npt.NDArray[np.int64],
    ranks: npt.NDArray[np.int32],
    slots: npt.NDArray[np.int64],
    count: Whole,
    keys: npt.NDArray[np.uint64],
    values: npt.NDArray[np.int32],
) -> tuple[Whole, Whole]:
    """Join the tokens of a piece in place: how many are left, and the latest rank joined. Ranks are of (i, i + 1)."""
    latest = np.int64(-1)
    for i in range(count - 1):
        slots[i] = _slot(symbols[i], symbols[i + 1], keys)
        ranks[i] = values[slots[i], 0] if slots[i] >= 0 else NONE
    while count > 1:
        best, least = 0, ranks[0]
        for i in range(1, count - 1):
            if ranks[i] < least:
                best, least = i, ranks[i]
        if least == NONE:
            break
        latest = max(latest, np.int64(least))
        symbols[best] = values[slots[best], 1]
        count -= 1
        for i in range(best + 1, count):
            symbols[i] = symbols[i + 1]
        for i in range(best, count - 1):
            ranks[i], slots[i] = ranks[i + 1], slots[i + 1]
        for i in range(max(best - 1, 0), min(best + 1, count - 1)):
            slots[i] = _slot(symbols[i], symbols[i + 1], keys)
            ranks[i] = values[slots[i], 0] if slots[i] >= 0 else NONE
    return count, latest


@compiled
def whole_characters(
    spelled: Bytes,
    lengths: Bytes,
    byte_ids: npt.NDArray[np.int64],
    keys: npt.NDArray[np.uint64],
    values: npt.NDArray[np.int32],
    first_use: npt.NDArray[np.int64],
    found: npt.NDArray[np.int32],
) -> None:
    """The token of every character of which condition (a) holds, -1 for others.

    `spelled[code]` are its bytes, `first_use` the rank of the first pair that each token is part of.
    """
    symbols, slots = np.empty(4, dtype=np.int64), np.empty(4, dtype=np.int64)
    ranks = np.empty(4, dtype=np.int32)
    for code in range(len(spelled)):
        for i in range(lengths[code]):
            symbols[i] = byte_ids[spelled[code, i]]
        left, latest = _joined(symbols, ranks, slots, np.int64(lengths[code]), keys, values)
        found[code] = symbols[0] if left == 1 and latest < first_use[symbols[0]] else -1


@compiled
def _characters(
    raw: Bytes,
    at: Whole,
    end: Whole,
    whole: npt.NDArray[np.int32],
    tails: npt.NDArray[np.uint32],
    heads: npt.NDArray[np.uint32],
    symbols: npt.NDArray[np.int64],
) -> Whole:
    """Begin a piece from its characters: how many there are, or -1 when (a) or (b) does not hold."""
    count: Whole = np.int64(0)
    tail: Whole = np.uint32(0)
    while at < end:
        code, at = _char(raw, at)
        if code >= len(whole) or whole[code] < 0 or (tail & heads[code]) != 0:
            return np.int64(-1)
        symbols[count], tail = whole[code], tails[code]
        count += 1
    return count


@compiled
def encode(
    raw: Bytes,
    offsets: Offsets,
    kind: Bytes,
    byte_ids: npt.NDArray[np.int64],
    keys: npt.NDArray[np.uint64],
    values: npt.NDArray[np.int32],
    whole: npt.NDArray[np.int32],
    tails: npt.NDArray[np.uint32],
    heads: npt.NDArray[np.uint32],
    ids: npt.NDArray[np.uint32],
    counts: Offsets,
) -> Whole:
    """Write the ids of all texts end to end into `ids`, their numbers into `counts`; returns how many ids there are.

    Text i is `raw[offsets[i]:offsets[i + 1]]`, valid UTF-8. `ids` has room for one id a byte.
    """
    symbols, slots = np.empty(LONGEST, dtype=np.int64), np.empty(LONGEST, dtype=np.int64)
    ranks = np.empty(LONGEST, dtype=np.int32)
    written = 0
    for text in range(len(offsets) - 1):
        at, end, first = offsets[text], offsets[text + 1], written
        counts[text] = 0
        while at < end:
            piece = _piece(raw, at, end, kind)
            if piece < 0 or piece - at > LONGEST:
                counts[text], written = -1, first
                break
            count = _characters(raw, at, piece, whole, tails, heads, symbols)
            if count < 0:
                count = piece - at
                for i in range(count):
                    symbols[i] = byte_ids[raw[at + i]]
            left, _ = _joined(symbols, ranks, slots, count, keys, values)
            for i in range(left):
                ids[written + i] = symbols[i]
            written += left
            at = piece
        if counts[text] == 0:
            counts[text] = written - first
    return written
