"""个人信息的名 pii_names: names of accounts, addresses, links, plates and numerals of a column, by one compiled pass.

Places are as in pii_numbers, whose digits are looked at here only behind the name of an account. Texts lie end to end,
each followed by a line feed: what stands before or behind a text is one, and may be read.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from tasks.transforms.compiled import compiled

Whole = Any  # a number inside a kernel: machine integers, for which Python has no type
Points = npt.NDArray[np.uint32]
Index = npt.NDArray[np.int64]
Bytes = npt.NDArray[np.uint8]
Signs = npt.NDArray[np.uint16]  # of every code point: what it is
Shapes = npt.NDArray[np.uint32]  # bits of ranks in SHAPES
Words = npt.NDArray[np.uint32]  # one a row, last character first, small letters, filled up with zeros

# what a character begins: values of the table of openers
FIGURE, WORD, AT, EQUALS, BRACKETED, NUMERALS, SPELLED_AT, NAME = 1, 2, 3, 4, 5, 6, 7, 8
# what a character is: bits of the table of signs
DIGIT, LETTER, JOINT, STOP, NUMERAL, PROVINCE, NAMING, LONG_NAMING = 1, 2, 4, 8, 16, 32, 64, 128
LOCAL_PART, IN_LINK, DASHED = 1 << 8, 1 << 9, 1 << 10
ALNUM = DIGIT | LETTER
NAME_REACH, LONG_NAME = 16, 6  # characters between a name and its account; letters of wechat
SCHEME = 16  # characters of the longest scheme of a link


class NameTables(NamedTuple):
    """What the kernel knows of characters and names."""

    openers: Bytes  # of every code point: what it begins
    signs: Signs
    by_anchor: Shapes
    account_names: Words
    number_names: Words
    secrets: Words  # parameters of links


class Name(IntEnum):
    """What a shape hangs on: rows of `by_anchor`."""

    NUMBER = 0  # five to eleven digits behind the name of an account
    ACCOUNT = 1  # a word behind the name of an account
    PLATE = 2
    ADDRESS = 3
    LINK = 4
    NUMERALS = 5


@compiled
def _put(found: Index, count: Whole, start: Whole, at: Whole, shapes: Whole) -> Whole:
    """Write a place, if there is a shape; how many there are now."""
    if shapes == 0:
        return count
    found[count, 0], found[count, 1], found[count, 2] = start, at, shapes
    return count + 1


@compiled
def _small(code: Whole) -> Whole:
    return code | 32 if 65 <= code <= 90 else code


@compiled
def _run(points: Points, at: Whole, end: Whole, signs: Signs, wanted: Whole) -> Whole:
    """The end of the run of characters with one of these signs that begins here."""
    while 0 <= at < end and signs[points[at]] & wanted:
        at += 1
    return at


@compiled
def _back(points: Points, at: Whole, first: Whole, signs: Signs, wanted: Whole) -> Whole:
    """Where the run of characters with one of these signs begins that ends here."""
    while at > first and signs[points[at - 1]] & wanted:
        at -= 1
    return at


@compiled
def _word_start(points: Points, first: Whole, last: Whole, words: Words) -> Whole:
    """Where one of these words begins that ends with the character at `last`; -1 for none."""
    for word in range(words.shape[0]):
        size = 0
        while (
            size < words.shape[1]
            and words[word, size]
            and last - size >= first
            and _small(points[last - size]) == words[word, size]
        ):
            size += 1
        if size == words.shape[1] or not words[word, size]:
            return last - size + 1
    return -1


@compiled
def _name_before(points: Points, first: Whole, at: Whole, signs: Signs, names: Words) -> Whole:
    """Where the name begins that belongs to an account at `at`; -1 for none. Ten signs, one "ID" may stand between."""
    here, gap, identified = at - 1, 0, False
    while here >= first and gap <= 10:
        sign = signs[points[here]]
        if sign & NAMING:
            start = _word_start(points, first, here, names)
            if start >= 0:
                return start
        if sign & STOP:
            return -1
        if sign & ALNUM:
            if identified or here <= first or _small(points[here]) != 0x64 or _small(points[here - 1]) != 0x69:
                return -1
            identified = True
            here -= 1
        here -= 1
        gap += 1
    return -1


@compiled
def _is_plate(points: Points, at: Whole, end: Whole, signs: Signs) -> Whole:
    """Whether four letters or digits follow a letter behind a province, a joint between them or not."""
    body = at + 1 + np.int64(signs[points[at + 1]] & JOINT != 0 or points[at + 1] == 0x2022)
    return _run(points, body, min(end, body + 4), signs, ALNUM) == body + 4


@compiled
def _account(points: Points, first: Whole, at: Whole, end: Whole, signs: Signs, names: Words) -> Whole:
    """Where the name of an account that begins here stands, or wxid_ itself; -1 for none."""
    if signs[points[at - 1]] & ALNUM:
        return -1
    name = _name_before(points, first, at, signs, names)
    if name < 0 and points[at] == 0x77 and points[at + 1] == 0x78 and points[at + 2] == 0x69:
        name = at
    if name >= 0 and _run(points, at, min(end, at + 5), signs, ALNUM | DASHED) < at + 5:
        return -1
    return name


@compiled
def _local_part(points: Points, first: Whole, at: Whole, spaces: Whole, signs: Signs) -> Whole:
    """Where the name of an address begins whose @ stands here, so many spaces between at most; -1 for none."""
    behind = at
    while behind > first and at - behind < spaces and points[behind - 1] == 32:
        behind -= 1
    start = _back(points, behind, max(first, behind - 66), signs, LOCAL_PART)
    return start if start < behind else -1


@compiled
def _link(points: Points, first: Whole, at: Whole, signs: Signs) -> Whole:
    """Where the link begins that holds a character; -1 for none."""
    colon = at - 1
    while colon >= first and signs[points[colon]] & IN_LINK:
        if points[colon] == 58 and points[colon + 1] == 47 and points[colon + 2] == 47:
            return _back(points, colon, max(first, colon - SCHEME), signs, LOCAL_PART)
        colon -= 1
    return -1


@compiled
def _has_host(points: Points, at: Whole, end: Whole, signs: Signs) -> Whole:
    """Whether a name with a dot and two letters behind it follows an @."""
    here = at + 1 + np.int64(points[at + 1] == 32)
    while here < end and (signs[points[here]] & ALNUM or points[here] == 45 or points[here] == 46):
        if points[here] == 46 and signs[points[here + 1]] & LETTER and signs[points[here + 2]] & LETTER:
            return True
        here += 1
    return False


@compiled
def _is_bracketed_at(points: Points, at: Whole, end: Whole) -> Whole:
    """Whether (at), [AT], （@） stands here."""
    at += 1 + np.int64(points[at + 1] == 32)
    if points[at] == 64:
        at += 1
    elif at + 1 < end and _small(points[at]) == 97 and _small(points[at + 1]) == 116:
        at += 2
    else:
        return False
    at += np.int64(points[at] == 32)
    code = points[at]
    return at < end and (code == 93 or code == 41 or code == 0xFF09 or code == 0x3011)


@compiled
def _is_secret(points: Points, first: Whole, at: Whole, signs: Signs, secrets: Words) -> Whole:
    """Whether the name of a parameter that lets its holder in stands before this =."""
    start = _back(points, at, max(first, at - 24), signs, ALNUM | DASHED)
    if start <= first or start == at:
        return False
    code = points[start - 1]
    return (code == 63 or code == 38 or code == 35 or code == 59) and _word_start(
        points, start, at - 1, secrets
    ) == start


@compiled
def _mark(
    points: Points,
    first: Whole,
    at: Whole,
    end: Whole,
    opener: Whole,
    signs: Signs,
    by_anchor: Shapes,
    secrets: Words,
    found: Index,
    count: Whole,
) -> Whole:
    """Places of what is neither number nor word: how many there are now."""
    links = by_anchor[Name.LINK]
    if opener == NUMERALS:
        is_first = not signs[points[at - 1]] & NUMERAL
        is_long = is_first and _run(points, at, min(end, at + 11), signs, NUMERAL) == at + 11
        return _put(found, count, at, at, by_anchor[Name.NUMERALS] if is_long else 0)
    if opener == EQUALS:
        link = _link(points, max(first, at - 1024), at, signs) if _is_secret(points, first, at, signs, secrets) else -1
        return _put(found, count, link, link + SCHEME, links if link >= 0 else 0)
    if opener == AT:
        if not _has_host(points, at, end, signs):
            return count
        link = _link(points, max(first, at - 130), at, signs)
        count = _put(found, count, link, link + SCHEME, links if link >= 0 else 0)
    elif opener == SPELLED_AT:
        if points[at + 1] != 0x7279:
            return count
    elif not _is_bracketed_at(points, at, end):
        return count
    start = _local_part(points, first, at, 2, signs)
    return _put(found, count, start, start, by_anchor[Name.ADDRESS] if start >= 0 else 0)


@compiled
def names(points: Points, starts: Index, lengths: Index, tables: NameTables, found: Index) -> Whole:
    """Write (start, at, shapes) of every place into `found`, which has a row for two characters; how many there are.

    A call is dear (numba counts references to arrays at each), so most words and numbers are sent away without one.
    """
    openers, signs, by_anchor, account_names, number_names, secrets = tables
    count: Whole = np.int64(0)  # not 0, whose own type would compile what it is given to once more
    for row in range(len(starts)):
        first, at = starts[row], starts[row]
        end, name_at = first + lengths[row] - 1, at - NAME_REACH - 1
        while 0 <= at < end:
            opener, here = openers[points[at]], at
            at += 1
            if opener == 0:
                continue
            before = signs[points[here - 1]]
            if opener == FIGURE:
                while 0 <= at < end and signs[points[at]] & DIGIT:
                    at += 1
                if 5 <= at - here <= 11 and here - name_at <= NAME_REACH:
                    name = _name_before(points, first, here, signs, number_names)
                    count = _put(found, count, max(first, name - 2), here, by_anchor[Name.NUMBER] if name >= 0 else 0)
            elif opener == WORD:
                while 0 <= at < end and signs[points[at]] & LETTER:
                    at += 1
                if before & PROVINCE and _is_plate(points, here, end, signs):
                    count = _put(found, count, here - 1, here - 1, by_anchor[Name.PLATE])
                if points[here] == 0x77 or here - name_at <= NAME_REACH:
                    name = _account(points, first, here, end, signs, account_names)
                    count = _put(found, count, max(first, name - 2), here, by_anchor[Name.ACCOUNT] if name >= 0 else 0)
                last = signs[points[at - 1]]
                if last & NAMING and (not last & LONG_NAMING or at - here >= LONG_NAME):
                    name_at = at - 1
            elif opener == NAME:
                name_at = here
            elif opener != EQUALS or before & LETTER:
                count = _mark(points, first, here, end, opener, signs, by_anchor, secrets, found, count)
    return count
