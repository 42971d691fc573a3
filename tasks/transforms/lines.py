"""行 lines: how a text is laid out in lines: their length, what they end and begin with. A blank line is no line."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tasks.transforms.characters import LINE_FEED, Codes, Kind, characters_mask, kinds

Mask = npt.NDArray[np.bool_]
Index = npt.NDArray[np.int64]

TERMINAL = '。！？!?.…；;”」』’"’～~♪'  # what a sentence, a speech or a verse may end with
CLOSING = "）)】》〉]*_`"  # may stand behind a terminal mark
BULLETS = "-*+•·●○■□◆◇▪▫►▶※✓✔★☆"
NUMBERED = "、.．)）"  # behind a digit at the start of a line
MORE = ("展开", "更多", "全文", "详情", "阅读", "查看", "收起", "..", "。。", "re")  # last two characters of a line


class Layout(NamedTuple):
    """Line counts of each row, all int64 [rows]."""

    lines: Index  # lines that are not blank
    chars: Index  # characters in them, indentation included
    terminal: Index  # lines that end in terminal punctuation
    more: Index  # lines that end in an ellipsis or "more"
    listed: Index  # lines that begin with a bullet or a number


def _among(points: npt.NDArray[np.uint32], characters: str) -> Mask:
    return characters_mask(characters)[points]


def layout(codes: Codes) -> Layout:
    """Measure the lines of every row. Expects normalised text: no blanks at the end of a line."""
    ends = np.flatnonzero(codes.points == LINE_FEED)
    begins = np.concatenate([[0], ends[:-1] + 1]).astype(np.int64) if len(ends) else ends
    filled = ends > begins
    ends, begins = ends[filled], begins[filled]
    row = np.searchsorted(codes.starts, begins, side="right") - 1
    rows = len(codes.lengths)

    def count(mask: Mask) -> Index:
        return np.bincount(row[mask], minlength=rows)

    last = codes.points[ends - 1]
    before = codes.points[np.maximum(ends - 2, begins)]
    terminal = _among(last, TERMINAL) | (_among(last, CLOSING) & _among(before, TERMINAL))
    return Layout(
        lines=np.bincount(row, minlength=rows),
        chars=np.bincount(row, weights=ends - begins, minlength=rows).astype(np.int64),
        terminal=count(terminal),
        more=count(_more(before, last)),
        listed=count(_listed(codes, begins)),
    )


def _more(before: npt.NDArray[np.uint32], last: npt.NDArray[np.uint32]) -> Mask:
    """Lines that end in an ellipsis, or in one of MORE."""
    found: Mask = last == ord("…")
    for pair in MORE[:-1]:
        found |= (before == ord(pair[0])) & (last == ord(pair[1]))
    return found


def _listed(codes: Codes, begins: Index) -> Mask:
    """Lines whose first characters, indentation aside, are a bullet or a number with its mark."""
    first, top = begins.copy(), len(codes.points) - 4
    for _ in range(16):  # deeper indentation is code, not a list
        first += kinds()[codes.points[first]] == Kind.SPACE
    at = [codes.points[np.minimum(first + i, max(0, top + 3))] for i in range(4)]
    digit = [(p >= ord("0")) & (p <= ord("9")) for p in at]
    marked = [_among(p, NUMBERED) for p in at]
    numbered = digit[0] & (marked[1] | (digit[1] & (marked[2] | (digit[2] & marked[3]))))
    # "3.14" is a number, "3. " and "3、" are items: a digit behind the mark is none
    decimal = digit[0] & marked[1] & digit[2]
    return _among(at[0], BULLETS) | (numbered & ~decimal)
