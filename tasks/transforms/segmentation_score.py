"""分词评分 segmentation score: how well a segmenter agrees with people, by the measure of the SIGHAN Bakeoff 2005.

A word is right when people cut the same characters as one word. Precision is the share of the segmenter's words that
are right, recall the share of people's words, F1 their harmonic mean (Emerson 2005, The Second International Chinese
Word Segmentation Bakeoff). Words that the training vocabulary does not hold are out of vocabulary; recall is given for
them and for the others apart.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from tasks.transforms.flat_text import offsets_of
from tasks.transforms.words import Flags, Lengths

Knows = Callable[[Sequence[str]], Flags]  # which of many words are in the vocabulary


class Score(NamedTuple):
    """Counts of words, and what follows from them; a ratio without any word to count is 0."""

    sentences: int
    gold_words: int
    found_words: int
    right_words: int
    unknown_words: int  # of the gold words, out of vocabulary
    right_unknown_words: int

    @property
    def precision(self) -> float:
        """Right words of those that were found."""
        return _share(self.right_words, self.found_words)

    @property
    def recall(self) -> float:
        """Right words of those that people made."""
        return _share(self.right_words, self.gold_words)

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall."""
        return _share(2 * self.right_words, self.gold_words + self.found_words)

    @property
    def unknown_ratio(self) -> float:
        """Share of people's words that are out of vocabulary (OOV rate)."""
        return _share(self.unknown_words, self.gold_words)

    @property
    def unknown_recall(self) -> float:
        """Recall of words that are out of vocabulary (OOV recall)."""
        return _share(self.right_unknown_words, self.unknown_words)

    @property
    def known_recall(self) -> float:
        """Recall of the others (IV recall)."""
        return _share(self.right_words - self.right_unknown_words, self.gold_words - self.unknown_words)

    def figures(self) -> dict[str, float]:
        """Everything, for a table or JSON."""
        ratios = ("precision", "recall", "f1", "unknown_ratio", "unknown_recall", "known_recall")
        return self._asdict() | {name: round(getattr(self, name), 6) for name in ratios}


def score(gold: Sequence[Sequence[str]], found: Lengths, knows: Knows) -> Score:
    """Score the words that a segmenter made of the gold sentences, which are taken end to end.

    `found` holds the lengths of its words in characters; one that goes over the end of a sentence is never right.
    """
    people = [word for sentence in gold for word in sentence]
    ends = offsets_of(np.fromiter(map(len, people), dtype=np.int64, count=len(people)))
    ours = offsets_of(found.astype(np.int64))
    if ends[-1] != ours[-1]:
        raise ValueError(f"the words have {ours[-1]} characters, the gold sentences {ends[-1]}")
    cut = np.zeros(int(ends[-1]) + 1, dtype=np.int64)
    cut[ours] = 1
    inside = np.cumsum(cut)  # borders up to and with each place
    first, last = ends[:-1], ends[1:]
    right = (cut[first] == 1) & (cut[last] == 1) & (inside[last] - inside[first] == 1)
    unknown = ~knows(people)
    return Score(
        sentences=len(gold),
        gold_words=len(people),
        found_words=len(found),
        right_words=int(right.sum()),
        unknown_words=int(unknown.sum()),
        right_unknown_words=int((right & unknown).sum()),
    )


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0
