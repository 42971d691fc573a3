"""字符 characters: a column of texts as one array of code points, and what kind each code point is.

Regular expressions cost one pass over the bytes for every signal (140 to 500 MB/s each). Here the texts are decoded
once into one `uint32` array, looked up once, and every signal afterwards is arithmetic on arrays. Each text is followed
by one line feed, so that no segment is empty and every line has an end.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import IntEnum
from functools import cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

Points = npt.NDArray[np.uint32]
Index = npt.NDArray[np.int64]
Counts = npt.NDArray[np.int64]
Kinds = npt.NDArray[np.uint8]

BATCH_ROWS = 2048  # rows of one batch: a row's number (11 bits) and a code point (21 bits) fit one uint32
ROW_SHIFT = 21
BATCH_CHARS = 300_000  # characters of one batch: its arrays stay in the cache; one longer text is a batch of its own
SAMPLE = 1024  # characters of one row that are counted one by one
LINE_FEED = 10
_KIND_BITS = 4
WIDE = (*range(0xFF10, 0xFF1A), *range(0xFF21, 0xFF3B), *range(0xFF41, 0xFF5B))  # full-width letters and digits
FOLDED = {code: code - 0xFEE0 for code in WIDE}  # for str.translate


class Kind(IntEnum):
    """What a code point is; values are columns of `Table`."""

    SYMBOL = 0  # # * | ~ arrows, boxes, emoji, private use and everything not named below
    SPACE = 1
    LINE_FEED = 2
    HAN = 3  # both scripts, or neither GB 2312 nor Big5
    SIMPLIFIED = 4  # Han in GB 2312 but not in Big5
    TRADITIONAL = 5  # Han in Big5 but not in GB 2312
    KANA = 6
    HANGUL = 7
    LATIN = 8
    LETTER = 9  # letters of other scripts
    DIGIT = 10
    MARK = 11  # ordinary punctuation, Chinese and ASCII
    BROKEN = 12  # U+FFFD


HAN = (Kind.HAN, Kind.SIMPLIFIED, Kind.TRADITIONAL)
WORD = (*HAN, Kind.KANA, Kind.HANGUL, Kind.LATIN, Kind.LETTER, Kind.DIGIT)
SPACES = "\t \u00a0\u1680\u2000-\u200a\u202f\u205f\u3000"  # body of a regex class
HAN_RANGES = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U000323af\u3007\u3005"  # body of a regex class
MARKS = "，。、；：？！“”‘’（）《》〈〉「」『』【】\u3014\u3015…—\u2013·・,.;:?!'\"()[]{}-/%％％￥℃°．"
_RANGES: tuple[tuple[int, int, Kind], ...] = (
    (0xC0, 0x24F, Kind.LATIN), (0x370, 0x3FF, Kind.LETTER), (0x400, 0x52F, Kind.LETTER), (0x530, 0x10FF, Kind.LETTER),
    (0x1100, 0x11FF, Kind.HANGUL), (0x1E00, 0x1EFF, Kind.LATIN), (0x1F00, 0x1FFF, Kind.LETTER),
    (0x3041, 0x3096, Kind.KANA), (0x30A1, 0x30FA, Kind.KANA), (0x30FC, 0x30FF, Kind.KANA), (0x31F0, 0x31FF, Kind.KANA),
    (0xFF66, 0xFF9D, Kind.KANA), (0x3105, 0x312F, Kind.LETTER), (0x31A0, 0x31BF, Kind.LETTER),
    (0xAC00, 0xD7A3, Kind.HANGUL), (0x3131, 0x318E, Kind.HANGUL),
    (0x3400, 0x4DBF, Kind.HAN), (0x4E00, 0x9FFF, Kind.HAN), (0xF900, 0xFAFF, Kind.HAN), (0x20000, 0x323AF, Kind.HAN),
    (0x3005, 0x3007, Kind.HAN), (0x30, 0x39, Kind.DIGIT), (0xFF10, 0xFF19, Kind.DIGIT),
    (0x41, 0x5A, Kind.LATIN), (0x61, 0x7A, Kind.LATIN), (0xFF21, 0xFF3A, Kind.LATIN), (0xFF41, 0xFF5A, Kind.LATIN),
    (0x2000, 0x200A, Kind.SPACE),
)  # fmt: skip


class Codes(NamedTuple):
    """Code points of a batch of texts, joined, each text followed by one line feed."""

    points: Points  # [chars + rows]
    starts: Index  # [rows] where each text begins in `points`
    lengths: Index  # [rows] characters of each text, its added line feed included


class Table(NamedTuple):
    """What a batch of texts is made of."""

    kinds: Counts  # [rows, len(Kind)] characters of each kind; the added line feed is not counted
    rows: Index  # [entries] one entry per row and distinct code point of its sample, ordered by both
    points: Points  # [entries]
    counts: Counts  # [entries] how often the row's sample holds the code point


@cache
def kinds() -> Kinds:
    """The kind of every code point: an array of 0x110000 bytes."""
    table = np.zeros(0x110000, np.uint8)
    for first, last, kind in _RANGES:
        table[first : last + 1] = kind
    for code in range(0x4E00, 0xA000):
        simplified, traditional = _encodes(code, "gb2312"), _encodes(code, "big5")
        if simplified != traditional:
            table[code] = Kind.SIMPLIFIED if simplified else Kind.TRADITIONAL
    table[[ord(c) for c in MARKS]] = Kind.MARK
    table[[ord(c) for c in "\t \u00a0\u1680\u202f\u205f\u3000"]] = Kind.SPACE
    table[[0xD7, 0xF7]] = Kind.SYMBOL
    table[LINE_FEED] = Kind.LINE_FEED
    table[0xFFFD] = Kind.BROKEN
    return table


def _encodes(code: int, encoding: str) -> bool:
    try:
        return bool(chr(code).encode(encoding))
    except UnicodeEncodeError:
        return False


@cache
def kind_mask(*wanted: Kind) -> npt.NDArray[np.bool_]:
    """For every code point, whether it is of one of these kinds."""
    return np.isin(kinds(), np.array(wanted, np.uint8))


@cache
def characters_mask(characters: str) -> npt.NDArray[np.bool_]:
    """For every code point, whether it is one of these characters."""
    table = np.zeros(0x110000, bool)
    table[[ord(c) for c in characters]] = True
    return table


def batches(text: pl.Series) -> Iterator[tuple[int, int]]:
    """Row ranges [start, stop) of at most BATCH_ROWS rows and about BATCH_CHARS characters."""
    ends = np.cumsum(text.str.len_bytes().fill_null(0).to_numpy().astype(np.int64))
    start = 0
    while start < len(ends):
        limit = (int(ends[start - 1]) if start else 0) + 3 * BATCH_CHARS
        stop = max(start + 1, int(np.searchsorted(ends, limit)))
        stop = min(stop, start + BATCH_ROWS, len(ends))
        yield start, stop
        start = stop


def decode(text: pl.Series) -> Codes:
    """Decode a column of texts (null reads as empty). A batch of at most BATCH_ROWS rows."""
    text = text.fill_null("")
    joined = (text.str.join("\n").item() or "") + "\n" if len(text) else ""
    points = np.frombuffer(joined.encode("utf-32-le"), np.uint32)
    lengths = text.str.len_chars().to_numpy().astype(np.int64) + 1
    return Codes(points, np.cumsum(lengths) - lengths, lengths)


def holds(text: pl.Series, kind: Kind) -> npt.NDArray[np.bool_]:
    """Whether each text has a character of this kind."""
    wanted = kind_mask(kind)
    found = [
        np.logical_or.reduceat(wanted[codes.points], codes.starts)
        for codes in (decode(text[start:stop]) for start, stop in batches(text))
    ]
    return np.concatenate(found) if found else np.zeros(0, bool)


def tabulate(codes: Codes) -> Table:
    """Count the kinds of all characters of every row, and the code points of a sample of it.

    The sample is the whole row up to SAMPLE characters, else scattered characters of it.
    """
    rows = len(codes.lengths)
    cell = np.repeat(np.arange(rows) << _KIND_BITS, codes.lengths)
    cell |= kinds()[codes.points]
    by_kind = np.bincount(cell, minlength=rows << _KIND_BITS).reshape(rows, 1 << _KIND_BITS)
    by_kind[:, Kind.LINE_FEED] -= 1
    row, at = sampled(codes.starts, codes.lengths - 1, SAMPLE)
    keys, counts = runs(codes.points[at] | (row << ROW_SHIFT).astype(np.uint32))
    return Table(by_kind, (keys >> np.uint32(ROW_SHIFT)).astype(np.int64), keys & np.uint32(0x1FFFFF), counts)


def sampled(starts: Index, lengths: Index, most: int) -> tuple[Index, Index]:
    """(row, place) of at most `most` places of every row: all of them, or one out of every two, three, ...

    Which one of them is scattered, by a fixed rule, or a text with a period would show always the same face.
    """
    step = np.maximum(1, -(-lengths // most))
    number = -(-lengths // step)
    row = np.repeat(np.arange(len(lengths)), number)
    nth = np.arange(len(row))
    nth -= (np.cumsum(number) - number)[row]
    stride = step[row]
    place = nth * stride
    if (step > 1).any():
        place += ((nth * 0x9E3779B1) >> 16) % stride
        np.minimum(place, (lengths - 1)[row], out=place)
    place += starts[row]
    return row, place


def runs(keys: npt.NDArray[np.uint32] | npt.NDArray[np.uint64]) -> tuple[npt.NDArray[np.unsignedinteger], Counts]:
    """Distinct keys in ascending order, and how often each occurs."""
    ordered = pl.Series(keys).sort().to_numpy()
    first = np.flatnonzero(np.concatenate([np.ones(min(1, len(ordered)), bool), ordered[1:] != ordered[:-1]]))
    return ordered[first], np.diff(first, append=len(ordered))
