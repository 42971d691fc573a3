"""逐字重合 verbatim: the longest run of characters of each passage that stands in a corpus, exactly, in one pass.

The passages (generated samples: few and short) are laid into a suffix automaton, whose states are the classes of their
substrings that end at the same places (Blumer et al. 1985, TCS 40). The corpus runs through it a character at a time;
after each, the state says the longest end of what was read that stands in some passage. So the corpus is read once,
in any number of pieces, and never held; the memory is that of the passages. Runs are not hashed: nothing is found that
is not there, at any length.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tasks.transforms.compiled import compiled
from tasks.transforms.flat_text import Codes

_CODE_POINTS = 0x110000
_MIX = np.uint64(0x9E3779B97F4A7C15)  # of splitmix64 (Steele et al. 2014): spreads keys over the table
_FREE = -1

Ints = npt.NDArray[np.int64]


class Run(NamedTuple):
    """The longest run of a passage that the corpus has: characters `start` to `stop` of the passage."""

    start: int
    stop: int

    @property
    def chars(self) -> int:
        """How long it is."""
        return self.stop - self.start


class Passages:
    """Passages that a corpus is read against."""

    def __init__(self, texts: Sequence[str]) -> None:
        self.lengths = [len(text) for text in texts]
        characters = sorted(set("".join(texts)))
        self._numbers = np.full(_CODE_POINTS, _FREE, np.int32)  # of a character; others stand in no passage
        self._numbers[[ord(c) for c in characters]] = np.arange(len(characters))
        self._numbers[0] = _FREE  # the mark between texts of the corpus
        known = {c: i for i, c in enumerate(characters)}
        edges, self._link, self._length, self._ends = _automaton([[known[c] for c in text] for text in texts])
        self._width = np.int64(len(characters) + 1)
        self._keys, self._values = _table(edges, int(self._width))
        self._best = np.zeros(len(self._link), np.int64)  # of each state: the longest run of its class that was read

    def read(self, texts: Sequence[str]) -> None:
        """Read some texts of the corpus."""
        joined = "\0".join(texts)
        codes: Codes = np.frombuffer(joined.encode("utf-32-le", "surrogatepass"), np.uint32)
        _walk(codes, self._numbers, self._width, self._keys, self._values, self._link, self._length, self._best, _MIX)

    def runs(self) -> list[Run]:
        """The longest run of each passage that stands in what was read so far; the first one of several."""
        best = self._best.copy()
        order = np.argsort(self._length, kind="stable")
        for state in order[:0:-1]:  # longest first: what was read has all its ends too
            if best[state]:
                best[self._link[state]] = self._length[self._link[state]]
        best[0] = 0
        for state in order[1:]:
            if not best[state]:
                best[state] = best[self._link[state]]
        found = []
        for ends in self._ends:
            lengths = best[ends]
            at = int(lengths.argmax()) if len(lengths) else 0
            size = int(lengths[at]) if len(lengths) else 0
            found.append(Run(at + 1 - size, at + 1) if size else Run(0, 0))
        return found


def _automaton(texts: list[list[int]]) -> tuple[list[dict[int, int]], Ints, Ints, list[Ints]]:
    """(edges, link, length) of each state, and for each text the states of its beginnings. State 0 is the empty string.

    Texts are put end to end with a mark between that no text has, so that no run leads from one into the next.
    """
    edges: list[dict[int, int]] = [{}]
    link, length = [_FREE], [0]
    last, ends = 0, []
    for number, text in enumerate(texts):
        states = []
        for c in [*text, -1 - number]:
            new = len(edges)
            edges.append({})
            length.append(length[last] + 1)
            link.append(0)
            at = last
            while at != _FREE and c not in edges[at]:
                edges[at][c] = new
                at = link[at]
            if at != _FREE:
                there = edges[at][c]
                if length[there] == length[at] + 1:
                    link[new] = there
                else:
                    copy = len(edges)
                    edges.append(edges[there].copy())
                    length.append(length[at] + 1)
                    link.append(link[there])
                    link[there] = link[new] = copy
                    while at != _FREE and edges[at].get(c) == there:
                        edges[at][c] = copy
                        at = link[at]
            last = new
            states.append(new)
        ends.append(np.array(states[:-1], np.int64))
    return edges, np.array(link, np.int64), np.array(length, np.int64), ends


def _table(edges: list[dict[int, int]], width: int) -> tuple[Ints, Ints]:
    """The edges as an open hash table: key state * width + character, value the state that it leads to."""
    pairs = [(s * width + c, t) for s, own in enumerate(edges) for c, t in own.items() if c >= 0]
    size = 1 << max(4, (2 * len(pairs)).bit_length())
    keys, values = np.full(size, _FREE, np.int64), np.zeros(size, np.int64)
    given = np.array(pairs, np.int64).reshape(-1, 2)
    _fill(given[:, 0].copy(), given[:, 1].copy(), keys, values, _MIX)
    return keys, values


@compiled
def _fill(given: Ints, targets: Ints, keys: Ints, values: Ints, mix: np.uint64) -> None:
    mask = len(keys) - 1
    for i in range(len(given)):
        slot = np.int64((np.uint64(given[i]) * mix) >> np.uint64(32)) & mask
        while keys[slot] != -1:
            slot = (slot + 1) & mask
        keys[slot] = given[i]
        values[slot] = targets[i]


@compiled
def _walk(
    codes: Codes,
    numbers: npt.NDArray[np.int32],
    width: np.int64,
    keys: Ints,
    values: Ints,
    link: Ints,
    length: Ints,
    best: Ints,
    mix: np.uint64,
) -> None:
    """Read characters from the empty string on; note for each state the longest run that led to it."""
    mask = len(keys) - 1
    state, run = np.int64(0), np.int64(0)
    for i in range(len(codes)):
        c = np.int64(numbers[codes[i]])
        if c < 0:
            state, run = np.int64(0), np.int64(0)
            continue
        while True:
            key = state * width + c
            slot = np.int64((np.uint64(key) * mix) >> np.uint64(32)) & mask
            while keys[slot] != -1 and keys[slot] != key:
                slot = (slot + 1) & mask
            if keys[slot] == key:
                state, run = values[slot], run + 1
                if run > best[state]:
                    best[state] = run
                break
            if state == 0:
                run = np.int64(0)
                break
            state = link[state]
            run = length[state]
