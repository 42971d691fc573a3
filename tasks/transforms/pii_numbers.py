"""个人信息的数 pii_numbers: numbers of a column that can be personal data, by one compiled pass.

A place is `[start, at]` and a set of shapes: one of them may begin at one of these characters. The pattern of the shape
decides (pii_shapes), so places have to be few and none may be missed. A number, in groups that joints tie, is looked up
by its first two digits, its count of digits and the joints between.

Texts lie end to end, each followed by a line feed: what stands before or behind a text is one, and may be read.
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
Signs = npt.NDArray[np.uint16]  # of every code point: what it is
Shapes = npt.NDArray[np.uint32]  # bits of ranks in SHAPES

# what a character is: bits of the table of signs. The joints of a number are the bits from FIRST_JOINT on.
DIGIT, LETTER, CAPITAL = 1, 2, 4
SPACE_OR_DASH, LINE_END, OTHER_JOINT, DOT, SLASH, BRACKET = 8, 16, 32, 64, 128, 256
SPOKEN, PERMIT, STOP, GAP, DEGREE, PLUS = 1 << 9, 1 << 10, 1 << 11, 1 << 12, 1 << 13, 1 << 14
FIRST_JOINT = 3
JOINTS = SPACE_OR_DASH | LINE_END | OTHER_JOINT | DOT | SLASH | BRACKET
BEHIND_FEW = JOINTS | LETTER | GAP | DEGREE  # what makes few digits part of more
# joints of a number as an index: the six bits above, shifted, two for several joints at one place, and one for a first
# group of less than three digits
SEVERAL, MANY, SHORT = 1 << 6, 1 << 7, 1 << 8
JOINTED = 1 << 9  # rows of that index
FEWEST, LONGEST = 7, 19  # digits of a local telephone number and of a bank card
_X = 0x78


class NumberTables(NamedTuple):
    """What the kernel knows of characters and shapes."""

    signs: Signs
    fits: Shapes  # of a number by first two digits, count of digits, joints
    by_anchor: Shapes


class Number(IntEnum):
    """What a shape hangs on besides the digits and joints of its number: rows of `by_anchor`."""

    DIGITS = 0  # nothing else
    SPOKEN = 1  # a word for a telephone, or a stroke, right before it
    PERMIT = 2  # 证 before it
    LETTERED = 3  # a capital right before six digits or more
    CODE = 4  # 18 letters and digits with six digits from the third on
    DOTTED = 5  # four small numbers with dots between
    DECIMALS = 6  # two numbers with four decimals or more
    ARC = 7  # degrees
    HEXTETS = 8


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
def _fitting(points: Points, at: Whole, end: Whole, signs: Signs, fits: Shapes) -> Whole:
    """Shapes of which a number that begins here has the first digits, the count of digits and the joints."""
    head: Whole
    joints: Whole
    found, digits, head, joints = np.uint32(0), 0, 0, 0
    while True:
        behind = _run(points, at, end, signs, DIGIT)
        for i in range(at, min(behind, at + 2 - digits)):
            head = 10 * head + np.int64(points[i] & 15)
        if digits == 0 and behind - at < 3:
            joints |= SHORT
        digits += behind - at
        if digits > LONGEST:
            return found
        if digits >= FEWEST and not signs[points[behind]] & LETTER:
            found |= fits[head, digits, joints]
        at = behind
        while at < end and at - behind < 4 and signs[points[at]] & JOINTS:
            joints |= np.int64(signs[points[at]] & JOINTS) >> FIRST_JOINT
            at += 1
        if at >= end or not signs[points[at]] & DIGIT or at == behind:
            # the check character of a resident id
            if digits == 17 and at < end and points[at] | 32 == _X and not signs[points[at + 1]] & (DIGIT | LETTER):
                found |= fits[head, 18, joints]
            return found
        if at - behind > 1:
            joints |= SEVERAL
        if at - behind > 2:
            joints |= MANY


@compiled
def _is_spoken(points: Points, first: Whole, at: Whole, signs: Signs) -> Whole:
    here = _back(points, at, max(first, at - 4), signs, GAP)
    return here > first and signs[points[here - 1]] & SPOKEN != 0


@compiled
def _is_permit(points: Points, first: Whole, at: Whole, signs: Signs) -> Whole:
    for here in range(at - 1, max(first, at - 14) - 1, -1):
        sign = signs[points[here]]
        if sign & PERMIT:
            return True
        if sign & (DIGIT | STOP | LINE_END):
            return False
    return False


@compiled
def _dotted(points: Points, at: Whole, end: Whole, signs: Signs, by_anchor: Shapes) -> Whole:
    """Shapes of small numbers with dots, and of two decimals, whose first number ends here, before a dot."""
    groups, longest, last = 1, 0, 0
    while groups < 5 and at + 1 < end and signs[points[at]] & DOT and signs[points[at + 1]] & DIGIT:
        behind = _run(points, at + 1, end, signs, DIGIT)
        last = behind - at - 1
        longest, groups, at = max(longest, last), groups + 1, behind
    if groups == 4 and longest <= 3:
        return by_anchor[Number.DOTTED]
    if groups != 2 or last < 4:
        return np.uint32(0)
    other = at
    while (
        other < end and other - at <= 16 and not signs[points[other]] & (DIGIT | LINE_END) and points[other] != 0x3002
    ):
        other += 1
    behind = _run(points, other, end, signs, DIGIT)
    if not (1 <= other - at <= 16 and 1 <= behind - other <= 3 and behind < end and signs[points[behind]] & DOT):
        return np.uint32(0)
    decimals = _run(points, behind + 1, end, signs, DIGIT) - behind - 1
    return by_anchor[Number.DECIMALS] if decimals >= 4 else np.uint32(0)


@compiled
def _is_arc(points: Points, at: Whole, end: Whole, signs: Signs) -> Whole:
    """Whether degrees end here, and a number follows."""
    at += np.int64(points[at] == 32)
    if at >= end or not signs[points[at]] & DEGREE:
        return False
    return signs[points[at + 1 + np.int64(points[at + 1] == 32)]] & DIGIT != 0


@compiled
def _is_hextet(points: Points, at: Whole, end: Whole) -> Whole:
    """Whether a 2 or 3 and a colon behind four characters stand here, as in 2408:"""
    return (points[at] == 50 or points[at] == 51) and at + 4 < end and points[at + 4] == 58


@compiled
def _shapes(
    points: Points,
    first: Whole,
    at: Whole,
    behind: Whole,
    end: Whole,
    signs: Signs,
    fits: Shapes,
    by_anchor: Shapes,
) -> Whole:
    """Shapes of a group of digits [at, behind)."""
    before, size = signs[points[at - 1]], behind - at
    shapes = np.uint32(0)
    if not before & DOT or at - 2 < first or not signs[points[at - 2]] & DIGIT:
        shapes = _fitting(points, at, end, signs, fits)
        if shapes & by_anchor[Number.SPOKEN] and not _is_spoken(points, first, at, signs):
            shapes &= ~by_anchor[Number.SPOKEN]
        if shapes & by_anchor[Number.PERMIT] and not _is_permit(points, first, at, signs):
            shapes &= ~by_anchor[Number.PERMIT]
    if size >= 6:
        if before & CAPITAL:
            shapes |= by_anchor[Number.LETTERED]
        token = _back(points, at, max(first, at - 2), signs, DIGIT | LETTER)
        if _run(points, behind, min(end, behind + 18), signs, DIGIT | LETTER) - token == 18:
            shapes |= by_anchor[Number.CODE]
    elif size <= 3:
        if signs[points[behind]] & DOT:
            shapes |= _dotted(points, behind, end, signs, by_anchor)
        elif _is_arc(points, behind, end, signs):
            shapes |= by_anchor[Number.ARC]
    if size <= 4 and _is_hextet(points, at, end):
        shapes |= by_anchor[Number.HEXTETS]
    return shapes


@compiled
def numbers(points: Points, starts: Index, lengths: Index, tables: NumberTables, found: Index) -> Whole:
    """Write (start, at, shapes) of every place into `found`, which has a row for two characters; how many there are.

    A call is dear (numba counts references to arrays at each), so most numbers are sent away without one.
    """
    signs, fits, by_anchor = tables
    count = 0
    for row in range(len(starts)):
        first, at = starts[row], starts[row]
        end = first + lengths[row] - 1
        while 0 <= at < end:
            here = at
            while 0 <= at < end and 48 <= points[at] <= 57:
                at += 1
            if at == here:
                at += 1
            elif at - here >= FEWEST or signs[points[at]] & BEHIND_FEW:
                shapes = _shapes(points, first, here, at, end, signs, fits, by_anchor)
                if shapes:  # +86, (010) and the capitals of a passport belong to it
                    start = _back(points, here, max(first, here - 2), signs, BRACKET | PLUS | DIGIT | LETTER)
                    found[count, 0], found[count, 1], found[count, 2] = start, here, shapes
                    count += 1
    return count
