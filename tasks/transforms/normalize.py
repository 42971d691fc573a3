"""规范化 normalize: the same text, written in one way. Does no harm: Chinese quotes and punctuation stay as they are.

    controls and zero-width marks   removed (U+200D stays: it joins emoji)
    full-width letters and digits   folded; ，。（）％ are not letters and stay
    NFC                             never NFKC, which would turn ， into , and ① into 1
    HTML remains                    entities decoded, stray tags removed, see `html_remains`
    line ends                       every kind becomes one line feed; at most one blank line
    spaces                          every kind becomes U+0020; runs become one, none ends a line or stands before Han
                                    at its start; the indentation of code stays
    repeated 。！？!?~，、           more than three become three

Every step is idempotent, and so is the whole. A step runs only on the rows that need it: NFC alone on all rows would
cost a quarter of the whole cleaning pass.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache

import numpy as np
import numpy.typing as npt
import polars as pl

from tasks.transforms import html_remains
from tasks.transforms.characters import HAN_RANGES, SPACES, WIDE, batches, decode
from tasks.transforms.mojibake import ODD_CHARACTERS

TEXT = pl.col("text")
REMOVED = (
    "\\x00-\\x08\\x0e-\\x1b\\x7f-\\x84\\x86-\\x9f\u00ad\u180e\u200b\u200c\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufeff"
    "\ufdd0-\ufdef\ufff0-\ufffb\ufffe\uffff\U000e0000-\U000e007f"
)  # body of a regex class
LINE_ENDS = "\\r\\x0b\\x0c\\x85\u2028\u2029"
# Every character in here is its own NFC form and never joins its neighbour; a test holds it against unicodedata.
NFC_STABLE = (
    "\\x00-\u02ff\u2010-\u2027\u2030-\u205e\u2190-\u2328\u232b-\u2adb\u2add-\u2bff\u2e80-\u2fd5\u3000-\u3029\u3030-\u3098"
    "\u309b-\u4dff\u4e00-\ua4cf\uac00-\ud7a3\ue000-\uf8ff\ufe30-\ufe4f\ufe50-\uffff\U0001f000-\U0001faff\U00020000-\U0002ebef"
)
_MARKUP = f"{html_remains.ENTITY}|{html_remains.TAG}"
REPEATED = "。！？!?~～，、"
# What a row needs, as bits. ODD: it may be mojibake, which is not for this module to undo.
CONTROLS, FULL_WIDTH, UNSTABLE, MARKUP, ENDS, BLANKS, REPEATS, ODD = (1 << i for i in range(8))
EVERYTHING = 127  # all but ODD


def normalized(text: pl.Series) -> pl.Series:
    """Normalise a column of texts; null stays null, rows keep their order."""
    return tidied(text, untidy(text))


def tidied(text: pl.Series, needs: npt.NDArray[np.uint8]) -> pl.Series:
    """Run the steps that each row needs. What one step uncovers, a later one must see: so needs grow on the way."""
    needs = needs.copy()
    for need, step in _STEPS:
        hit = (needs & need) > 0
        if need == MARKUP:
            hit &= text.str.contains(_MARKUP).fill_null(False).to_numpy()
        if need in (CONTROLS, FULL_WIDTH, UNSTABLE, MARKUP, ENDS):
            needs[hit] |= ENDS | BLANKS | REPEATS
        text = on_rows(text, hit, step)
    return text


def on_rows(text: pl.Series, hit: npt.NDArray[np.bool_], step: Callable[[pl.Series], pl.Series]) -> pl.Series:
    """Apply a step to some rows and put them back where they were."""
    if not hit.any():
        return text
    if hit.all():
        return step(text)
    chosen = pl.Series(hit)
    order = np.empty(len(text), np.int64)
    order[np.concatenate([np.flatnonzero(~hit), np.flatnonzero(hit)])] = np.arange(len(text))
    return pl.concat([text.filter(~chosen), step(text.filter(chosen))]).gather(order)


def untidy(text: pl.Series) -> npt.NDArray[np.uint8]:
    """Which steps each row needs, as bits; ODD marks rows that may be mojibake. Shape [rows]."""
    found = [_untidy(text[start:stop]) for start, stop in batches(text)]
    return np.concatenate(found) if found else np.zeros(0, np.uint8)


def _untidy(text: pl.Series) -> npt.NDArray[np.uint8]:
    codes = decode(text)
    points = codes.points
    bits = bit_table()[points]
    space, feed = points == 0x20, points == 0x0A
    pair = space[:-1] & (space[1:] | feed[1:])
    pair |= feed[:-1] & space[1:]
    same = points[1:] == points[:-1]
    three = same[1:] & same[:-1]
    bits[:-1][pair] |= BLANKS
    bits[:-2][three & feed[:-2]] |= BLANKS
    four = np.flatnonzero(three[1:] & three[:-1])
    bits[four[np.isin(points[four], np.array([ord(c) for c in REPEATED], np.uint32))]] |= REPEATS
    edges = np.concatenate([codes.starts, np.maximum(codes.starts + codes.lengths - 2, codes.starts)])
    blank = (points[edges] == 0x0A) | (points[edges] == 0x20)  # at the very start or end of a text
    bits[edges[blank]] |= BLANKS
    return np.bitwise_or.reduceat(bits, codes.starts)


@cache
def bit_table() -> npt.NDArray[np.uint8]:
    """For every code point the bits of the steps it calls for."""
    table = np.zeros(0x110000, np.uint8)
    every = "".join(map(chr, range(0x110000)))
    for body, bit in (
        (f"[{REMOVED}\u200d]+", CONTROLS),
        (f"[^{NFC_STABLE}]+", UNSTABLE),
        (f"[{LINE_ENDS}]+", ENDS),
        (f"[{SPACES}]+", BLANKS),
        (f"[{ODD_CHARACTERS}]+", ODD),
    ):
        for run in re.finditer(body, every):
            table[run.start() : run.end()] |= bit
    table[list(WIDE)] |= FULL_WIDTH
    table[[ord("&"), ord("<")]] |= MARKUP
    table[0x20] = 0
    return table


def _characters(text: pl.Series) -> pl.Series:
    joiner = "\u200d"
    text = text.str.replace_all(f"[{REMOVED}]+", "")
    text = text.str.replace_all(rf"([^\p{{Extended_Pictographic}}\x{{FE0F}}\x{{1F3FB}}-\x{{1F3FF}}]|\A){joiner}+", "$1")
    return text


def _fold(text: pl.Series) -> pl.Series:
    return text.str.replace_many([chr(c) for c in WIDE], [chr(c - 0xFEE0) for c in WIDE])


def _compose(text: pl.Series) -> pl.Series:
    return text.str.normalize("NFC")


def _markup(text: pl.Series) -> pl.Series:
    return pl.Series([html_remains.remove(t) for t in text], dtype=pl.String())


def _line_ends(text: pl.Series) -> pl.Series:
    return text.str.replace_all(f"\\r\\n|[{LINE_ENDS}]", "\n")


def _blanks(text: pl.Series) -> pl.Series:
    text = text.str.replace_all(f"[{SPACES.replace(chr(9), '').replace(' ', '', 1)}]", " ")
    text = text.str.replace_all(r"[ \t]+\n", "\n")
    text = text.str.replace_all(r"(\S)(?:[ \t]*\t[ \t]*| {2,})", "$1 ")
    text = text.str.replace_all(rf"(?m)^[ \t]+([{HAN_RANGES}“‘「『《（【，。、])", "$1")
    text = text.str.replace_all(r"\n{3,}", "\n\n")
    return text.str.strip_chars_start("\n").str.strip_chars_end(" \t\n")


def _repeats(text: pl.Series) -> pl.Series:
    for mark in REPEATED:
        text = text.str.replace_all(f"{re.escape(mark)}{{4,}}", mark * 3)
    return text


_STEPS: tuple[tuple[int, Callable[[pl.Series], pl.Series]], ...] = (
    (CONTROLS, _characters),
    (FULL_WIDTH, _fold),
    (UNSTABLE, _compose),
    (MARKUP, _markup),
    (ENDS, _line_ends),
    (BLANKS, _blanks),
    (REPEATS, _repeats),
)
