"""词 words: where each word of a text begins, for many texts at once.

A text falls into units whose lengths add up to its characters:

    a word of Han characters   as jieba cuts the run of Han characters that it stands in
    a run of letters, marks and digits of any other script
    a run of white space
    a punctuation mark, symbol or control character; the same one repeated (…… —— =====) is one unit

Han characters here are those that jieba takes for Han, U+4E00 to U+9FD5; rarer ones are units of one character. Runs
are cut by rjieba, which equals jieba on them and is 30 times faster; on mixed runs (2.8GHz) the two differ, so it never
sees one: everything between two Han runs becomes one line feed before cutting.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from tasks.transforms.flat_text import Codes, Offsets, batches, flat_text, offsets_of

_HAN, _RARE_HAN, _LETTER, _SPACE, _MARK = 1, 2, 3, 4, 5
_LAST = 0x32FFF  # everything beyond counts as a mark: nothing is assigned there but private use and selectors
_LINE_FEED = 0x0A
_SEAM = "\0"
_ZERO = 0x3007  # the round zero of Chinese numbers; jieba does not take it for Han
_BATCH_CHARS = 1 << 17  # rjieba slows down by half on strings of millions of characters

Lengths = npt.NDArray[np.uint32]
Flags = npt.NDArray[np.bool_]


class Words(NamedTuple):
    """Units of n texts: text i has units `offsets[i]` to `offsets[i + 1]`."""

    chars: Lengths  # of every unit
    is_word: Flags  # letters, digits or Han: neither space nor mark
    offsets: Offsets  # n + 1


def words(texts: Sequence[str], hmm: bool = True, cutter: Any = None) -> Words:
    """Units of texts. An empty text has none. `cutter` is an rjieba with words of its own (user_dictionary.py)."""
    if cutter is None:
        import rjieba as cutter  # loads its dictionary: 0.4 s
    parts = [_words(texts[part], hmm, cutter) for part in batches(texts, _BATCH_CHARS)]
    counts = [np.diff(p.offsets) for p in parts]
    return Words(
        np.concatenate([p.chars for p in parts]) if parts else np.zeros(0, dtype=np.uint32),
        np.concatenate([p.is_word for p in parts]) if parts else np.zeros(0, dtype=bool),
        offsets_of(np.concatenate(counts) if counts else np.zeros(0, dtype=np.int64)),
    )


def _words(texts: Sequence[str], hmm: bool, cutter: Any) -> Words:
    codes, offsets = flat_text(texts)
    kinds = _kinds()[np.minimum(codes, _LAST)]
    begins = _begins(codes, kinds)
    begins[offsets[:-1][np.diff(offsets) > 0]] = True  # a text begins a unit
    begins[_han_starts(codes, kinds, offsets, hmm, cutter)] = True
    starts = np.flatnonzero(begins)
    chars = np.diff(np.append(starts, len(codes))).astype(np.uint32)
    return Words(chars, kinds[starts] <= _LETTER, np.searchsorted(starts, offsets))


def _begins(codes: Codes, kinds: npt.NDArray[np.uint8]) -> Flags:
    """Where a unit begins, but for words within a Han run."""
    begins = np.ones(len(codes), dtype=bool)
    same_kind = kinds[1:] == kinds[:-1]
    goes_on = (kinds[1:] == _HAN) | (kinds[1:] == _LETTER) | (kinds[1:] == _SPACE)
    repeated = (kinds[1:] == _MARK) & (codes[1:] == codes[:-1])
    begins[1:] = ~(same_kind & (goes_on | repeated))
    return begins


def _han_starts(
    codes: Codes, kinds: npt.NDArray[np.uint8], offsets: Offsets, hmm: bool, cutter: Any
) -> npt.NDArray[np.int64]:
    """Where words begin within Han runs: positions in `codes`."""
    han = kinds == _HAN
    if not han.any():
        return np.zeros(0, dtype=np.int64)
    # One line feed before every Han run that follows something else, or that begins a text.
    opens = han.copy()
    opens[1:] &= ~han[:-1]
    firsts = offsets[:-1][np.diff(offsets) > 0]
    opens[firsts] |= han[firsts]
    places = np.flatnonzero(han)
    target = np.arange(len(places)) + np.cumsum(opens[places])
    origin = np.full(int(target[-1]) + 1, -1)
    origin[target] = places
    run = np.full(len(origin), _LINE_FEED, dtype="<u4")
    run[target] = codes[places]
    # Joined again by a character that no run holds: finding it is three times faster than asking each word its length.
    joined = _SEAM.join(cutter.cut(run.tobytes().decode("utf-32-le"), hmm))
    seams = np.flatnonzero(np.frombuffer(joined.encode("utf-32-le"), dtype="<u4") == ord(_SEAM))
    starts: npt.NDArray[np.int64] = origin[np.append(0, seams - np.arange(len(seams)))]
    return starts[starts >= 0]


@cache
def _kinds() -> npt.NDArray[np.uint8]:
    """The kind of each code point."""
    kinds = np.full(_LAST + 1, _MARK, dtype=np.uint8)
    for code in range(_LAST):
        char = chr(code)
        category = unicodedata.category(char)
        if category[0] in "LMN":
            rare = 0x3400 <= code <= 0x9FFF or 0xF900 <= code <= 0xFAFF or code >= 0x20000 or code == _ZERO
            kinds[code] = _RARE_HAN if rare else _LETTER
        elif char.isspace():
            kinds[code] = _SPACE
    kinds[0x4E00 : 0x9FD5 + 1] = _HAN
    kinds.setflags(write=False)
    return kinds
