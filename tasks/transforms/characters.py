"""字符 characters: a column of texts as one array of code points, and what kind each code point is.

Regular expressions cost one pass over the bytes for every signal (140 to 500 MB/s each). Here the texts are decoded
once into one `uint32` array, and every signal comes from a few compiled passes over it. Each text is followed by one
line feed, so that no segment is empty and every line has an end.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import IntEnum
from functools import cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from tasks.transforms.compiled import compiled

Points = npt.NDArray[np.uint32]
Index = npt.NDArray[np.int64]
Kinds = npt.NDArray[np.uint8]
Bytes = npt.NDArray[np.uint8]

BATCH_CHARS = 1_000_000  # characters of one batch, which bounds memory; one longer text is a batch of its own
LINE_FEED = 10
WIDE = (*range(0xFF10, 0xFF1A), *range(0xFF21, 0xFF3B), *range(0xFF41, 0xFF5B))  # full-width letters and digits
FOLDED = {code: code - 0xFEE0 for code in WIDE}  # for str.translate


class Kind(IntEnum):
    """What a code point is; values are columns of `tally.Tally.kinds`."""

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
    """Row ranges [start, stop) of about BATCH_CHARS characters, one row at least."""
    ends = np.cumsum(text.str.len_bytes().fill_null(0).to_numpy().astype(np.int64))
    start = 0
    while start < len(ends):
        limit = (int(ends[start - 1]) if start else 0) + 3 * BATCH_CHARS
        stop = max(start + 1, int(np.searchsorted(ends, limit)))
        yield start, stop
        start = stop


def utf8(text: pl.Series) -> tuple[Bytes, Index]:
    """The bytes of a column of texts, and where each begins, and the last ends; null reads as empty."""
    array = text.to_arrow(compat_level=pl.CompatLevel.oldest())
    _, offsets, data = array.buffers()
    ends = (
        np.frombuffer(offsets, np.int64)[array.offset : array.offset + len(text) + 1]
        if len(text)
        else np.zeros(1, np.int64)
    )
    content = np.frombuffer(data, np.uint8) if data is not None else np.zeros(0, np.uint8)
    return content, ends


def decode(text: pl.Series) -> Codes:
    """Decode a column of texts; null reads as empty."""
    content, ends = utf8(text)
    return decode_pieces(content, ends[:-1], ends[1:])


def decode_pieces(content: Bytes, begins: Index, ends: Index) -> Codes:
    """Decode pieces of valid UTF-8 as if each were a text."""
    points = np.empty(int((ends - begins).sum()) + len(ends), np.uint32)
    starts = np.empty(len(ends) + 1, np.int64)
    _decode(content, begins, ends, points, starts)
    return Codes(points[: starts[-1]], starts[:-1], np.diff(starts))


@compiled
def _decode(content: Bytes, begins: Index, ends: Index, points: Points, starts: Index) -> None:
    """UTF-8, known to be valid, to code points."""
    at = 0
    for row in range(len(ends)):
        starts[row] = at
        text = content[begins[row] : ends[row]]
        i = 0
        while 0 <= i < len(text):  # which lets the compiler leave out that an index may count from the end
            byte = np.uint32(text[i])
            if byte < 0x80:
                points[at] = byte
                i += 1
            elif byte < 0xE0:
                points[at] = (byte & 0x1F) << 6 | text[i + 1] & 0x3F
                i += 2
            elif byte < 0xF0:
                points[at] = (byte & 0x0F) << 12 | (text[i + 1] & 0x3F) << 6 | text[i + 2] & 0x3F
                i += 3
            else:
                points[at] = (
                    (byte & 0x07) << 18 | (text[i + 1] & 0x3F) << 12 | (text[i + 2] & 0x3F) << 6 | text[i + 3] & 0x3F
                )
                i += 4
            at += 1
        points[at] = 10
        at += 1
    starts[len(ends)] = at


def encode(content: Bytes, ends: Index) -> pl.Series:
    """A column of texts from their UTF-8, joined, and where each ends (one more entry than texts, the first is 0)."""
    array = pa.LargeStringArray.from_buffers(len(ends) - 1, pa.py_buffer(ends), pa.py_buffer(content))
    return pl.Series(array)


def holds(text: pl.Series, kind: Kind) -> npt.NDArray[np.bool_]:
    """Whether each text has a character of this kind."""
    wanted = kind_mask(kind)
    found = [
        np.logical_or.reduceat(wanted[codes.points], codes.starts)
        for codes in (decode(text[start:stop]) for start, stop in batches(text))
    ]
    return np.concatenate(found) if found else np.zeros(0, bool)
