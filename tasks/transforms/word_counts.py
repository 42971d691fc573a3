"""词频 word counts: how often each word stands in many texts, and what that says of a corpus.

Words are the units of tasks/transforms/words.py that are neither space nor mark. Most have at most four characters of
the basic plane, 16 bits each: they are counted as one 64-bit number, and only what is distinct becomes text again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
from numpy.lib.stride_tricks import sliding_window_view

from tasks.transforms.flat_text import batches, flat_text
from tasks.transforms.user_dictionary import HAN
from tasks.transforms.words import Words

COUNTED = {"word": pl.String(), "count": pl.Int64()}
COVERED = (1_000, 5_000, 10_000, 50_000)  # sizes of vocabularies whose coverage is told
TOP = 50
_SHORT, _PLANE = 4, 0xFFFF
_MASKS = np.array([(1 << 16 * n) - 1 for n in range(_SHORT + 1)], dtype=np.uint64)  # the first n characters


def counts(texts: Sequence[str], cut: Words) -> pl.DataFrame:
    """COUNTED rows of texts that `words` cut, in an order that follows from the words alone."""
    keys = [np.zeros(0, np.uint64)]
    rest: list[str] = []
    for part in batches(texts):
        units = slice(cut.offsets[part.start], cut.offsets[part.stop])
        found, long = _keys("".join(texts[part]), cut.chars[units], cut.is_word[units])
        keys.append(found)
        rest += long
    ordered = np.sort(np.concatenate(keys))
    firsts = np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1])) if len(ordered) else np.zeros(0, np.int64)
    often = np.diff(np.append(firsts, len(ordered)))
    short = pl.DataFrame({"word": _spelled(ordered[firsts]), "count": often}, schema=COUNTED)
    long_ones = pl.Series("word", rest, dtype=pl.String()).value_counts(name="count").sort("word")
    return pl.concat([short, long_ones.cast({"count": pl.Int64()})])


def _keys(
    whole: str, chars: npt.NDArray[np.uint32], is_word: npt.NDArray[np.bool_]
) -> tuple[npt.NDArray[np.uint64], list[str]]:
    """Short words as numbers, the others as text."""
    codes = flat_text([whole]).codes
    ends = np.cumsum(chars, dtype=np.int64)[is_word]
    length = chars[is_word].astype(np.int64)
    starts = ends - length
    plain = length <= _SHORT
    if codes.max(initial=0) > _PLANE:
        astral = np.append(0, np.cumsum(codes > _PLANE))
        plain &= astral[ends] == astral[starts]
    padded = np.append(codes.astype("<u2"), np.zeros(_SHORT, "<u2"))
    four = sliding_window_view(padded, _SHORT)[starts[plain]].view("<u8")[:, 0]  # a word and what follows it
    others = zip(starts[~plain].tolist(), ends[~plain].tolist(), strict=True)
    return four & _MASKS[length[plain]], [whole[a:b] for a, b in others]


def _spelled(keys: npt.NDArray[np.uint64]) -> list[str]:
    """Numbers as words again; no character of a word is NUL."""
    if not len(keys):
        return []
    lines = np.full((len(keys), _SHORT + 1), ord("\n"), dtype="<u2")
    lines[:, :_SHORT] = keys.astype("<u8").view("<u2").reshape(-1, _SHORT)
    return lines.tobytes().decode("utf-16-le").replace("\0", "").rstrip("\n").split("\n")


def summed(tables: Sequence[pl.DataFrame | pl.LazyFrame]) -> pl.DataFrame:
    """The counts of several tables together."""
    if not tables:
        return pl.DataFrame(schema=COUNTED)
    every = pl.concat([t.lazy() for t in tables]).group_by("word").agg(pl.col("count").sum())
    return every.sort("count", "word", descending=[True, False]).collect(engine="streaming")


def statistics(counted: pl.DataFrame, knows: Callable[[str], bool]) -> dict[str, Any]:
    """What the counts of a corpus say.

    distinct        words that differ
    hapax_ratio     share of them that occur once
    coverage        share of all occurrences that the N most frequent words make up, for some N
    unknown_ratio   share of occurrences of Han words that the dictionary does not know (found by the HMM)
    unknown_distinct_ratio  the same of distinct Han words
    top             the most frequent words and their counts
    """
    total, distinct = int(counted["count"].sum()), counted.height
    running = counted["count"].cum_sum().to_numpy()
    han = counted.filter(pl.col("word").str.contains(f"^{HAN.pattern}$"))
    unknown = pl.Series([not knows(word) for word in han["word"]], dtype=pl.Boolean())
    strange, all_han = int(han.filter(unknown)["count"].sum()), int(han["count"].sum())
    return {
        "distinct": distinct,
        "hapax_ratio": _share(int((counted["count"] == 1).sum()), distinct),
        "coverage": {str(n): _share(int(running[min(n, distinct) - 1]) if distinct else 0, total) for n in COVERED},
        "unknown_ratio": _share(strange, all_han),
        "unknown_distinct_ratio": _share(int(unknown.sum()), han.height),
        "top": [[word, count] for word, count in counted.head(TOP).iter_rows()],
    }


def _share(part: int, whole: int) -> float:
    return round(part / whole, 6) if whole else 0.0
