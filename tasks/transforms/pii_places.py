"""个人信息的位置 pii_places: places of a column, in windows of text, and what the kernels must know for it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import IntEnum
from functools import cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from tasks.transforms import characters, pii_stretches
from tasks.transforms import pii_names as names
from tasks.transforms import pii_numbers as numbers
from tasks.transforms import pii_patterns as patterns
from tasks.transforms.pii_shapes import SHAPES, Digits

FOLD = characters.FOLDED | {0xFF20: 0x40, 0xFF0E: 0x2E, 0xFF0D: 0x2D, 0xFF0B: 0x2B}  # also @ . - +
AROUND = 96  # characters before and behind a place that its pattern and its judge may look at
FAR = 2200  # the same, of a link or an address
_DIGITS, _CAPITALS = "0123456789", "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_LETTERS = _CAPITALS + _CAPITALS.lower()
_SPACES = " \t\n\r\f\v\u00a0\u3000"
_OTHER_JOINTS = "\u00a0\u00b7\u2010\u2011\u2012\u2013\u2014\u3000"
_BRACKETS = "()（）"
_NUMBER_SIGNS = {
    numbers.DIGIT: _DIGITS,
    numbers.LETTER: _LETTERS,
    numbers.CAPITAL: _CAPITALS,
    numbers.SPACE_OR_DASH: " -",
    numbers.LINE_END: "\n",
    numbers.OTHER_JOINT: _OTHER_JOINTS,
    numbers.DOT: ".",
    numbers.SLASH: "/",
    numbers.BRACKET: _BRACKETS,
    numbers.SPOKEN: "话話机機真线線码碼号lLxXep/、",  # ends of CONTEXTS_BEHIND: telephone (number)
    numbers.PERMIT: "证證",
    numbers.STOP: "，。；",
    numbers.GAP: _SPACES + ":：.",
    numbers.DEGREE: "°度",
    numbers.PLUS: "+",
}
_NAME_SIGNS = {
    names.DIGIT: _DIGITS,
    names.LETTER: _LETTERS,
    names.JOINT: " -" + _OTHER_JOINTS,
    names.STOP: "，。；",
    names.NUMERAL: patterns.NUMERAL[1:-1],
    names.PROVINCE: patterns.PROVINCE,
    names.LOCAL_PART: _DIGITS + _LETTERS + "._%+-",
    names.IN_LINK: "".join(chr(code) for code in range(0x21, 0x7F) if chr(code) not in '"<>`'),
    names.DASHED: "_-",
}
_OPENERS = {
    names.FIGURE: _DIGITS,
    names.WORD: _LETTERS,
    names.AT: "@",
    names.EQUALS: "=",
    names.BRACKETED: "[(（【",
    names.NUMERALS: "一幺壹",
    names.SPELLED_AT: "艾",
}
# Names before an account; what the patterns allow between is not repeated here.
_ACCOUNT_NAMES = (
    "微信", "薇信", "威信", "维信", "維信", "v信", "加微", "加卫", "加v", "加q", "vx", "wx", "wechat", "weixin",
    "支付宝", "支付寶", "alipay",
)  # fmt: skip
_NUMBER_NAMES = ("q", "扣", "企鹅", "二群", "三群", "四群", "五群", "新群")


class Window(NamedTuple):
    """A piece of a text with the places in it."""

    row: int
    first: int  # characters of the text before it
    text: str  # folded
    places: list[list[int]]  # (start, at, shapes), start and at in the window


@cache
def _number_tables() -> numbers.NumberTables:
    fits = np.zeros((100, numbers.LONGEST + 1, numbers.JOINTED), np.uint32)
    for rank, shape in enumerate(SHAPES):
        for digits in shape.digits:
            fits[_fits(digits)] |= np.uint32(1 << rank)
    return numbers.NumberTables(_signs(_NUMBER_SIGNS), fits, _by_anchor(numbers.Number))


@cache
def _name_tables() -> names.NameTables:
    openers, signs = np.zeros(0x110000, np.uint8), _signs(_NAME_SIGNS)
    for opener, held in _OPENERS.items():
        openers[[ord(c) for c in held]] = opener
    for name in (*_ACCOUNT_NAMES, *_NUMBER_NAMES):
        last = [ord(name[-1]), ord(name[-1].upper())]
        signs[last] |= np.uint16(names.NAMING | (names.LONG_NAMING if len(name) >= names.LONG_NAME else 0))
        if not name[-1].isascii():
            openers[last] = names.NAME
    words = map(_words, (_ACCOUNT_NAMES, _NUMBER_NAMES, patterns.SECRETS))
    return names.NameTables(openers, signs, _by_anchor(names.Name), *words)


def _signs(held: dict[int, str]) -> numbers.Signs:
    signs = np.zeros(0x110000, np.uint16)
    for sign, held_by in held.items():
        signs[[ord(c) for c in held_by]] |= np.uint16(sign)
    return signs


def _by_anchor(anchors: type[IntEnum]) -> numbers.Shapes:
    found = np.zeros(len(anchors), np.uint32)
    for rank, shape in enumerate(SHAPES):
        if isinstance(shape.anchor, anchors):
            found[shape.anchor] |= np.uint32(1 << rank)
    return found


def _fits(digits: Digits) -> tuple[npt.NDArray[np.int64], ...]:
    """Indices of the table for numbers of a shape."""
    heads = [head for head in range(100) if f"{head:02d}".startswith(tuple(digits.heads.split()))]
    joints = [joint for joint in range(numbers.JOINTED) if joint | digits.joints == digits.joints]
    return np.ix_(heads, digits.sizes, joints)


def _words(words: Iterable[str]) -> names.Words:
    words = tuple(words)
    made = np.zeros((len(words), max(map(len, words))), np.uint32)
    for row, word in enumerate(words):
        made[row, : len(word)] = [ord(c) for c in reversed(word)]
    return made


@cache
def _weights() -> names.Bytes:
    """What digits, letters, numerals and joints count for in the search for stretches."""
    weights = np.zeros(0x10000, np.uint8)
    weights[range(0x80)] = pii_stretches.TIES
    weights[[ord(c) for c in _OTHER_JOINTS + _BRACKETS]] = pii_stretches.TIES
    weights[[ord(c) for c in _DIGITS + _LETTERS + patterns.NUMERAL[1:-1] + "."] + [*FOLD]] = 1
    weights[[ord(c) for c in "°度"]] = pii_stretches.ENOUGH - 2  # few digits stand around them
    return weights


def windows(text: pl.Series, shapes: int) -> Iterator[Window]:
    """Pieces of the texts that can hold one of these shapes, in order and without overlaps."""
    for start, stop in characters.batches(text):
        content, ends = characters.utf8(text[start:stop])
        stretches = np.empty((len(ends) + len(content) // pii_stretches.APART, 4), np.int64)
        count = pii_stretches.stretches(content, ends[:-1], ends[1:], _weights(), stretches)
        stretches = stretches[:count]
        if not count:
            continue
        codes = characters.decode_pieces(content, stretches[:, 1].copy(), stretches[:, 2].copy())
        pii_stretches.fold(codes.points, *_folded())
        found = np.empty((len(codes.points) + 2, 3), np.int64)
        count = numbers.numbers(*codes, _number_tables(), found)
        count += names.names(*codes, _name_tables(), found[count:])
        found = found[:count]
        found = found[found[:, 2] & shapes != 0]
        if len(found):
            yield from _cut(start, codes, found, stretches)


@cache
def _folded() -> tuple[int, numbers.Points]:
    first, last = min(FOLD), max(FOLD)
    return first, np.array([FOLD.get(code, code) for code in range(first, last + 1)], np.uint32)


def _cut(row: int, codes: characters.Codes, found: numbers.Index, stretches: numbers.Index) -> Iterator[Window]:
    """Windows around places, joined where they touch."""
    found = found[np.argsort(found[:, 0], kind="stable")]
    rows = np.searchsorted(codes.starts, found[:, 0], side="right") - 1
    firsts = codes.starts[rows]
    linked = _name_tables().by_anchor[[names.Name.LINK, names.Name.ADDRESS]].sum()
    around = np.where(found[:, 2] & int(linked), FAR, AROUND)
    los = np.maximum(firsts, found[:, 0] - around)
    his = np.minimum(firsts + codes.lengths[rows] - 1, found[:, 1] + around)
    reached = np.maximum.accumulate(his)
    # the least beginning of this place and those behind: a far one may reach back over others
    los = np.minimum.accumulate(los[::-1])[::-1]
    cuts = np.flatnonzero(np.r_[True, los[1:] >= reached[:-1], True])
    for one, two in zip(cuts[:-1].tolist(), cuts[1:].tolist(), strict=True):
        lo, hi = int(los[one]), int(reached[two - 1])
        places = found[one:two] - np.array([lo, lo, 0])
        text = codes.points[lo:hi].tobytes().decode("utf-32-le")
        stretch = stretches[rows[one]]
        yield Window(row + int(stretch[0]), int(stretch[3]) + lo - int(firsts[one]), text, places.tolist())
