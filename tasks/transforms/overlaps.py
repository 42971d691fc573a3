"""重合 overlaps: passages of documents that repeat a unit of the index, and how much of it.

A *passage* is a stretch of a folded document in which grams of one unit stand close together. Grams are the seeds: one
changed character breaks n of them, so text and unit are then laid side by side as the seeds lie, and every stretch of
at least four characters that agree counts.
"""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tasks.transforms.flat_text import FlatText, offsets_of
from tasks.transforms.gram_index import GramIndex, Places, found, grams_at, weight, within

Flags = npt.NDArray[np.bool_]
_STRETCH = 4  # characters that agree in a row; fewer agree by chance
_BESIDE = 64  # characters of the unit before and after its grams that are looked at
_ALIGNMENTS = 8  # ways of laying a passage beside its unit, as its grams lie, that are tried
_CELLS = 1 << 22  # characters laid beside each other at once, unless one passage alone takes more
_NEAR = 2  # characters by which a text is shifted to each side of them: what was inserted or dropped holds no gram


class Passages(NamedTuple):
    """One entry a passage, ordered by text, unit, start."""

    texts: Places  # number of the document
    units: Places  # number of the unit that it repeats
    starts: Places  # folded characters from the document's beginning
    stops: Places
    chars: npt.NDArray[np.float64]  # what it repeats of the unit, in Han characters
    runs: Places  # the longest run of characters that stand in the unit one after the other


class _Hits(NamedTuple):
    """One entry a gram of a document that a unit holds, ordered by text, unit and place."""

    texts: Places
    units: Places
    places: Places  # where it begins, in all texts
    inner: Places  # where it begins in the unit


def suspects(keys: FlatText, index: GramIndex, chars: int, min_run: int) -> Flags:
    """Which documents may repeat a run of `min_run` characters; a look at every (min_run - chars + 1)-th place."""
    step = min_run - chars + 1
    at, _ = found(index, grams_at(keys.codes, chars, step))
    inside, owner = within(keys.offsets, chars, at * step)
    held = np.zeros(len(keys.offsets) - 1, dtype=bool)
    held[owner[inside]] = True
    return held


def passages(keys: FlatText, index: GramIndex, chars: int, min_run: int, max_gap: int) -> Passages:
    """Every passage of every document that repeats a run of at least `min_run` characters."""
    hits = _hits(keys, index, chars)
    ahead = np.diff(hits.places)
    apart = (np.diff(hits.texts) != 0) | (np.diff(hits.units) != 0) | (ahead > chars + max_gap)
    opens = np.concatenate((np.ones(min(1, len(hits.texts)), dtype=bool), apart))
    breaks = opens.copy()
    breaks[1:] |= (ahead != 1) | (np.diff(hits.inner) != 1)
    heads = np.flatnonzero(breaks)
    run_chars = np.diff(heads, append=len(breaks)) + chars - 1
    number = np.cumsum(opens) - 1  # of the passage, for every hit
    runs = np.zeros(number[-1] + 1 if len(number) else 0, dtype=np.int64)
    np.maximum.at(runs, number[heads], run_chars)
    kept = (runs >= min_run)[number]
    hits = _Hits(*(column[kept] for column in hits))
    first = np.flatnonzero(np.diff(number[kept], prepend=-1))
    starts, stops, repeated = _laid_beside(keys, index, hits, first, chars)
    texts = hits.texts[first]
    begins = keys.offsets[texts]
    return Passages(texts, hits.units[first], starts - begins, stops - begins, repeated, runs[runs >= min_run])


def _hits(keys: FlatText, index: GramIndex, chars: int) -> _Hits:
    at, gram = found(index, grams_at(keys.codes, chars))
    inside, owner = within(keys.offsets, chars, at)
    at, gram, owner = at[inside], gram[inside], owner[inside]
    counts = index.starts[gram + 1] - index.starts[gram]
    row = np.repeat(np.arange(len(at)), counts)
    posting = index.starts[gram][row] + np.arange(len(row)) - (np.cumsum(counts) - counts)[row]
    units, inner = index.units[posting].astype(np.int64), index.places[posting].astype(np.int64)
    order = np.lexsort((at[row], units, owner[row]))
    return _Hits(owner[row][order], units[order], at[row][order], inner[order])


