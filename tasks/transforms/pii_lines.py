"""可疑的行 pii_lines: the few lines of a column of texts that can hold personal data, and the places in them.

Everything here is done by polars and its regex engine on whole columns. A long text costs little more than those lines.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import accumulate

import numpy as np
import numpy.typing as npt
import polars as pl

from tasks.transforms import pii_patterns as patterns
from tasks.transforms.characters import FOLDED
from tasks.transforms.pii_shapes import TAG

FOLD = FOLDED | {0xFF20: 0x40, 0xFF0E: 0x2E, 0xFF0D: 0x2D, 0xFF0B: 0x2B}  # also @ . - +
AROUND = 100  # characters of the lines before and behind that belong to the sight of a line


class Lines:
    """The lines of some texts, so that a long text costs little more than its few lines that can hold something."""

    def __init__(self, text: pl.Series) -> None:
        """Split the texts; no character is copied."""
        self.text = text
        lists = text.str.split("\n")
        counts = lists.list.len().to_numpy().astype(np.int64)
        self.flat = lists.explode() if len(lists) else pl.Series([], dtype=pl.String())
        self.owner = np.repeat(np.arange(len(counts)), counts)
        self.first = np.cumsum(counts) - counts

    def windows(self) -> Iterator[tuple[int, int, int, int, str, list[int]]]:
        """Lines that can hold something, in order, each between the ends of its neighbours.

        (text, line, characters before the line, characters of the line, all of it folded, its anchors)
        """
        at = self._suspect()
        owner, line = self.owner[at], self.flat.gather(at)
        before = self._neighbour(at, owner, -1).str.tail(AROUND) + "\n"
        behind = "\n" + self._neighbour(at, owner, 1).str.head(AROUND)
        leads, sizes = before.str.len_chars().fill_null(0), line.str.len_chars()
        plain = before.fill_null("") + line + behind.fill_null("")
        numbers = (at - self.first[owner]).tolist()
        places = zip(owner.tolist(), numbers, leads, sizes, strict=True)
        for (row, number, lead, size), (text, anchors) in zip(places, _anchored(plain), strict=True):
            yield row, number, lead, size, text, anchors

    def _suspect(self) -> npt.NDArray[np.int64]:
        """The lines that can hold something: the loose gate first, then the strict ones, each on what is left."""
        rest = self.flat.str.contains(patterns.LINE_GATE).arg_true()
        passed = []
        for part in patterns.STRICT:
            hits = self.flat.gather(rest).str.contains(part)
            passed.append(rest.filter(hits))
            rest = rest.filter(~hits)
        return pl.concat(passed).sort().to_numpy().astype(np.int64)

    def _neighbour(self, at: npt.NDArray[np.int64], owner: npt.NDArray[np.int64], step: int) -> pl.Series:
        """The lines before or behind these, null where their text ends."""
        there = np.clip(at + step, 0, max(0, len(self.flat) - 1))
        same = (self.owner[there] == owner) & (there != at)
        return pl.select(pl.when(pl.Series(same)).then(self.flat.gather(there))).to_series()


def _anchored(texts: pl.Series) -> Iterator[tuple[str, list[int]]]:
    """(folded text without placeholders, where its anchors stand): marks are far faster than to ask for places."""
    if texts.str.contains("\0", literal=True).any():
        texts = texts.str.replace_all("\0", "\1", literal=True)
    texts = _folded_column(texts)
    tagged = texts.str.contains(TAG.pattern)
    for marked, has_tags in zip(texts.str.replace_all(patterns.GATE, "\0$0"), tagged, strict=True):
        pieces = marked.split("\0")
        plain = "".join(pieces)
        if has_tags:
            plain = TAG.sub(lambda tag: "\1" * len(tag[0]), plain)
        yield plain, list(accumulate(map(len, pieces[:-1])))


def _folded_column(texts: pl.Series) -> pl.Series:
    """Full-width letters and digits as ASCII, one character for one."""
    wide = texts.str.contains(f"[{patterns.WIDE}]").arg_true()
    if len(wide) == 0:
        return texts
    return texts.clone().scatter(wide, [text.translate(FOLD) for text in texts.gather(wide)])
