"""规范化 normalize: the same text, written in one way. Does no harm: Chinese quotes and punctuation stay as they are.

    controls and zero-width marks   removed; U+200D stays behind an emoji, which it joins to the next
    full-width letters and digits   folded; ，。（）％ are not letters and stay
    NFC                             never NFKC, which would turn ， into , and ① into 1
    HTML remains                    entities decoded, stray tags removed, see `html_remains`
    line ends                       every kind becomes one line feed; at most one blank line
    spaces                          every kind becomes U+0020; runs become one, none ends a line or stands before Han
                                    at its start; the indentation of code stays
    repeated 。！？!?~，、           more than three become three

The whole is idempotent. Most rows need nothing and are not touched; the others are edited as arrays of code points,
a batch at a time, and only the few with combining characters or markup go through Python one by one.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from functools import cache

import numpy as np
import numpy.typing as npt
import polars as pl

from tasks.transforms import html_remains
from tasks.transforms.characters import (
    FOLDED,
    HAN,
    SPACES,
    WIDE,
    Points,
    batches,
    characters_mask,
    decode,
    encode,
    kind_mask,
)
from tasks.transforms.compiled import compiled
from tasks.transforms.mojibake import MIN_ODD_RATIO, ODD_CHARACTERS

Mask = npt.NDArray[np.bool_]
Needs = npt.NDArray[np.uint8]
Table = npt.NDArray[np.int64]

REMOVED = (
    "\\x00-\\x08\\x0e-\\x1f\\x7f\\x81\\x8d\\x8f\\x90\\x9d\u00ad\u180e\u200b\u200c\u200e\u200f\u202a-\u202e\u2060-\u2064"
    "\u2066-\u206f\ufeff\ufdd0-\ufdef\ufff0-\ufffb\ufffe\uffff\U000e0000-\U000e007f"
)  # body of a regex class
LINE_ENDS = "\\r\\x0b\\x0c\\x85\u2028\u2029"
# Every character in here is its own NFC form and never joins its neighbour; a test holds it against unicodedata.
NFC_STABLE = (
    "\\x00-\u02ff\u2010-\u2027\u2030-\u205e\u2190-\u2328\u232b-\u2adb\u2add-\u2bff\u2e80-\u2fd5\u3000-\u3029\u3030-\u3098"
    "\u309b-\u4dff\u4e00-\ua4cf\uac00-\ud7a3\ue000-\uf8ff\ufe30-\ufe4f\ufe50-\uffff\U0001f000-\U0001faff\U00020000-\U0002ebef"
)
# Windows-1252 read as Latin-1: \x92 is ’. HTML5 reads them so, too; \x85 is more often a line end.
_UNDEFINED = (0x81, 0x85, 0x8D, 0x8F, 0x90, 0x9D)
WINDOWS = {c: ord(bytes([c]).decode("cp1252")) for c in range(0x80, 0xA0) if c not in _UNDEFINED}
REPEATED = "。！？!?~～，、"
OPENING = "“‘「『《（【，。、"  # behind blanks at the start of a line these begin Chinese text, as Han does
BEFORE_JOINER = "\u00a9\u00ae\u203c-\u3299\ufe0f\U0001f000-\U0001faff"  # emoji and their modifiers
# What a row needs, as bits. ODD: it may be mojibake, which is not for this module to undo.
CONTROLS, FULL_WIDTH, UNSTABLE, MARKUP, LAYOUT, REPEATS, ODD = (1 << i for i in range(7))
_EDITED = CONTROLS | FULL_WIDTH | LAYOUT | REPEATS
_REPEATED, _OPENS, _TAKES_JOINER = 1, 2, 4  # bits of `_classes`
_LF, _SPACE, _TAB, _CR, _JOINER = 0x0A, 0x20, 0x09, 0x0D, 0x200D
_DROP = 0  # in `_mapping`: the character goes; NUL itself goes too
_MEANT = {chr(code): chr(meant) for code, meant in (FOLDED | WINDOWS).items()}
_FOLDABLE, _REMOVABLE = re.compile(f"[{''.join(_MEANT)}]"), re.compile(f"[{REMOVED}]")
_MARKUP = f"{html_remains.ENTITY}|{html_remains.TAG}"


def normalized(text: pl.Series) -> pl.Series:
    """Normalise a column of texts; null stays null, rows keep their order."""
    return tidied(text, untidy(text))


def tidied(text: pl.Series, needs: Needs) -> pl.Series:
    """Normalise the rows that `untidy` found in need of it."""
    suspect = (needs & MARKUP) > 0
    hidden = suspect & ((needs & (CONTROLS | FULL_WIDTH)) > 0)  # markup may appear once those are gone
    suspect[suspect] = text.filter(pl.Series(suspect)).str.contains(_MARKUP).to_numpy()
    compose = hidden | ((needs & UNSTABLE) > 0)
    plain = compose & ((needs & (CONTROLS | FULL_WIDTH)) == 0)  # Greek letters and the like: most are NFC already
    compose[plain] = [not unicodedata.is_normalized("NFC", t) for t in text.filter(pl.Series(plain))]
    text = on_rows(text, compose, lambda some: _strings([_composed(t) for t in some]))
    text = on_rows(text, suspect | compose, lambda some: _strings([_unmarked(t) for t in some]))
    return on_rows(text, suspect | compose | ((needs & _EDITED) > 0), _edited)


def on_rows(values: pl.Series, hit: Mask, step: Callable[[pl.Series], pl.Series]) -> pl.Series:
    """Apply a step to some rows and put them back where they were."""
    if not hit.any():
        return values
    chosen = pl.Series(hit)
    order = np.empty(len(values), np.int64)
    order[np.concatenate([np.flatnonzero(~hit), np.flatnonzero(hit)])] = np.arange(len(values))
    return pl.concat([values.filter(~chosen), step(values.filter(chosen)).alias(values.name)]).gather(order)


def untidy(text: pl.Series) -> Needs:
    """What each row needs, as bits. Shape [rows]."""
    needs = np.zeros(len(text), np.uint8)
    for start, stop in batches(text):
        codes = decode(text[start:stop])
        _untidy(
            codes.points, codes.starts, codes.lengths, bit_table(), _classes(), MIN_ODD_RATIO / 2, needs[start:stop]
        )
    return needs


@compiled
def _untidy(
    points: Points, starts: Table, lengths: Table, bits: Needs, classes: Needs, odd: float, needs: Needs
) -> None:
    for row in range(len(starts)):
        found, strange, same, indents, before = 0, 0, 0, True, np.uint32(_LF)
        for i in range(starts[row], starts[row] + lengths[row]):
            point = points[i]
            bit = bits[point]
            found |= bit
            strange += bit >= ODD
            if point == before:
                same += 1
                if (point == _SPACE and not indents) or (point == _LF and same == 2):
                    found |= LAYOUT
                elif same == 3 and classes[point] & _REPEATED:
                    found |= REPEATS
            else:
                same = 0
                if point == _SPACE:
                    indents = before == _LF
                elif before == _SPACE and (point == _LF or (indents and classes[point] & _OPENS)):
                    found |= LAYOUT  # blanks that end a line, or stand before Chinese text; those of code stay
            before = point
        last = starts[row] + lengths[row] - 1
        if lengths[row] > 1 and (points[starts[row]] == _LF or points[last - 1] == _LF):
            found |= LAYOUT
        if strange < lengths[row] * odd:
            found &= ~ODD
        needs[row] = found


@cache
def bit_table() -> Needs:
    """For every code point the bits of what it calls for."""
    table = np.zeros(0x110000, np.uint8)
    for body, bit in (
        (f"{REMOVED}\u200d", CONTROLS),
        (f"^{NFC_STABLE}", UNSTABLE),
        (LINE_ENDS, LAYOUT),
        (SPACES, LAYOUT),
        (ODD_CHARACTERS, ODD),
    ):
        table[_in_class(body)] |= bit
    table[[*WIDE, *WINDOWS]] |= FULL_WIDTH
    table[[ord("&"), ord("<")]] |= MARKUP
    table[_SPACE] = 0
    return table


@cache
def _in_class(body: str) -> Mask:
    """Which code points a regex class holds."""
    found = np.zeros(0x110000, bool)
    every = np.arange(0x110000, dtype="<u4").tobytes().decode("utf-32-le", "surrogatepass")  # 50 ms sooner than by chr
    for run in re.finditer(f"[{body}]+", every):
        found[run.start() : run.end()] = True
    return found


@cache
def _mapping() -> Points:
    """What each code point becomes on its own: itself, its folded form, a space, a line feed, or _DROP."""
    mapping = np.arange(0x110000, dtype=np.uint32)
    mapping[_in_class(REMOVED)] = _DROP
    mapping[_in_class(SPACES)] = _SPACE
    mapping[_in_class(LINE_ENDS)] = _LF
    mapping[[_TAB, _CR]] = _TAB, _CR
    for code, meant in (FOLDED | WINDOWS).items():
        mapping[code] = meant
    return mapping


def _composed(text: str) -> str:
    """NFC; free of controls first, which would hide both combining characters and markup."""
    bare = _FOLDABLE.sub(lambda one: _MEANT[one[0]], _REMOVABLE.sub("", text))
    return unicodedata.normalize("NFC", bare)


def _unmarked(text: str) -> str:
    """Without HTML remains; what an entity stood for may join its neighbour, so NFC again, until nothing changes."""
    before = text
    for _ in range(4):
        after = html_remains.remove(before)
        if after == before:
            return after
        before = unicodedata.normalize("NFC", after)
    return text


def _strings(texts: list[str]) -> pl.Series:
    return pl.Series("text", texts, dtype=pl.String())


def _edited(text: pl.Series) -> pl.Series:
    """Everything that works on single characters and their neighbours, for all rows given; null stays null."""
    edited = pl.concat([_edit(text[start:stop]) for start, stop in batches(text)])
    return edited if not text.null_count() else pl.select(pl.when(text.is_not_null()).then(edited)).to_series()


def _edit(text: pl.Series) -> pl.Series:
    codes = decode(text)
    content = np.empty(4 * len(codes.points), np.uint8)
    ends = np.zeros(len(codes.starts) + 1, np.int64)
    blanks = np.empty(int(codes.lengths.max(initial=1)), np.uint32)
    _rewrite(codes.points, codes.starts, codes.lengths, _mapping(), _classes(), blanks, content, ends)
    return encode(content[: ends[-1]], ends)


@compiled
def _rewrite(
    points: Points, starts: Table, lengths: Table, mapping: Points, classes: Needs,
    blanks: Points, content: Needs, ends: Table,
) -> None:  # fmt: skip
    """Write every row anew as UTF-8.

    Blanks and line feeds wait until it is known what comes behind them. Blanks that end a line go, those before Chinese
    text at its start too; other runs inside a line become one. No blank line stands at either end of a text, and never
    two together. A carriage return before a line feed goes, any other is a line end. A joiner stays behind an emoji.
    """
    at = 0
    for row in range(len(starts)):
        written, feeds, waiting, same = False, 0, 0, 0
        before, last, returned = np.uint32(_LF), np.uint32(_LF), False
        for i in range(starts[row], starts[row] + lengths[row] - 1):
            point = mapping[points[i]]
            if point == _DROP:
                continue
            joins = classes[before] & _TAKES_JOINER
            before = point
            if point == _JOINER and not joins:
                continue
            if point in (_SPACE, _TAB):
                blanks[waiting] = point
                waiting += 1
                returned = False
                continue
            if point in (_LF, _CR):
                feeds += not (returned and point == _LF)
                returned = point == _CR
                waiting = 0
                continue
            returned = False
            if feeds or not written:
                for _ in range(min(feeds, 2) if written else 0):
                    content[at] = _LF
                    at, last = at + 1, np.uint32(_LF)
                if classes[point] & _OPENS:
                    waiting = 0
                for k in range(waiting):
                    content[at] = blanks[k]
                    at, last = at + 1, blanks[k]
            elif waiting:
                content[at] = _SPACE
                at, last = at + 1, np.uint32(_SPACE)
            feeds, waiting, written = 0, 0, True
            same = same + 1 if point == last else 1
            if same > 3 and classes[point] & _REPEATED:
                continue
            last = point
            at = _write(content, at, point)
        ends[row + 1] = at


@compiled
def _write(content: Needs, at: int, point: int) -> int:
    """Append a code point as UTF-8; returns where the next one goes."""
    if point < 0x80:
        content[at] = point
        return at + 1
    if point < 0x800:
        content[at] = 0xC0 | point >> 6
        content[at + 1] = 0x80 | point & 0x3F
        return at + 2
    if point < 0x10000:
        content[at] = 0xE0 | point >> 12
        content[at + 1] = 0x80 | point >> 6 & 0x3F
        content[at + 2] = 0x80 | point & 0x3F
        return at + 3
    content[at] = 0xF0 | point >> 18
    content[at + 1] = 0x80 | point >> 12 & 0x3F
    content[at + 2] = 0x80 | point >> 6 & 0x3F
    content[at + 3] = 0x80 | point & 0x3F
    return at + 4


@cache
def _classes() -> Needs:
    """For every code point, as bits, what it may do beside its neighbours."""
    table = np.zeros(0x110000, np.uint8)
    table[[ord(c) for c in REPEATED]] |= _REPEATED
    table[kind_mask(*HAN) | characters_mask(OPENING)] |= _OPENS
    table[_in_class(BEFORE_JOINER)] |= _TAKES_JOINER
    return table
