"""基线 baselines: what a model must beat to have learned anything, in bits per character.

Character unigram and bigram models, interpolated after Witten and Bell (IEEE Transactions on Information Theory 37(4),
1991, method C) down to a uniform distribution over 65,536 code points, so that no character has probability zero:

    P0(c)     = 1 / 65536
    P1(c)     = (n(c)     + T     P0(c)) / (N    + T)       T    different characters seen in training
    P2(c | h) = (n(h, c)  + T(h)  P1(c)) / (n(h) + T(h))    T(h) different characters seen after h

A document is its characters and one end mark, predicted after a start mark, like a language model with a separator.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

CODE_POINTS = 65_536
_SHIFT = 21  # code points fit in 21 bits
_EDGE = 0  # start and end mark; NUL was removed by the clean stage
_BATCH_CHARS = 4_000_000  # memory: about 100 bytes a character of a batch

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Counts:
    """Sorted keys with how often each was seen."""

    keys: Ints
    counts: Ints

    def of(self, keys: Ints) -> Ints:
        """Counts of the given keys, 0 for those never seen."""
        if not len(self.keys):
            return np.zeros(len(keys), np.int64)
        at = np.minimum(np.searchsorted(self.keys, keys), len(self.keys) - 1)
        return np.where(self.keys[at] == keys, self.counts[at], 0)


@dataclass(frozen=True)
class Baselines:
    """Counts of a training text."""

    single: Counts  # character, end mark included
    pairs: Counts  # previous character << 21 | character
    history: Counts  # character as a previous one, start mark included
    followers: Counts  # different characters seen after a character

    def bits(self, texts: Iterable[str]) -> tuple[float, float, int]:
        """Bits of held-out documents under the unigram and the bigram model, and their number of characters."""
        total, kinds = int(self.single.counts.sum()), len(self.single.keys)
        if not total:
            raise ValueError("baselines: no training text was counted")
        one = two = 0.0
        chars = 0
        for previous, current, count in _batches(texts):
            unigram = (self.single.of(current) + kinds / CODE_POINTS) / (total + kinds)
            seen, after = self.history.of(previous), self.followers.of(previous)
            pair = self.pairs.of(previous << _SHIFT | current)
            known = seen + after
            bigram = np.where(known > 0, (pair + after * unigram) / np.maximum(known, 1), unigram)
            one -= float(np.log2(unigram).sum())
            two -= float(np.log2(bigram).sum())
            chars += count
        return one, two, chars


def train(texts: Iterable[str]) -> Baselines:
    """Count the characters and pairs of training documents. Without any, `bits` raises ValueError."""
    single, pairs = _empty(), _empty()
    for previous, current, _ in _batches(texts):
        single = _add(single, current)
        pairs = _add(pairs, previous << _SHIFT | current)
    heads = pairs.keys >> _SHIFT
    firsts, starts = np.unique(heads, return_index=True)
    history = np.add.reduceat(pairs.counts, starts) if len(starts) else np.zeros(0, np.int64)
    followers = np.diff(np.append(starts, len(heads))).astype(np.int64)
    return Baselines(single, pairs, Counts(firsts, history), Counts(firsts, followers))


def _empty() -> Counts:
    return Counts(np.zeros(0, np.int64), np.zeros(0, np.int64))


def _add(counts: Counts, keys: Ints) -> Counts:
    """Counts with more keys seen."""
    new, number = np.unique(keys, return_counts=True)
    merged, inverse = np.unique(np.concatenate([counts.keys, new]), return_inverse=True)
    sums = np.bincount(inverse, weights=np.concatenate([counts.counts, number]), minlength=len(merged))
    return Counts(merged, sums.astype(np.int64))


def _batches(texts: Iterable[str]) -> Iterable[tuple[Ints, Ints, int]]:
    """Documents as (previous, current) code points, a few million at a time, and the characters among them."""
    batch: list[str] = []
    size = 0
    for text in texts:
        batch.append(text)
        size += len(text)
        if size >= _BATCH_CHARS:
            yield _points(batch)
            batch, size = [], 0
    if batch:
        yield _points(batch)


def _points(texts: list[str]) -> tuple[Ints, Ints, int]:
    joined = "\0" + "\0".join(texts) + "\0"
    points = np.frombuffer(joined.encode("utf-32-le", "surrogatepass"), np.uint32).astype(np.int64)
    return points[:-1], points[1:], sum(map(len, texts))
