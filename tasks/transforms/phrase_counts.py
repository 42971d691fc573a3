"""词语计数 phrase counts: how much of every text is phrases of each list, found in one pass for all lists.

A phrase is also found in traditional script, in either case of its Latin letters, and with blanks or symbols strewn
between its characters (百 家*乐), as spam writes it. Matches do not overlap; the longest that begins first counts.
"""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import opencc

from tasks.transforms import phrases
from tasks.transforms.characters import Codes, Kind, Points, kinds
from tasks.transforms.compiled import compiled

LISTS: dict[str, tuple[str, ...]] = {
    "advert": phrases.ADVERTISING,
    "gambling": phrases.GAMBLING,
    "adult": phrases.ADULT,
    "fraud": phrases.FRAUD,
    "machine": phrases.MACHINE,
}
Table = npt.NDArray[Any]


class Found(NamedTuple):
    """int64 [rows, lists]."""

    chars: Table  # characters of all matches, without what was strewn between them
    pieces: Table  # matches
    different: Table  # different phrases


class _Phrases(NamedTuple):
    """All phrases, those with the same first character together, longer ones first."""

    heads: Table  # [0x110000] uint16: 1 + number of the group that begins with this code point, 0 for none
    groups: Table  # [groups + 1] first phrase of each group
    begins: Table  # [phrases + 1] where each phrase begins in `points`
    points: Points
    pairs: Table  # [0x10000] bool: whether some phrase begins with two characters of this hash
    lists: Table  # [phrases] index into LISTS
    names: Table  # [phrases] number of the phrase, the same for both scripts


def found(codes: Codes) -> Found:
    """Count one batch of rows."""
    counted = Found(*(np.zeros((len(codes.lengths), len(LISTS)), np.int64) for _ in Found._fields))
    last_row = np.full(int(_phrases().names.max()) + 1, -1)
    _count(codes.points, codes.starts, codes.lengths, *_phrases(), _strewn(), last_row, *counted)
    return counted


@compiled
def _count(
    points: Points, starts: Table, lengths: Table,
    heads: Table, groups: Table, begins: Table, wanted: Points, pairs: Table, lists: Table, names: Table, strewn: Table,
    last_row: Table, chars: Table, pieces: Table, different: Table,
) -> None:  # fmt: skip
    for row in range(len(starts)):
        i, end = starts[row], starts[row] + lengths[row]
        while i < end:
            first = points[i]
            group = np.int64(heads[first])
            i += 1
            if group == 0 or not (pairs[_pair(first, points[min(i, end - 1)])] or strewn[points[min(i, end - 1)]]):
                continue
            for phrase in range(groups[group - 1], groups[group]):
                behind = _behind(points, i, end, wanted, begins[phrase] + 1, begins[phrase + 1], strewn)
                if behind:
                    kind, name = lists[phrase], names[phrase]
                    chars[row, kind] += begins[phrase + 1] - begins[phrase]
                    pieces[row, kind] += 1
                    different[row, kind] += last_row[name] != row
                    last_row[name] = row
                    i = behind
                    break


@compiled
def _pair(first: int, second: int) -> Any:
    """A hash below 0x10000 of the two characters that a phrase begins with, in lower case."""
    if 65 <= second <= 90:
        second += 32
    return np.int64(first * 31 + second * 977) & 0xFFFF


@compiled
def _behind(points: Points, i: int, end: int, wanted: Points, at: int, last: int, strewn: Table) -> int:
    """Where the text goes on behind the rest of a phrase, 0 when the rest does not stand at i."""
    while at < last:
        skipped = 0
        while i < end and skipped < 2 and strewn[points[i]] and points[i] != wanted[at]:
            i += 1
            skipped += 1
        if i >= end:
            return 0
        point = points[i]
        if 65 <= point <= 90:
            point += 32
        if point != wanted[at]:
            return 0
        i += 1
        at += 1
    return i


@cache
def _strewn() -> npt.NDArray[np.bool_]:
    """Which code points may stand between the characters of a phrase."""
    return np.isin(kinds(), (Kind.SPACE, Kind.SYMBOL))


@cache
def _phrases() -> _Phrases:
    traditional = opencc.OpenCC("s2t").convert
    named = [(phrase, kind) for kind, some in enumerate(LISTS.values()) for phrase in some]
    every = {(form, kind, name) for name, (p, kind) in enumerate(named) for form in (p, traditional(p))}
    every |= {(p[0].upper() + p[1:], kind, name) for p, kind, name in every if p[0].upper() != p[0]}
    ordered = sorted(every, key=lambda e: (e[0][0], -len(e[0]), e[0]))
    firsts = [e[0][0] for e in ordered]
    groups = [i for i, first in enumerate(firsts) if i == 0 or first != firsts[i - 1]]
    heads = np.zeros(0x110000, np.uint16)
    for number, i in enumerate(groups):
        heads[ord(firsts[i])] = number + 1
    pairs = np.zeros(0x10000, bool)
    pairs[[int(_pair(ord(form[0]), ord(form[1]))) for form, _, _ in ordered]] = True
    return _Phrases(
        heads=heads,
        groups=np.array([*groups, len(ordered)]),
        begins=np.cumsum([0, *(len(e[0]) for e in ordered)]),
        points=np.array([ord(c) for e in ordered for c in e[0]], np.uint32),
        pairs=pairs,
        lists=np.array([e[1] for e in ordered]),
        names=np.array([e[2] for e in ordered]),
    )
