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
from tasks.transforms.characters import FOLDED, HAN, SPACES, WIDE, Points, batches, characters_mask, decode, kind_mask
from tasks.transforms.mojibake import MIN_ODD_RATIO, ODD_CHARACTERS

Mask = npt.NDArray[np.bool_]
Needs = npt.NDArray[np.uint8]

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
_BORDER = 0xFFFF  # stands between the texts of a batch; no text can hold it, since it is in REMOVED
_LF, _SPACE, _TAB, _CR, _JOINER = 0x0A, 0x20, 0x09, 0x0D, 0x200D
_DROP = 0  # in `_mapping`: the character goes; NUL itself goes too
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
    found = [_untidy(text[start:stop]) for start, stop in batches(text)]
    return np.concatenate(found) if found else np.zeros(0, np.uint8)


def _untidy(text: pl.Series) -> Needs:
    codes = decode(text)
    points = codes.points
    bits = bit_table()[points]
    odd = bits >= ODD
    if odd.any():
        few = np.add.reduceat(odd, codes.starts, dtype=np.int64) < codes.lengths * (MIN_ODD_RATIO / 2)
        bits &= ~np.repeat(few * np.uint8(ODD), codes.lengths)
    space, feed = points == _SPACE, points == _LF
    blank = space | feed
    pair = space[:-1] & blank[1:]
    pair |= feed[:-1] & space[1:]
    same = points[1:] == points[:-1]
    three = same[1:] & same[:-1]
    bits[:-1][pair] |= LAYOUT
    bits[:-2][three & feed[:-2]] |= LAYOUT
    four = np.flatnonzero(three[1:] & three[:-1])
    bits[four[characters_mask(REPEATED)[points[four]]]] |= REPEATS
    needs = np.bitwise_or.reduceat(bits, codes.starts)
    needs[blank[codes.starts] | blank[np.maximum(codes.starts + codes.lengths - 2, codes.starts)]] |= LAYOUT
    return needs


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
    for run in re.finditer(f"[{body}]+", "".join(map(chr, range(0x110000)))):
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
    return unicodedata.normalize("NFC", re.sub(f"[{REMOVED}]", "", text).translate(FOLDED | WINDOWS))


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
    points = _mapping()[codes.points]
    points[codes.starts + codes.lengths - 1] = _BORDER
    keep = points != _DROP
    points = points if keep.all() else points[keep]
    points = _returns(_joiners(points))
    points = _line_feeds(_spaces(points))
    three = (points[3:] == points[2:-1]) & (points[2:-1] == points[1:-2]) & (points[1:-2] == points[:-3])
    if three.any():
        keep = np.ones(len(points), bool)
        keep[3:] = ~(three & characters_mask(REPEATED)[points[3:]])
        points = points[keep]
    joined = pl.Series([points[:-1].tobytes().decode("utf-32-le")])
    return joined.str.split(chr(_BORDER)).explode()


def _joiners(points: Points) -> Points:
    joiner = points == _JOINER
    if not joiner.any():
        return points
    kept: Points = points[~joiner | _in_class(BEFORE_JOINER)[np.append(_BORDER, points[:-1])]]
    return kept


def _returns(points: Points) -> Points:
    """A carriage return before a line feed goes, any other becomes one."""
    returns = points == _CR
    if not returns.any():
        return points
    gone = returns & (np.append(points[1:], _BORDER) == _LF)
    points[returns] = _LF
    kept: Points = points[~gone]
    return kept


def _spaces(points: Points) -> Points:
    """Blanks that end a line go, those before Chinese text at its start too; other runs inside a line become one."""
    begins, ends = _runs((points == _SPACE) | (points == _TAB))
    if not len(begins):
        return points
    before = points[begins - 1]  # the first run of a batch may begin at 0: -1 is then the last border
    behind = points[ends]
    last = (behind == _LF) | (behind == _BORDER)
    first = (before == _LF) | (before == _BORDER)
    gone = last | (first & (kind_mask(*HAN) | characters_mask(OPENING))[behind])
    inner = ~gone & ~first
    points[begins[inner]] = _SPACE
    return _without(
        points, np.concatenate([begins[gone], begins[inner] + 1]), np.concatenate([ends[gone], ends[inner]])
    )


def _line_feeds(points: Points) -> Points:
    """No blank lines at either end of a text, and never two together."""
    begins, ends = _runs(points == _LF)
    if not len(begins):
        return points
    gone = (points[begins - 1] == _BORDER) | (points[ends] == _BORDER)
    return _without(points, np.where(gone, begins, np.minimum(begins + 2, ends)), ends)


def _runs(mask: Mask) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Where runs of true begin, and where they end (exclusive). The last value is never true."""
    edges = np.flatnonzero(mask[1:] != mask[:-1]) + 1
    if len(mask) and mask[0]:
        edges = np.append(0, edges)
    return edges[::2], edges[1::2]


def _without(points: Points, begins: npt.NDArray[np.int64], ends: npt.NDArray[np.int64]) -> Points:
    """Points outside all the ranges [begin, end); ranges may be empty but do not overlap."""
    change = np.bincount(begins, minlength=len(points) + 1) - np.bincount(ends, minlength=len(points) + 1)
    kept: Points = points[np.cumsum(change[:-1]) == 0]
    return kept
