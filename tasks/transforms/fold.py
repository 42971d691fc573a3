"""折叠 fold: what two copies of a text have in common, as one flat array of code points.

The key of a text is its NFKC form without white space, punctuation, symbols and control characters, in lower case and,
on request, in simplified script. Width, case, script and punctuation variants of one text have one key.

Nearly every character folds by itself, so one table look-up folds a whole batch; only texts that hold combining marks
or characters whose NFKC form has several characters are normalised one by one first. The script fold is a fold, not a
conversion: opencc's t2s is asked for each character alone, because its phrase rules (乾隆 keeps 乾) would give a
traditional text another key than the simplified text that it was made from.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from functools import cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Codes = npt.NDArray[np.uint32]
Offsets = npt.NDArray[np.int64]

_ASSIGNED = 0x33480  # no letter, mark or number is assigned from here on (Unicode 17)
_NORMALISE = np.uint32(1 << 31)  # this character needs the NFKC form of its whole text
_KEEP = ("L", "M", "N")
_VARIATION = frozenset([*range(0xFE00, 0xFE10), *range(0x180B, 0x1810)])  # say how a glyph looks, not what it says
_BATCH_CHARS = 1 << 20  # a batch of a megabyte or so stays in the cache


class Folded(NamedTuple):
    """Keys of n texts: key i is `codes[offsets[i]:offsets[i + 1]]`, code points."""

    codes: Codes
    offsets: Offsets  # n + 1


def fold(texts: Sequence[str], fold_script: bool) -> Folded:
    """Keys of texts. A text of nothing but punctuation is its own key; an empty text has an empty key."""
    table = _table(fold_script)
    raw, offsets = code_points(texts)
    codes = table[np.minimum(raw, _ASSIGNED)]
    flagged = np.flatnonzero(codes & _NORMALISE)
    if flagged.size:
        normal = list(texts)
        for i in np.unique(np.searchsorted(offsets, flagged, side="right") - 1):
            normal[i] = unicodedata.normalize("NFKC", normal[i])
        raw, offsets = code_points(normal)
        codes = table[np.minimum(raw, _ASSIGNED)] & ~_NORMALISE
    keep = codes != 0
    ends = np.concatenate(([0], np.cumsum(keep)))[offsets]
    bare = (np.diff(ends) == 0) & (np.diff(offsets) > 0)
    if bare.any():
        whole = np.repeat(bare, np.diff(offsets))
        codes, keep = np.where(whole, raw, codes), keep | whole
        ends = np.concatenate(([0], np.cumsum(keep)))[offsets]
    return Folded(codes[keep], ends)


def batches(texts: Sequence[str], chars: int = _BATCH_CHARS) -> Iterator[slice]:
    """Slices of at least one text and about `chars` characters, in order."""
    start = size = 0
    for i, text in enumerate(texts):
        size += len(text)
        if size >= chars:
            yield slice(start, i + 1)
            start, size = i + 1, 0
    if start < len(texts):
        yield slice(start, len(texts))


def code_points(texts: Sequence[str]) -> Folded:
    """Texts as code points, nothing folded."""
    codes = np.frombuffer("".join(texts).encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    return Folded(codes, offsets_of(np.fromiter(map(len, texts), dtype=np.int64, count=len(texts))))


def offsets_of(lengths: npt.NDArray[np.int64]) -> Offsets:
    """Lengths of n pieces -> n + 1 offsets."""
    return np.concatenate((np.zeros(1, dtype=np.int64), np.cumsum(lengths, dtype=np.int64)))


@cache
def _table(fold_script: bool) -> Codes:
    """What each code point becomes: 0 is dropped; the last entry stands for all that lie beyond."""
    table = np.zeros(_ASSIGNED + 1, dtype=np.uint32)
    for code in range(_ASSIGNED):
        table[code] = _folded(chr(code))
    if fold_script:
        simplified = _simplified()
        low = table & ~_NORMALISE
        table = simplified[low] | (table & _NORMALISE)
    table.setflags(write=False)
    return table


def _folded(char: str) -> int:
    category = unicodedata.category(char)
    if category[0] in "CZ":
        return 0
    if category[0] == "M" or 0x1100 <= ord(char) <= 0x11FF:  # may compose with the character before it
        return 0 if ord(char) in _VARIATION else ord(char) | int(_NORMALISE)
    normal = [c for c in unicodedata.normalize("NFKC", char) if unicodedata.category(c)[0] in _KEEP]
    if len(normal) > 1:
        return int(_NORMALISE)
    if not normal:
        return 0
    lower = normal[0].lower()
    return ord(lower if len(lower) == 1 else normal[0])


def _simplified() -> Codes:
    """Each code point's simplified form by opencc t2s, for itself where there is none."""
    import opencc

    table = np.arange(_ASSIGNED + 1, dtype=np.uint32)
    han = [chr(c) for c in range(0x3400, _ASSIGNED) if 0x3400 <= c <= 0x9FFF or 0xF900 <= c <= 0xFAFF or c >= 0x20000]
    for before, after in zip(han, opencc.OpenCC("t2s").convert("\n".join(han)).split("\n"), strict=True):
        if len(after) == 1 and ord(after) < _ASSIGNED:
            table[ord(before)] = ord(after)
    return table
