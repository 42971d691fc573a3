"""词典 dictionary: jieba's words and its model of new words as arrays, which the compiled cutter looks up.

Both are read from the files of the installed jieba (MIT), which is never imported: importing it compiles regular
expressions, asks for setuptools and writes a cache of its own. Words that a run of Han characters cannot hold (B超,
AT&T) are left out, but count in the sum of all frequencies, as they do in jieba. Reading takes 0.2 s, once a process.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping, Sequence
from functools import cache
from math import log
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from tasks.transforms import cut_kernel
from tasks.transforms.cut_kernel import FIRST, LAST, Keys, Numbers, Places
from tasks.transforms.flat_text import flat_text

HAN = f"[{chr(FIRST)}-{chr(LAST)}]+"
NEVER = -3.14e100  # log probability, finalseg.MIN_FLOAT
_STATES = "BMES"


class Model(NamedTuple):
    """The hidden Markov model of characters: log probabilities, states in the order B, M, E, S."""

    emission: Numbers  # [characters from FIRST to LAST, 4]
    transition: Numbers  # [4 from, 4 to]
    start: Numbers  # [4]


class Dictionary(NamedTuple):
    """Words and how often each occurs, in the table of tasks/transforms/cut_kernel.py."""

    keys: Keys
    counts: npt.NDArray[np.int64]  # of the word at each place, 0 where none ends
    logs: Numbers  # of the counts, -1 where there is none
    first: Places  # the place of every single Han character from FIRST on, -1 for one that begins no word
    total: int  # sum of all counts, those of replaced words too

    def places(self, words: Sequence[str]) -> npt.NDArray[np.int64]:
        """Where words stand, -1 for one with which no word of the dictionary begins."""
        found = np.empty(len(words), dtype=np.int64)
        cut_kernel.find(*flat_text(words), self.keys, found)
        return found

    def frequencies(self, words: Sequence[str], missing: int = 0) -> npt.NDArray[np.int64]:
        """How often words occur; 0 for the beginning of a word that is none, `missing` for anything else."""
        at = self.places(words)
        return np.where(at >= 0, self.counts[at], missing)

    def has(self, words: Sequence[str]) -> npt.NDArray[np.bool_]:
        """Whether words stand in the dictionary."""
        return self.frequencies(words) > 0

    def put(self, word: str, count: int) -> Dictionary:
        """Add a word, or replace its count, in place; returned with the new total. See `with_room`."""
        place = np.empty(1, dtype=np.int64)
        cut_kernel.fill(*flat_text([word]), self.keys, len(self.keys), place)
        self.counts[place], self.logs[place] = count, log(count)
        self.first[ord(word[0]) - FIRST] = self.places([word[0]])[0]
        return self._replace(total=self.total + count)


def of_words(words: Sequence[str], counts: npt.NDArray[np.int64], total: int, room: int = 0) -> Dictionary:
    """A dictionary of words, with room for as many characters of others.

    Every character lies between FIRST and LAST. `total` is what all frequencies together come to.
    """
    texts, places, size = flat_text(words), np.empty(len(words), dtype=np.int64), 1 << 8
    while True:
        keys = np.zeros(size, dtype=np.uint64)
        if cut_kernel.fill(*texts, keys, _most(size) - room, places) >= 0:
            break
        size *= 2
    often, logs = np.zeros(size, dtype=np.int64), np.full(size, -1.0)
    often[places] = counts
    # By Python's log and not numpy's, which may differ in the last bit from what jieba adds up.
    distinct, which = np.unique(counts, return_inverse=True)
    logs[places] = np.array([log(n) if n else -1.0 for n in distinct.tolist()])[which]
    codes = np.arange(FIRST, LAST + 1, dtype=np.uint32)
    codes.setflags(write=False)  # as those of texts are: else the loop is compiled twice
    every = np.empty(len(codes), dtype=np.int64)
    cut_kernel.find(codes, np.arange(len(codes) + 1), keys, every)
    return Dictionary(keys, often, logs, every.astype(np.int32), total)


def _most(size: int) -> int:
    """How many places of a table may be taken: more, and looking for what is not there takes long."""
    return size * 5 // 8


@cache
def standard() -> Dictionary:
    """Jieba's own dictionary."""
    return _read(0)


def with_room(chars: int) -> Dictionary:
    """Jieba's own dictionary once more, to which words of so many characters can be added."""
    keys, counts, logs, first, total = standard()
    if np.count_nonzero(keys) + chars > _most(len(keys)):
        return _read(chars)
    return Dictionary(keys.copy(), counts.copy(), logs.copy(), first.copy(), total)


def _read(room: int) -> Dictionary:
    """349,046 lines of `word frequency tag`."""
    table = pl.read_csv(
        _folder() / "dict.txt", separator=" ", has_header=False, new_columns=["word", "count", "tag"], quote_char=None
    )
    han = table.filter(pl.col("word").str.contains(f"^{HAN}$"))
    return of_words(han["word"].to_list(), han["count"].to_numpy(), int(table["count"].sum()), room)


@cache
def model() -> Model:
    """Jieba's own model of new words."""
    start, transition, emission = (_probabilities(name) for name in ("prob_start", "prob_trans", "prob_emit"))
    of = np.full((LAST + 1 - FIRST, 4), NEVER)
    for state, name in enumerate(_STATES):
        codes, logs = np.array([ord(char) for char in emission[name]]), np.array(list(emission[name].values()))
        ours = (codes >= FIRST) & (codes <= LAST)
        of[codes[ours] - FIRST, state] = logs[ours]
    moves = np.array([[transition[a].get(b, NEVER) for b in _STATES] for a in _STATES])
    return Model(of, moves, np.array([start[name] for name in _STATES]))


def _folder() -> Path:
    spec = importlib.util.find_spec("jieba")
    assert spec is not None
    assert spec.submodule_search_locations
    return Path(spec.submodule_search_locations[0])


def _probabilities(name: str) -> Mapping[str, Any]:
    """The table P of one of jieba's Python files of numbers, read without jieba itself."""
    spec = importlib.util.spec_from_file_location(f"_{name}", _folder() / "finalseg" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found: Mapping[str, Any] = module.P
    return found
