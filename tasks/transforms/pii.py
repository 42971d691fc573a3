"""个人信息 pii: find Chinese personal data exactly, at the few places that can hold any.

A loose gate sends most texts away, strict ones most lines of the others (pii_lines); what is left is looked at in
Python, by the shapes (pii_shapes, pii_patterns) that the number or word at a place allows, and judged (pii_judges).
Spans have a confidence: `valid` where a checksum holds, `context` where a word near it says what it is, `shape` where
the form alone is telling. Names and postal addresses are not found: no recogniser that runs offline is good enough to
promise them.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from functools import cache
from itertools import accumulate, pairwise
from typing import NamedTuple

import polars as pl

from tasks.transforms import pii_judges as judges
from tasks.transforms import pii_patterns as patterns
from tasks.transforms.pii_lines import FOLD, Lines
from tasks.transforms.pii_shapes import KINDS, LETTERED, SHAPES, Shape

CHECKED = ("CN_ID", "USCC", "BANK")  # kinds whose numbers carry a check digit
_CAPITALS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_UPPER, _DIGITS = frozenset(_CAPITALS), frozenset("0123456789")
_JOINTS = frozenset("0123456789 -\u00a0\u00b7\u2010\u2011\u2012\u2013\u2014\u3000/\n()（）+")
_TIES = _JOINTS | frozenset("." + _CAPITALS)  # what ties a number to something before it
_LETTERS = frozenset(_CAPITALS + _CAPITALS.lower())
_RUN = re.compile(rf"[0-9]+(?:[{patterns.JOINT}/\n()（）]{{1,3}}[0-9]+(?![0-9]|\.[0-9]))*")
_ALONE = re.compile(rf"[0-9]+(?![0-9A-Za-z]|[{patterns.JOINT}/\n()（）.]{{1,3}}[0-9])")
_DOTTED = re.compile(r"[0-9]+(?:\.[0-9]+)+")
_NUMBER, _GROUP, _LONG = re.compile("[0-9]{3}"), re.compile("[0-9]+"), re.compile("[0-9]{7,}")
_AT = re.compile(patterns.AT)
_SPELLING = re.compile(f"[{patterns.JOINT}\n]")
_REACH = 32  # characters that a number is followed to the left
_NAMED = 28  # characters behind an anchor of another kind in which a number may have lost its own
_NEIGHBOURS = 400  # characters on either side of a placeholder that can look different through it
_NUMERIC = ("MOBILE", "LANDLINE", "BANK", "QQ")
Piece = tuple[int, int, int, str, str]  # start, end, rank of the shape, kind, confidence


class Span(NamedTuple):
    """One piece of personal data: text[start:end]."""

    start: int
    end: int
    kind: str
    confidence: str  # valid | context | shape


class _Ready(NamedTuple):
    """A shape as the search wants it."""

    rank: int  # its place in SHAPES
    shape: Shape
    search: Callable[[str, int, int], re.Match[str] | None]
    judge: Callable[[str, re.Match[str]], str]
    behind: int
    group: int | str  # of the match, what is personal data


class _Tables(NamedTuple):
    """The shapes of some kinds, by what an anchor shows."""

    by_run: dict[tuple[int, str], list[_Ready]]  # (digits of an unbroken run, its first digit)
    broken: list[_Ready]
    lettered: list[_Ready]
    by_dots: dict[int, list[_Ready]]
    by_first: dict[str, list[_Ready]]


@cache
def _tables(kinds: frozenset[str]) -> _Tables:
    tables = _Tables({}, [], [], {}, {})
    for rank, shape in enumerate(SHAPES):
        if shape.kind not in kinds:
            continue
        group = "value" if "value" in shape.pattern.groupindex else 0
        ready = _Ready(rank, shape, shape.pattern.search, shape.judge, shape.behind, group)
        for key in ((size, digit) for size, digits in shape.runs.items() for digit in digits):
            tables.by_run.setdefault(key, []).append(ready)
        for character in shape.first:
            tables.by_first.setdefault(character, []).append(ready)
        if shape.lettered:
            tables.lettered.append(ready)
        if shape.dots:
            tables.by_dots.setdefault(shape.dots, []).append(ready)
        if shape.broken:
            tables.broken.append(ready)
    return tables


def find(text: str, kinds: Collection[str] = KINDS) -> list[Span]:
    """All personal data of these kinds, in order, without overlaps. Placeholders of an earlier pass are no data."""
    return next((spans for _, spans in found_in(pl.Series([text]), kinds)), [])


def _found(plain: str, anchors: Iterable[int], tables: _Tables) -> list[Piece]:
    """Pieces of a folded text that has anchors at these places, in order, without overlaps."""
    found: list[Piece] = []
    done = 0  # where the last number ended
    for at in anchors:
        first = plain[at]
        if first not in _DIGITS:
            for ready in tables.by_first.get(first, ()):
                start = ready.shape.opens(plain, at)
                if start >= 0:
                    _search(plain, start, at, ready, found)
            digit = _NUMBER.search(plain, at, at + _NAMED)
            if digit is None:
                continue
            at = digit.start()
        if at >= done:
            alone = _ALONE.match(plain, at) if plain[at - 1 : at] not in _TIES else None
            if alone:
                done = alone.end()
                for ready in tables.by_run.get((done - at, plain[at]), ()):
                    _search(plain, at, done, ready, found)
            else:
                done = _number(plain, at, done, tables, found)
    return _apart(found, len(plain))


def _number(plain: str, at: int, done: int, tables: _Tables, found: list[Piece]) -> int:
    """Look at a number that has something at its ends; where it ends."""
    floor = max(done, at - _REACH)
    while at > floor and (plain[at - 1] in _DIGITS or (plain[at - 1] == "." and plain[at - 2 : at - 1] in _DIGITS)):
        at -= 1
    dotted = _DOTTED.match(plain, at)
    if dotted:
        for ready in tables.by_dots.get(dotted[0].count("."), ()):
            _search(plain, at, dotted.end(), ready, found)
        for group in _LONG.finditer(plain, *dotted.span()):
            _unbroken(plain, group.start(), *group.span(), tables, found)
        return dotted.end()
    run = _RUN.match(plain, at)
    assert run is not None
    start, end = at, run.end()
    for ready in tables.lettered if plain[at - 1 : at] in _UPPER else ():
        _search(plain, ready.shape.opens(plain, at - 1), at, ready, found)
    while start > floor and plain[start - 1] in _JOINTS:
        start -= 1
    if run[0].isdigit() and (start == at or _DIGITS.isdisjoint(plain[start:at])):
        _unbroken(plain, start, at, end, tables, found)
        return end
    size = sum(map(len, _GROUP.findall(plain, start, end)))
    for ready in tables.broken:
        if size >= ready.shape.broken:
            _search(plain, start, end, ready, found)
    for group in _LONG.finditer(plain, start, end):
        _unbroken(plain, group.start(), *group.span(), tables, found)
    return end


def _unbroken(plain: str, start: int, first: int, end: int, tables: _Tables, found: list[Piece]) -> None:
    """Look at digits [first:end] that stand together; what belongs to them may begin at `start`."""
    size = LETTERED if end - first < 18 and plain[end : end + 1] in _LETTERS else end - first
    for ready in tables.by_run.get((size, plain[first]), ()):
        _search(plain, start, end, ready, found)


def _search(plain: str, start: int, end: int, ready: _Ready, found: list[Piece]) -> None:
    rank, shape, search, judge, behind, group = ready
    match = search(plain, start, end + behind)
    while match:
        confidence = judge(plain, match)
        last = match.end()
        if confidence:
            found.append((match.start(group), last, rank, shape.kind, confidence))
        match = search(plain, last, end + behind) if last < end else None


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
    """(row, spans) of every row of a column that holds personal data; texts without any stay in polars."""
    if not kinds:
        return
    tables = _tables(frozenset(kinds))
    rows = text.str.contains(patterns.GATE).fill_null(False).arg_true()
    lines = Lines(text.gather(rows))
    found: dict[int, list[tuple[int, int, int, list[Piece]]]] = {}
    for row, line, lead, size, plain, anchors in lines.windows():
        pieces = _found(plain, anchors, tables)
        if pieces:
            found.setdefault(row, []).append((line, lead, lead + size, pieces))
    for row, by_line in found.items():
        starts = list(accumulate((len(line) + 1 for line in lines.text[row].split("\n")), initial=0))
        spans = [
            Span(s + starts[line] - lead, e + starts[line] - lead, kind, confidence)
            for line, lead, end, pieces in by_line
            for s, e, _, kind, confidence in pieces
            if lead <= s < end  # what begins in another line was or will be found there
        ]
        if spans:
            yield rows[row], spans


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
