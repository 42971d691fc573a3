"""平铺 flat text: many texts as one array of code points, so that numpy works on all of them at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Codes = npt.NDArray[np.uint32]
Offsets = npt.NDArray[np.int64]

BATCH_CHARS = 1 << 20  # arrays of a few megabytes stay in the cache


class FlatText(NamedTuple):
    """The n texts: text i is `codes[offsets[i]:offsets[i + 1]]`, code points."""

    codes: Codes
    offsets: Offsets  # n + 1


def flat_text(texts: Sequence[str]) -> FlatText:
    """Texts end to end."""
    codes = np.frombuffer("".join(texts).encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    return FlatText(codes, offsets_of(np.fromiter(map(len, texts), dtype=np.int64, count=len(texts))))


def offsets_of(lengths: npt.NDArray[np.int64]) -> Offsets:
    """Lengths of n pieces -> n + 1 offsets."""
    return np.concatenate((np.zeros(1, dtype=np.int64), np.cumsum(lengths, dtype=np.int64)))


def chosen(texts: FlatText, which: npt.NDArray[np.bool_]) -> FlatText:
    """Some of the texts, in their order."""
    if which.all():
        return texts
    lengths = np.diff(texts.offsets)
    return FlatText(texts.codes[np.repeat(which, lengths)], offsets_of(lengths[which]))


def batches(texts: Sequence[str], chars: int = BATCH_CHARS) -> Iterator[slice]:
    """Slices of at least one text and about `chars` characters, in order."""
    start = size = 0
    for i, text in enumerate(texts):
        size += len(text)
        if size >= chars:
            yield slice(start, i + 1)
            start, size = i + 1, 0
    if start < len(texts):
        yield slice(start, len(texts))
