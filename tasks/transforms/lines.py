"""行 lines: how a text is laid out in lines: their length, what they end and begin with. A blank line is no line."""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from tasks.transforms.characters import Codes, Kind, Points, kinds
from tasks.transforms.compiled import compiled

Index = npt.NDArray[np.int64]
Table = npt.NDArray[Any]

TERMINAL = '。！？!?.…；;”」』’"’～~♪'  # what a sentence, a speech or a verse may end with
CLOSING = "）)】》〉]*_`"  # may stand behind a terminal mark
BULLETS = "-*+•·●○■□◆◇▪▫►▶※✓✔★☆"
NUMBERED = "、.．)）"  # behind a digit at the start of a line
MORE = ("展开", "更多", "全文", "详情", "阅读", "查看", "收起", "..", "。。")  # last two characters of a line
_ENDS, _CLOSES, _BULLET, _NUMBERED, _BLANK, _DIGIT = (1 << i for i in range(6))  # bits of `_classes`


class Layout(NamedTuple):
    """Line counts of each row, all int64 [rows]."""

    lines: Index  # lines that are not blank
    chars: Index  # characters in them, indentation included
    terminal: Index  # lines that end in terminal punctuation
    more: Index  # lines that end in an ellipsis or "more"
    listed: Index  # lines that begin with a bullet or a number


def layout(codes: Codes) -> Layout:
    """Measure the lines of every row. Expects normalised text: no blanks at the end of a line."""
    found = Layout(*(np.zeros(len(codes.lengths), np.int64) for _ in Layout._fields))
    more = np.array([[ord(c) for c in pair] for pair in MORE], np.uint32)
    _layout(codes.points, codes.starts, codes.lengths, _classes(), more, *found)
    return found


@compiled
def _layout(
    points: Points, starts: Index, lengths: Index, classes: Table, pairs: Points,
    lines: Index, chars: Index, terminal: Index, more: Index, listed: Index,
) -> None:  # fmt: skip
    for row in range(len(starts)):
        begin, end = starts[row], starts[row] + lengths[row]
        for i in range(begin, end):
            if points[i] != 10:
                continue
            if i > begin:
                last, before = points[i - 1], points[max(i - 2, begin)]
                lines[row] += 1
                chars[row] += i - begin
                terminal[row] += classes[last] & 1 or (classes[last] & 2 and classes[before] & 1)
                says_more = last == 0x2026
                for k in range(len(pairs)):
                    says_more |= last == pairs[k, 1] and before == pairs[k, 0]
                more[row] += says_more
                listed[row] += _is_listed(points, begin, i, classes)
            begin = i + 1


@compiled
def _is_listed(points: Points, begin: int, end: int, classes: Table) -> bool:
    """Whether a line begins with a bullet, or a number with its mark. "3.14" is a number, "3. " and "3、" are items."""
    at, deepest = begin, begin + 16  # a deeper line is code, not a list item
    while at < deepest and classes[points[at]] & 16:
        at += 1
    if classes[points[at]] & 4:
        return True
    digits = 0
    while digits < 3 and classes[points[at + digits]] & 32:
        digits += 1
    mark = at + digits
    if digits == 0 or mark >= end or not classes[points[mark]] & 8:
        return False
    return not (digits == 1 and mark + 1 < end and classes[points[mark + 1]] & 32)


@cache
def _classes() -> npt.NDArray[np.uint8]:
    """For every code point the bits of what it may do in a line."""
    table = np.zeros(0x110000, np.uint8)
    for characters, bit in (
        (TERMINAL, _ENDS), (CLOSING, _CLOSES), (BULLETS, _BULLET), (NUMBERED, _NUMBERED), ("0123456789", _DIGIT),
    ):  # fmt: skip
        table[[ord(c) for c in characters]] |= bit
    table[kinds() == Kind.SPACE] |= _BLANK
    return table
