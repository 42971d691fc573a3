"""多样性 diversity: whether generated texts say different things, and whether each repeats itself.

Counted over characters, the unit that every tokenizer shares.

    distinct-n     different n-grams of all texts / their n-grams (Li et al. 2016, arXiv:1510.03055)
    repeated-n     share of a text's n-grams that stood in it before, mean over texts (seq-rep-n of Welleck et al. 2020,
                   arXiv:1908.04319)
    self-BLEU      BLEU-4 of each text against all others, mean (Zhu et al. 2018, arXiv:1802.01886); 1: all are alike
    longest repeat the longest run of characters that stands twice in one text

All of them depend on how many texts there are and how long; compare only equal numbers of equal lengths.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

REPEATED = 4  # n of repeated-n
ORDERS = (1, 2, 3, 4)  # n-grams of BLEU, each with the same weight


def diversity(texts: Sequence[str]) -> dict[str, Any]:
    """All measures of some texts; a measure that they are too short or too few for is null."""
    repeats = [longest_repeat(text) for text in texts]
    shares = [share for text in texts if (share := repeated(text, REPEATED)) is not None]
    return {
        "texts": len(texts),
        "chars": sum(map(len, texts)),
        **{f"distinct_{n}": distinct(texts, n) for n in (1, 2, 3)},
        f"repeated_{REPEATED}": sum(shares) / len(shares) if shares else None,
        "self_bleu": self_bleu(texts),
        "longest_repeat": max(repeats, default=0),
        "longest_repeat_mean": sum(repeats) / len(repeats) if repeats else None,
    }


def grams(text: str, n: int) -> list[str]:
    """The n-grams of a text in order."""
    return [text[i : i + n] for i in range(len(text) - n + 1)]


def distinct(texts: Sequence[str], n: int) -> float | None:
    """Different n-grams over n-grams, of all texts together."""
    found = [gram for text in texts for gram in grams(text, n)]
    return len(set(found)) / len(found) if found else None


def repeated(text: str, n: int) -> float | None:
    """Share of a text's n-grams that stood in it before."""
    found = grams(text, n)
    return 1 - len(set(found)) / len(found) if found else None


def longest_repeat(text: str) -> int:
    """Characters of the longest run that stands at least twice in a text; the two may overlap."""
    ends = sorted(text[i:] for i in range(len(text)))
    return max((_alike(one, other) for one, other in pairwise(ends)), default=0)


def _alike(one: str, other: str) -> int:
    """Characters by which two texts begin alike."""
    return next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


def self_bleu(texts: Sequence[str]) -> float | None:
    """Mean BLEU-4 of every text with all others as its references; null for fewer than two texts that are not empty."""
    given = [text for text in texts if text]
    if len(given) < 2:
        return None
    counted = [[Counter(grams(text, n)) for text in given] for n in ORDERS]
    most = [_two_most(counts) for counts in counted]
    scores = []
    for i, text in enumerate(given):
        logs = []
        for counts, best in zip(counted, most, strict=True):
            own = counts[i]
            # a gram counts as often as it stands in the other text that has most of it
            found = sum(min(k, best[gram][1] if best[gram][2] == i else best[gram][0]) for gram, k in own.items())
            logs.append(math.log(found / own.total()) if found else -math.inf)
        lengths = [len(other) for j, other in enumerate(given) if j != i]
        nearest = min(lengths, key=lambda n: (abs(n - len(text)), n))
        scores.append(math.exp(min(0.0, 1 - nearest / len(text)) + sum(logs) / len(logs)))
    return sum(scores) / len(scores)


def _two_most(counts: list[Counter[str]]) -> dict[str, tuple[int, int, int]]:
    """For every gram its two largest counts in any two texts, and the text that has the largest."""
    most: dict[str, tuple[int, int, int]] = {}
    for i, own in enumerate(counts):
        for gram, k in own.items():
            first, second, owner = most.get(gram, (0, 0, -1))
            most[gram] = (k, first, i) if k > first else (first, max(second, k), owner)
    return most
