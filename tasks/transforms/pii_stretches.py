"""个人信息的段落 pii_stretches: the parts of texts that digits and letters stand in, by one pass over their bytes.

Whatever holds personal data has five digits, letters or numerals that nothing but joints parts. A stretch is what lies
around those, far enough for every pattern and judge; most Chinese text is in none, and is not even decoded.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from tasks.transforms.compiled import compiled

AROUND = 120  # characters before and behind that belong to a stretch: those of a place (pii_places) and its own
APART = 8 * AROUND  # bytes between what two stretches are about, so that they do not meet
ENOUGH = 5  # weight of what a stretch is about
PARTS, TIES = 0, 255  # weights of what parts digits and letters, and of what may stand between them

Whole = Any  # a number inside a kernel: machine integers, for which Python has no type
Bytes = npt.NDArray[np.uint8]
Index = npt.NDArray[np.int64]
Points = npt.NDArray[np.uint32]


@compiled
def _before(text: Bytes, at: Whole) -> Whole:
    """The byte AROUND characters before one; the beginning of the text where it is nearer."""
    left = AROUND
    while at > 0 and left > 0:
        at -= 1
        left -= text[at] & 0xC0 != 0x80
    return at


@compiled
def _behind(text: Bytes, at: Whole) -> Whole:
    """The byte AROUND characters behind one; the end of the text where it is nearer."""
    left = AROUND + 1
    while at < len(text):
        left -= text[at] & 0xC0 != 0x80
        if left == 0:
            return at
        at += 1
    return at


@compiled
def _characters(text: Bytes, first: Whole, last: Whole) -> Whole:
    count = 0
    for at in range(first, last):
        count += text[at] & 0xC0 != 0x80
    return count


@compiled
def stretches(content: Bytes, begins: Index, ends: Index, weights: Bytes, found: Index) -> Whole:
    """Write (row, first byte, byte behind, characters of the text before it) of every stretch; how many there are.

    Text i is `content[begins[i]:ends[i]]`, valid UTF-8. `weights` are of the code points below 0x10000; others part.
    `found` has a row for each text, and for each APART bytes.
    """
    count = 0
    weight: Whole
    for row in range(len(begins)):
        text = content[begins[row] : ends[row]]
        at, weight, last, counted, characters = 0, 0, -1, 0, 0
        while 0 <= at < len(text):  # which lets the compiler leave out that an index may count from the end
            byte = np.int64(text[at])
            if 0xE0 <= byte < 0xF0:
                code = (byte & 0x0F) << 12 | (np.int64(text[at + 1]) & 0x3F) << 6 | np.int64(text[at + 2]) & 0x3F
                own = weights[code]
                at += 3
            elif byte < 0x80:
                own = weights[byte]
                at += 1
            elif byte < 0xE0:
                own = weights[(byte & 0x1F) << 6 | np.int64(text[at + 1]) & 0x3F]
                at += 2
            else:
                own = np.uint8(PARTS)
                at += 4
            if own == PARTS:
                weight = 0
                continue
            if own == TIES:
                continue
            weight += own
            if weight < ENOUGH:
                continue
            if last < 0 or at - last > APART:
                if last >= 0:
                    found[count, 2] = begins[row] + _behind(text, last)
                    count += 1
                begin = _before(text, at)
                characters += _characters(text, counted, begin)
                counted = begin
                found[count, 0], found[count, 1], found[count, 3] = row, begins[row] + begin, characters
            last = at
        if last >= 0:
            found[count, 2] = begins[row] + _behind(text, last)
            count += 1
    return count


@compiled
def fold(points: Points, first: Whole, table: Points) -> None:
    """Put other characters in place of some: table[i] for first + i.

    A full-width point before a digit stays: in tables of full-width numbers four of them would make an address.
    """
    last = first + len(table)
    for i in range(len(points)):
        if first <= points[i] < last and not (points[i] == 0xFF0E and 0xFF10 <= points[i + 1] <= 0xFF19):
            points[i] = table[points[i] - first]
