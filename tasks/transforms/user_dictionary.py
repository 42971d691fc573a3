"""用户词典 user dictionaries: words that a segmenter must know, in jieba's format, beside those that jieba knows.

A line is `词 [词频] [词性]`: a word, how often it occurs (out of the 60 million of jieba's dictionary; left out: often
enough to be cut out by itself), a part of speech, which is not used. Words are added one after the other, each as
jieba's `load_userdict` adds it: the sum of all frequencies grows by its own and keeps that of a word which it replaces.
Words are looked for in runs of Han characters only, so one that holds anything else is counted and left out. Frequency
0, by which jieba takes a word away, is refused: the HMM would make it again.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import NamedTuple

from data_contracts.errors import ConfigError
from tasks.transforms.dictionary import HAN, Dictionary, standard, with_room
from tasks.transforms.words import words

LINE = re.compile(r"(.+?)(?: ([0-9]+))?(?: ([a-z]+))?")  # jieba's re_userdict
MOST = 10**15  # of a frequency: below the whole numbers that a double holds


class Entry(NamedTuple):
    """A word and its frequency, None for one that is worked out."""

    word: str
    frequency: int | None = None


def parsed(lines: Iterable[str], where: str) -> list[Entry]:
    """The entries of a dictionary; empty lines and a byte order mark are passed over. ConfigError names a bad line."""
    found = []
    for number, line in enumerate(lines, 1):
        text = line.lstrip("\ufeff").strip()
        if not text:
            continue
        match = LINE.fullmatch(text)
        if match is None or (match[2] and not 0 < int(match[2]) <= MOST):
            raise ConfigError(f"{where}, line {number}: {text[:40]!r}: write 词 [词频 > 0] [词性], as in 云计算 5 n")
        found.append(Entry(match[1].strip(), int(match[2]) if match[2] else None))
    return found


def usable(entries: Sequence[Entry]) -> list[Entry]:
    """Entries that a run of Han characters can hold."""
    return [e for e in entries if re.fullmatch(HAN, e.word)]


@lru_cache(maxsize=2)
def knowing(entries: tuple[Entry, ...]) -> Dictionary:
    """Jieba's dictionary with these words; 50 MB for any that are added."""
    if not entries:
        return standard()
    made = with_room(sum(len(e.word) for e in entries))
    for word, frequency in entries:
        made = made.put(word, _suggested(made, word) if frequency is None else frequency)
    return made


def _suggested(dictionary: Dictionary, word: str) -> int:
    """The frequency by which a word is cut out: jieba's `suggest_freq`, number by number."""
    share, at = 1.0, 0
    for chars in words([word], False, dictionary).chars.tolist():
        share *= int(dictionary.frequencies([word[at : at + chars]], 1)[0]) / float(dictionary.total)
        at += chars
    return max(int(share * dictionary.total) + 1, int(dictionary.frequencies([word], 1)[0]))
