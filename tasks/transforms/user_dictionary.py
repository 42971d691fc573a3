"""用户词典 user dictionaries: words that a segmenter must know, in jieba's format, and a cutter that knows them.

A line is `词 [词频] [词性]`: a word, how often it occurs (out of the 60 million of jieba's dictionary; left out: often
enough to be cut out by itself), a part of speech, which is not used. The cutter is rjieba with these words added, one
after the other, as jieba's `load_userdict` adds them; words are looked for in runs of Han characters only, so a word
that holds anything else is counted and left out. Frequency 0, by which jieba takes a word away, is refused: rjieba's
HMM would make it again.

jieba adds a known word's new frequency to the sum of all frequencies and leaves the old one in. rjieba takes the old
one out. A word of one private-use character, which no text that is cut here holds, carries the difference, so that
both weigh every path alike.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from data_contracts.errors import ConfigError

LINE = re.compile(r"(.+?)(?: ([0-9]+))?(?: ([a-z]+))?")  # jieba's re_userdict
HAN = re.compile("[\u4e00-\u9fd5]+")  # what jieba takes for Han
_BALLAST = "\ue000"


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
        if match is None or match[2] == "0":
            raise ConfigError(f"{where}, line {number}: {text[:40]!r}: write 词 [词频 > 0] [词性], as in 云计算 5 n")
        found.append(Entry(match[1].strip(), int(match[2]) if match[2] else None))
    return found


def usable(entries: Sequence[Entry]) -> list[Entry]:
    """Entries that a run of Han characters can hold."""
    return [e for e in entries if HAN.fullmatch(e.word)]


@lru_cache(maxsize=2)
def cutter(entries: tuple[Entry, ...]) -> Any:
    """An rjieba that knows these words; 0.2 s and 100 MB. Without any, the one that a process has anyway."""
    import rjieba

    if not entries:
        return rjieba
    made = rjieba.Jieba()
    ballast = 0
    for word, frequency in entries:
        wanted = frequency if frequency is not None else made.suggest_freq(word)
        if made.has_word(word):
            # What rjieba takes out. There is no way to ask for it but this, which for a word that is never cut out by
            # itself says too much; such words are rare, and the sum is 60 million.
            ballast += made.suggest_freq(word)
            made.add_word(_BALLAST, ballast, None)
        made.add_word(word, wanted, None)
    return made


def knows(entries: tuple[Entry, ...], word: str) -> bool:
    """Whether a word stands in the dictionary, jieba's own or the user's."""
    return bool(cutter(entries).has_word(word))
