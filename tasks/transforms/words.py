"""词 words: where each word of a text begins, for many texts at once.

A text falls into units whose lengths add up to its characters:

    a word of Han characters   as jieba cuts the run of Han characters that it stands in
    a run of letters, marks and digits of any other script
    a run of white space
    a punctuation mark, symbol or control character; the same one repeated (…… —— =====) is one unit

Han characters here are those that jieba takes for Han, U+4E00 to U+9FD5; rarer ones are units of one character. The
cutting is jieba's own, number by number, as a compiled loop (cut_kernel.py) over jieba's own words (dictionary.py): 60
times as fast as jieba, and the same words.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from functools import cache
from math import log
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tasks.transforms import cut_kernel
from tasks.transforms.cut_kernel import FIRST, HAN, LAST, LETTER, MARK, RARE_HAN, SPACE
from tasks.transforms.dictionary import Dictionary, model, standard
from tasks.transforms.flat_text import Offsets, batches, flat_text, offsets_of

_BEYOND = 0x32FFF  # everything from here on counts as a mark: nothing is assigned there but private use and selectors
_BATCH_CHARS = 1 << 17  # the arrays of so many stay in the cache, and are had again without new pages
_ZERO = 0x3007  # the round zero of Chinese numbers; jieba does not take it for Han

Lengths = npt.NDArray[np.uint32]
Flags = npt.NDArray[np.bool_]


class Words(NamedTuple):
    """Units of n texts: text i has units `offsets[i]` to `offsets[i + 1]`."""

    chars: Lengths  # of every unit
    is_word: Flags  # letters, digits or Han: neither space nor mark
    offsets: Offsets  # n + 1


def words(texts: Sequence[str], hmm: bool = True, dictionary: Dictionary | None = None) -> Words:
    """Units of texts. An empty text has none. Without a dictionary it is jieba's own; `hmm` guesses new words too."""
    dictionary = dictionary or standard()
    parts = [_words(texts[part], hmm, dictionary) for part in batches(texts, _BATCH_CHARS)]
    if len(parts) == 1:
        return parts[0]
    counts = [np.diff(p.offsets) for p in parts]
    return Words(
        np.concatenate([np.zeros(0, dtype=np.uint32), *(p.chars for p in parts)]),
        np.concatenate([np.zeros(0, dtype=bool), *(p.is_word for p in parts)]),
        offsets_of(np.concatenate([np.zeros(0, dtype=np.int64), *counts])),
    )


def _words(texts: Sequence[str], hmm: bool, dictionary: Dictionary) -> Words:
    codes, offsets = flat_text(texts)
    chars, is_word = np.empty(len(codes), dtype=np.uint32), np.empty(len(codes), dtype=bool)
    counts = np.empty(len(texts), dtype=np.int64)
    keys, _, logs, first, total = dictionary
    units = cut_kernel.cut(
        codes, offsets, _kinds(), hmm, keys, logs, first, log(total), *model(), chars, is_word, counts
    )  # fmt: skip
    return Words(chars[:units].copy(), is_word[:units].copy(), offsets_of(counts))


@cache
def _kinds() -> npt.NDArray[np.uint8]:
    """The kind of each code point."""
    kinds = np.full(_BEYOND + 1, MARK, dtype=np.uint8)
    for code in range(_BEYOND):
        char = chr(code)
        category = unicodedata.category(char)
        if category[0] in "LMN":
            rare = 0x3400 <= code <= 0x9FFF or 0xF900 <= code <= 0xFAFF or code >= 0x20000 or code == _ZERO
            kinds[code] = RARE_HAN if rare else LETTER
        elif char.isspace():
            kinds[code] = SPACE
    kinds[FIRST : LAST + 1] = HAN
    kinds.setflags(write=False)
    return kinds
