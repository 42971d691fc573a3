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
from collections.abc import Sequence
from functools import cache

import numpy as np
import numpy.typing as npt

from tasks.transforms.flat_text import Codes, FlatText, flat_text

_ASSIGNED = 0x33480  # no letter, mark or number is assigned from here on (Unicode 17)
_NORMALISE = np.uint32(1 << 31)  # this character needs the NFKC form of its whole text
_KEEP = ("L", "M", "N")
_VARIATION = frozenset([*range(0xFE00, 0xFE10), *range(0x180B, 0x1810)])  # say how a glyph looks, not what it says


def fold(texts: Sequence[str], fold_script: bool) -> FlatText:
    """Keys of texts. A text of nothing but punctuation is its own key; an empty text has an empty key."""
    table = _table(fold_script)
    raw, offsets = flat_text(texts)
    codes = table.take(raw, mode="clip")
    flagged = np.flatnonzero(codes >= _NORMALISE)
    if flagged.size:
        normal = list(texts)
        for i in np.unique(np.searchsorted(offsets, flagged, side="right") - 1):
            normal[i] = unicodedata.normalize("NFKC", normal[i])
        raw, offsets = flat_text(normal)
        codes = table.take(raw, mode="clip") & ~_NORMALISE
    kept = np.flatnonzero(codes)
    ends = np.searchsorted(kept, offsets)
    bare = (np.diff(ends) == 0) & (np.diff(offsets) > 0)
    if bare.any():
        whole = np.repeat(bare, np.diff(offsets))
        codes = np.where(whole, raw, codes)
        kept = np.flatnonzero((codes != 0) | whole)
        ends = np.searchsorted(kept, offsets)
    return FlatText(codes[kept], ends)


@cache
def _table(fold_script: bool) -> Codes:
    """What each code point becomes: 0 is dropped; the last entry stands for all that lie beyond."""
    table = np.zeros(_ASSIGNED + 1, dtype=np.uint32)
    for code in range(_ASSIGNED):
        table[code] = _folded(chr(code))
    if fold_script:
        simple = simplified()
        low = table & ~_NORMALISE
        table = simple[low] | (table & _NORMALISE)
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


def simplified() -> Codes:
    """Each code point's simplified form by opencc t2s, for itself where there is none."""
    import opencc

    table = np.arange(_ASSIGNED + 1, dtype=np.uint32)
    han = [chr(c) for c in range(0x3400, _ASSIGNED) if 0x3400 <= c <= 0x9FFF or 0xF900 <= c <= 0xFAFF or c >= 0x20000]
    for before, after in zip(han, opencc.OpenCC("t2s").convert("\n".join(han)).split("\n"), strict=True):
        if len(after) == 1 and ord(after) < _ASSIGNED:
            table[ord(before)] = ord(after)
    return table


def origins(text: str, fold_script: bool) -> npt.NDArray[np.int64]:
    """Where in a text each character of its key comes from, ascending; the last entry is the text's length.

    Characters that fold only together with their neighbours come from the first of them; in the rare texts where that
    does not add up (half-width kana beside combining marks) every character comes from the beginning of its line.
    """
    table = _table(fold_script)
    codes = table[np.minimum(flat_text([text]).codes, _ASSIGNED)]
    counts = (codes != 0).astype(np.int64)
    done = 0
    for at in np.flatnonzero(codes & _NORMALISE).tolist():
        if at >= done:
            start, stop = at, at + 1
            while start > done and _attaches(text[start]):
                start -= 1
            while stop < len(text) and _attaches(text[stop]):
                stop += 1
            counts[start], counts[start + 1 : stop], done = _key_chars(text[start:stop], table), 0, stop
    chars = len(fold([text], fold_script).codes)
    if counts.sum() != chars:
        counts[:] = 0 if counts.any() else 1  # nothing but punctuation is its own key
        start = 0
        for line in text.split("\n") if not counts.any() else ():
            if line:
                counts[start] = _key_chars(line, table)
            start += len(line) + 1
    return np.append(np.repeat(np.arange(len(text)), counts), len(text))


def _attaches(char: str) -> bool:
    """Whether a character may compose with the one before it."""
    return unicodedata.category(char)[0] == "M" or 0x1100 <= ord(char) <= 0x11FF


def _key_chars(text: str, table: Codes) -> int:
    raw = flat_text([unicodedata.normalize("NFKC", text)]).codes
    return int(np.count_nonzero(table[np.minimum(raw, _ASSIGNED)] & ~_NORMALISE))
