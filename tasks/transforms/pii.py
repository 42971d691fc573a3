"""个人信息 pii: find Chinese personal data exactly, at the few places that can hold any.

Compiled passes leave out most text (pii_stretches) and find the places in the rest that can hold any (pii_numbers,
pii_names, pii_places). Each is looked at in Python by the shapes (pii_shapes, pii_patterns) that the number or word at
the place allows, and judged (pii_judges).
Spans have a confidence: `valid` where a checksum holds, `context` where a word near it says what it is, `shape` where
the form alone is telling. Names and postal addresses are not found: no recogniser that runs offline is good enough to
promise them.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from functools import cache
from itertools import groupby, pairwise
from typing import NamedTuple

import polars as pl

from tasks.transforms import pii_judges as judges
from tasks.transforms import pii_patterns as patterns
from tasks.transforms.pii_places import FOLD, windows
from tasks.transforms.pii_shapes import KINDS, SHAPES, TAG

CHECKED = ("CN_ID", "USCC", "BANK")  # kinds whose numbers carry a check digit
_AT = re.compile(patterns.AT)
_SPELLING = re.compile(f"[{patterns.JOINT}\n]")
_NEIGHBOURS = 400  # characters on either side of a placeholder that can look different through it
_NUMERIC = ("MOBILE", "LANDLINE", "BANK", "QQ")
_VALUES = frozenset(rank for rank, shape in enumerate(SHAPES) if "value" in shape.pattern.groupindex)
Piece = tuple[int, int, int, str, str]  # start, end, rank of the shape, kind, confidence


class Span(NamedTuple):
    """One piece of personal data: text[start:end]."""

    start: int
    end: int
    kind: str
    confidence: str  # valid | context | shape


def find(text: str, kinds: Collection[str] = KINDS) -> list[Span]:
    """All personal data of these kinds, in order, without overlaps. Placeholders of an earlier pass are no data."""
    return next((spans for _, spans in found_in(pl.Series([text]), kinds)), [])


def _found(text: str, places: list[list[int]], shapes: int) -> list[Piece]:
    """Pieces of a window, in order, without overlaps."""
    found: list[Piece] = []
    for start, at, fitting in places:
        for rank in _ranks(fitting & shapes):
            shape = SHAPES[rank]
            for first in range(start, at + 1):
                match = shape.pattern.match(text, first)
                if match:
                    confidence = shape.judge(text, match)
                    if confidence:
                        begins = match.start("value") if rank in _VALUES else first
                        found.append((begins, match.end(), rank, shape.kind, confidence))
                    break
    return _apart(found, len(text))


@cache
def _ranks(shapes: int) -> tuple[int, ...]:
    return tuple(rank for rank in range(len(SHAPES)) if shapes >> rank & 1)


def _apart(found: list[Piece], size: int) -> list[Piece]:
    """In order of place, and where some overlap, those of the lowest rank."""
    found = sorted(set(found))
    if all(one[1] <= two[0] for one, two in pairwise(found)):
        return found
    taken, kept = bytearray(size), []
    for piece in sorted(found, key=lambda piece: (piece[2], piece[0])):
        start, end = piece[:2]
        if not any(taken[start:end]):
            taken[start:end] = b"\1" * (end - start)
            kept.append(piece)
    return sorted(kept)


def found_in(text: pl.Series, kinds: Collection[str] = KINDS) -> Iterator[tuple[int, list[Span]]]:
    """(row, spans) of every row of a column that holds personal data; Python sees nothing but windows around places."""
    shapes = sum(1 << rank for rank, shape in enumerate(SHAPES) if shape.kind in kinds)
    if not shapes:
        return
    for row, some in groupby(windows(text, shapes), key=lambda window: window.row):
        spans = [
            Span(window.first + start, window.first + end, kind, confidence)
            for window in some
            for start, end, _, kind, confidence in _found(_untagged(window.text), window.places, shapes)
        ]
        if spans:
            yield row, spans


def _untagged(text: str) -> str:
    return TAG.sub(lambda tag: "\1" * len(tag[0]), text) if "<" in text else text


def redacted(
    text: pl.Series, kinds: Collection[str], placeholder: Callable[[str, str], str]
) -> tuple[pl.Series, dict[str, Counter[int]]]:
    """(the column with every piece replaced by `placeholder(kind, value)`, pieces by kind and row). Idempotent.

    A replacement changes what stands near its neighbours: rows where something is found near a placeholder are looked
    at again, until there is none.
    """
    counts: dict[str, Counter[int]] = {kind: Counter() for kind in kinds}
    changed: dict[int, str] = {}
    rows, some = list(range(len(text))), text
    while pieces := dict(found_in(some, kinds)):
        rows = [rows[at] for at in pieces]
        near = []
        for row, whole, spans in zip(rows, some.gather(list(pieces)), pieces.values(), strict=True):
            changed[row], places = _replaced(whole, spans, placeholder)
            near.append(_near(changed[row], places))
            for span in spans:
                counts[span.kind][row] += 1
        again = [at for at, _ in found_in(pl.Series(near, dtype=pl.String()), kinds)]
        rows = [rows[at] for at in again]
        some = pl.Series([changed[row] for row in rows], dtype=pl.String())
    done = text.clone().scatter(list(changed), list(changed.values())) if changed else text
    return done, counts


def _replaced(whole: str, spans: list[Span], placeholder: Callable[[str, str], str]) -> tuple[str, list[int]]:
    """(the text with placeholders, where each of them begins)."""
    parts, places, end, size = [], [], 0, 0
    for span in spans:
        before, put = whole[end : span.start], placeholder(span.kind, whole[span.start : span.end])
        places.append(size + len(before))
        parts += [before, put]
        end, size = span.end, size + len(before) + len(put)
    return "".join([*parts, whole[end:]]), places


def _near(text: str, places: list[int]) -> str:
    """What stands around these places, and around all that lies between two of them that are close."""
    parts: list[str] = []
    first = last = 0
    for place in places:
        if place - _NEIGHBOURS > last:
            parts.append(text[first:last])
            first = place - _NEIGHBOURS
        last = place + _NEIGHBOURS
    return "\1".join([*parts, text[first:last]])


def left_kinds(text: pl.Series) -> pl.Series:
    """Kinds of which a row still holds a piece with a valid checksum, as lists: what a contract must find empty."""
    kinds: list[list[str]] = [[] for _ in range(len(text))]
    for row, spans in found_in(text, CHECKED):
        kinds[row] = sorted({span.kind for span in spans if span.confidence == "valid"})
    return pl.Series(text.name, kinds, dtype=pl.List(pl.String()))


def canonical(kind: str, value: str) -> str:
    """One spelling of a value, so that the same person gets the same pseudonym."""
    value = value.translate(FOLD)
    if kind in _NUMERIC:
        return judges.digits(value)[-11:] if kind == "MOBILE" else judges.digits(value)
    return _SPELLING.sub("", _AT.sub("@", value)).upper()
