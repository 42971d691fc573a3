"""词频 word counts: how often each word stands in many texts, and what that says of a corpus.

Words are the units of tasks/transforms/words.py that are neither space nor mark. Most have at most four characters of
the basic plane, 16 bits each: they are counted as one 64-bit number (word_kernel.py), and only what is distinct becomes
text again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from data_contracts.model import Model
from tasks.transforms import word_kernel
from tasks.transforms.dictionary import HAN
from tasks.transforms.flat_text import batches, flat_text
from tasks.transforms.word_kernel import SHORT
from tasks.transforms.words import Flags, Words

COUNTED = {"word": pl.String(), "count": pl.Int64()}
COVERED = (1_000, 5_000, 10_000, 50_000)  # sizes of vocabularies whose coverage is told
TOP = 50
AT_ONCE = 1 << 17  # words to look up together; a corpus has millions
BATCH_CHARS = 1 << 16


def counts(texts: Sequence[str], cut: Words) -> pl.DataFrame:
    """COUNTED rows of texts that `words` cut, in an order that follows from the words alone."""
    table, rest = _Table(), list[str]()
    for part in batches(texts, BATCH_CHARS):
        units = slice(cut.offsets[part.start], cut.offsets[part.stop])
        rest += table.count("".join(texts[part]), cut.chars[units], cut.is_word[units])
    keys, often = table.found()
    short = pl.DataFrame({"word": _spelled(keys), "count": often}, schema=COUNTED)
    long_ones = pl.Series("word", rest, dtype=pl.String()).value_counts(name="count").sort("word")
    return pl.concat([short, long_ones.cast({"count": pl.Int64()})])


class _Table:
    """Counts of short words, in a hash table that is never more than half full."""

    def __init__(self) -> None:
        self._keys, self._counts = np.zeros(1 << 16, np.uint64), np.zeros(1 << 16, np.int64)
        self._used = 0

    def count(self, whole: str, chars: npt.NDArray[np.uint32], is_word: npt.NDArray[np.bool_]) -> list[str]:
        """Count the short words of a text that is cut into units; the long ones are returned."""
        while 2 * (self._used + len(chars)) > len(self._keys):
            keys, numbers = np.zeros(2 * len(self._keys), np.uint64), np.zeros(2 * len(self._keys), np.int64)
            word_kernel.moved(self._keys, self._counts, keys, numbers)
            self._keys, self._counts = keys, numbers
        long = np.empty(2 * len(chars), np.int64)
        codes = flat_text([whole]).codes
        fresh, found = word_kernel.count(codes, chars, is_word, self._keys, self._counts, long)
        self._used += fresh
        places = long[: 2 * found].tolist()
        return [whole[a:b] for a, b in zip(places[::2], places[1::2], strict=True)]

    def found(self) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.int64]]:
        """Words and their counts, in order of the words."""
        there = np.flatnonzero(self._keys)
        order = there[np.argsort(self._keys[there])]
        return self._keys[order], self._counts[order]


def _spelled(keys: npt.NDArray[np.uint64]) -> list[str]:
    """Numbers as words again; no character of a word is NUL."""
    if not len(keys):
        return []
    lines = np.full((len(keys), SHORT + 1), ord("\n"), dtype="<u2")
    lines[:, :SHORT] = keys.astype("<u8").view("<u2").reshape(-1, SHORT)
    return lines.tobytes().decode("utf-16-le").replace("\0", "").rstrip("\n").split("\n")


def summed(tables: Sequence[pl.DataFrame | pl.LazyFrame], part: int = 0, of: int = 1) -> pl.DataFrame:
    """The counts of several tables together, in no order: of all words, or of one of so many parts of them."""
    if not tables:
        return pl.DataFrame(schema=COUNTED)
    every = pl.concat([t.lazy() for t in tables])
    if of > 1:
        every = every.filter(pl.col("word").hash() % of == part)
    if len(tables) > 1:
        every = every.group_by("word").agg(pl.col("count").sum())
    return every.collect(engine="streaming")


class Tallied(Model):
    """What the counts of some words come to: little enough to be kept and added up."""

    words: Mapping[int, int]  # count -> words that occur so often
    frequent: tuple[tuple[str, int], ...]  # TOP of them
    han: tuple[int, int]  # occurrences of Han words, and how many differ
    unknown: tuple[int, int]  # the same of those that the dictionary does not know


def tallied(counted: pl.DataFrame, knows: Callable[[Sequence[str]], Flags]) -> Tallied:
    """Of words that differ, with their counts."""
    han = counted.filter(pl.col("word").str.contains(f"^{HAN}$"))
    known = [knows(part["word"].to_list()) for part in han.iter_slices(AT_ONCE)]
    unknown = ~pl.Series(np.concatenate([np.zeros(0, dtype=bool), *known]))
    return Tallied(
        words=dict(counted["count"].value_counts(name="words").sort("count").iter_rows()),
        frequent=tuple(_frequent(counted).iter_rows()),
        han=(int(han["count"].sum()), han.height),
        unknown=(int(han["count"].filter(unknown).sum()), int(unknown.sum())),
    )


def _frequent(counted: pl.DataFrame) -> pl.DataFrame:
    least = counted["count"].top_k(TOP).min()
    some = counted if least is None else counted.filter(pl.col("count") >= least)
    return some.sort("count", "word", descending=[True, False]).head(TOP)


def statistics(parts: Sequence[Tallied]) -> dict[str, Any]:
    """What the counts of a corpus say, from those of its words, whatever parts they fall into.

    distinct        words that differ
    hapax_ratio     share of them that occur once
    coverage        share of all occurrences that the N most frequent words make up, for some N
    unknown_ratio   share of occurrences of Han words that the dictionary does not know (found by the HMM)
    unknown_distinct_ratio  the same of distinct Han words
    top             the most frequent words and their counts
    """
    words: Counter[int] = Counter()
    for part in parts:
        words.update(part.words)
    often = np.array(sorted(words, reverse=True), dtype=np.int64)
    many = np.array([words[count] for count in often.tolist()], dtype=np.int64)
    ranks, running = np.cumsum(many), np.cumsum(often * many)
    distinct, total = int(many.sum()), int((often * many).sum())
    frequent = pl.DataFrame([f for p in parts for f in p.frequent], schema=COUNTED, orient="row")
    (han, han_words), (unknown, unknown_words) = (
        np.array([getattr(p, which) for p in parts], dtype=np.int64).reshape(-1, 2).sum(axis=0).tolist()
        for which in ("han", "unknown")
    )

    def covered(most: int) -> int:
        """Occurrences of so many most frequent words: of those of one count as many as there is room for."""
        if most >= distinct:
            return total
        at = int(np.searchsorted(ranks, most))
        return int(running[at] - often[at] * (ranks[at] - most))

    return {
        "distinct": distinct,
        "hapax_ratio": _share(words[1], distinct),
        "coverage": {str(n): _share(covered(n), total) for n in COVERED},
        "unknown_ratio": _share(unknown, han),
        "unknown_distinct_ratio": _share(unknown_words, han_words),
        "top": [[word, count] for word, count in _frequent(frequent).iter_rows()],
    }


def _share(part: int, whole: int) -> float:
    return round(part / whole, 6) if whole else 0.0