def _laid_beside(
    keys: FlatText, index: GramIndex, hits: _Hits, first: Places, chars: int
) -> tuple[Places, Places, npt.NDArray[np.float64]]:
    """(begin and end of each passage in all texts, what it repeats); passage i has the hits from `first[i]` on.

    A few passages at a time: where long texts share a footer and a heading, a passage is as wide as they are.
    """
    if not len(first):
        return first, first, np.zeros(0)
    width = np.maximum.reduceat(hits.inner, first) - np.minimum.reduceat(hits.inner, first) + chars + 2 * _BESIDE
    part = np.cumsum(width * (_ALIGNMENTS * (2 * _NEAR + 1))) // _CELLS
    cuts = [0, *(np.flatnonzero(np.diff(part)) + 1).tolist(), len(first)]
    ends = np.append(first, len(hits.texts))
    found = [
        _some_laid_beside(
            keys, index, _Hits(*(column[ends[a] : ends[b]] for column in hits)), first[a:b] - first[a], chars
        )
        for a, b in pairwise(cuts)
    ]
    starts, stops, repeated = (np.concatenate(column) for column in zip(*found, strict=True))
    return starts, stops, repeated


def _some_laid_beside(
    keys: FlatText, index: GramIndex, hits: _Hits, first: Places, chars: int
) -> tuple[Places, Places, npt.NDArray[np.float64]]:
    passage, shift = _alignments(hits, first)
    texts, units = hits.texts[first], hits.units[first]
    begin = index.offsets[units]  # of the unit, in all units
    low = np.maximum(np.minimum.reduceat(hits.inner, first) - _BESIDE, 0)
    high = np.minimum(np.maximum.reduceat(hits.inner, first) + chars + _BESIDE, index.offsets[units + 1] - begin)
    width = (high - low)[passage]
    row = np.repeat(np.arange(len(passage)), width)
    inner = np.arange(len(row)) - (np.cumsum(width) - width)[row] + low[passage[row]]
    place, owner = shift[row] + inner, passage[row]
    agrees = (place >= keys.offsets[texts][owner]) & (place < keys.offsets[texts + 1][owner])
    agrees[agrees] = keys.codes[place[agrees]] == index.codes[begin[owner] + inner][agrees]
    at = np.flatnonzero(_stretches(agrees, row))
    heads = np.searchsorted(owner[at], np.arange(len(first)))
    starts, stops = np.minimum.reduceat(place[at], heads), np.maximum.reduceat(place[at], heads) + 1
    room = offsets_of(high - low)
    held = np.zeros(room[-1], dtype=bool)  # characters of the units, those beside passage i from room[i] on
    held[room[owner[at]] + inner[at] - low[owner[at]]] = True
    cell = np.flatnonzero(held)
    owner = np.searchsorted(room, cell, side="right") - 1
    said = weight(index.codes[begin[owner] + low[owner] + cell - room[owner]])
    return starts, stops, np.bincount(owner, weights=said, minlength=len(first)).astype(np.float64)


def _alignments(hits: _Hits, first: Places) -> tuple[Places, Places]:
    """(passage, place in all texts where its unit would begin) for the likeliest ways to lay them side by side."""
    passage = np.repeat(np.arange(len(first)), np.diff(first, append=len(hits.places)))
    shift = hits.places - hits.inner
    least, span = int(shift.min()) - _NEAR, int(np.ptp(shift)) + 2 * _NEAR + 1
    pairs, counts = np.unique(passage * span + (shift - least), return_counts=True)  # both numbers in one
    pairs = pairs[np.lexsort((-counts, pairs // span))]
    rank = np.arange(len(pairs)) - np.searchsorted(pairs // span, pairs // span)
    near = pairs[rank < _ALIGNMENTS][:, None] + np.arange(-_NEAR, _NEAR + 1)
    wanted = np.unique(near)
    return wanted // span, wanted % span + least


def _stretches(agrees: Flags, row: Places) -> Flags:
    """Where at least `_STRETCH` characters of a row agree one after the other."""
    reach = _STRETCH - 1
    whole = np.zeros(len(agrees), dtype=bool)
    if len(agrees) > reach:
        core = row[:-reach] == row[reach:]
        for i in range(_STRETCH):
            core &= agrees[i : len(agrees) - reach + i]
        for i in range(_STRETCH):
            whole[i : len(agrees) - reach + i] |= core
    return whole
