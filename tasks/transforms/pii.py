"""个人信息 pii: find Chinese personal data exactly, on the few texts that a cheap prefilter lets through.

`find` gives spans with a confidence: `valid` where a checksum holds, `context` where a word near it says what it is,
`shape` where the form alone is telling. Names and postal addresses are not found: no recogniser that runs offline is
good enough to promise them.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
import re
from collections.abc import Callable, Collection
from typing import NamedTuple

import polars as pl
from stdnum import luhn
from stdnum.cn import uscc

from tasks.transforms.characters import FOLDED
from tasks.transforms.pii_patterns import (
    CONTEXTS,
    CORES,
    FILE_ENDINGS,
    MADE_UP,
    PATTERNS,
    PRODUCTS,
    PROVINCES,
    USCC_HEADS,
)  # fmt: skip

CHECKED = ("CN_ID", "USCC", "BANK")  # kinds whose numbers carry a check digit
KINDS = tuple(k for k in PATTERNS if k != "CN_ID15")
_FOLDED = FOLDED | dict.fromkeys((0xFF0D, 0x2010, 0x2011, 0x2013, 0x2014), 0x2D)
_FOLDED |= {0xFF20: 0x40, 0x3000: 0x20, 0xA0: 0x20}
# Dashes and spaces matter only where they join pieces of a number; an em dash stands in most Chinese texts.
_TO_FOLD = re.compile(
    "[\uff10-\uff19\uff21-\uff3a\uff41-\uff5a\uff20]|[0-9A-Za-z)）][\uff0d\u2010\u2011\u2013\u2014\u3000\u00a0][0-9A-Za-z(（]"
)
_TAG = re.compile(rf"<(?:{'|'.join(KINDS)})(?::[a-p]{{12}})?>")
_SPACES = re.compile("[ -]")
_WINDOW, _BEHIND = 24, 8  # characters before and behind a match in which its context is looked for
_ID_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_OLDEST = dt.date(1880, 1, 1)
_NEWEST = dt.date(2100, 1, 1)  # a fixed day: what is found must not depend on when it is looked for


class Span(NamedTuple):
    """One piece of personal data: text[start:end]."""

    start: int
    end: int
    kind: str
    confidence: str  # valid | context | shape


def find(text: str, kinds: Collection[str] = KINDS) -> list[Span]:
    """All personal data of these kinds, in order, without overlaps. Placeholders of an earlier pass are no data."""
    plain = text.translate(_FOLDED) if _TO_FOLD.search(text) else text
    if "<" in plain:
        plain = _TAG.sub(lambda tag: "\0" * len(tag[0]), plain)
    taken = bytearray(len(plain))
    found = []
    for name, pattern in PATTERNS.items():
        kind = "CN_ID" if name == "CN_ID15" else name
        if kind not in kinds:
            continue
        judge = _JUDGES[name]
        for match in pattern.finditer(plain):
            start, end = match.span("value" if "value" in pattern.groupindex else 0)
            if not any(taken[start:end]) and (confidence := judge(plain, match)):
                taken[start:end] = b"\1" * (end - start)
                found.append(Span(start, end, kind, confidence))
    return sorted(found)


def replaced(text: str, kinds: Collection[str], placeholder: Callable[[str, str], str]) -> tuple[str, dict[str, int]]:
    """(text with every piece replaced by `placeholder(kind, value)`, pieces by kind). Idempotent.

    A replacement changes what stands near its neighbours, so the search is repeated until nothing is found.
    """
    counts: dict[str, int] = {}
    while spans := find(text, kinds):
        parts, at = [], 0
        for span in spans:
            parts += [text[at : span.start], placeholder(span.kind, text[span.start : span.end])]
            at = span.end
            counts[span.kind] = counts.get(span.kind, 0) + 1
        text = "".join([*parts, text[at:]])
    return text, counts


def left(text: str) -> list[str]:
    """Kinds of which the text still holds a piece with a valid checksum: what a contract must find empty."""
    return sorted({span.kind for span in find(text, CHECKED) if span.confidence == "valid"})


def left_kinds(text: pl.Series) -> pl.Series:
    """`left` for a column, as lists of text; only rows that pass the prefilter are looked at."""
    found: list[list[str]] = [[] for _ in range(len(text))]
    rows, _ = candidates(text, CHECKED)
    for row, value in zip(rows, text.gather(rows), strict=True):
        found[row] = left(value)
    return pl.Series(text.name, found, dtype=pl.List(pl.String()))


def candidates(text: pl.Series, kinds: Collection[str] = KINDS) -> tuple[pl.Series, list[list[str]]]:
    """(row numbers, kinds that each of them can hold): the rows that need the exact search; null needs none."""
    if not kinds:
        return pl.Series([], dtype=pl.UInt32()), []
    rows = text.str.contains("|".join(CORES[kind] for kind in kinds)).fill_null(False).arg_true()
    some = text.gather(rows)
    hits = pl.DataFrame({kind: some.str.contains(CORES[kind]) for kind in kinds})
    return rows, [[kind for kind, hit in zip(kinds, row, strict=True) if hit] for row in hits.iter_rows()]


def canonical(kind: str, value: str) -> str:
    """One spelling of a value, so that the same person gets the same pseudonym."""
    value = _SPACES.sub("", value.translate(_FOLDED)).upper()
    return value[-11:] if kind == "MOBILE" else value


def resident_id_is_valid(number: str) -> bool:
    """GB 11643-1999: province, a real birth date, ISO 7064 MOD 11-2.

    Not python-stdnum's cn.ric: its dated table of areas refuses the codes of districts that were merged since the
    card was issued, which are 84.5 % of well-formed numbers of people born from 1950 to 1979.
    """
    if number[:2] not in PROVINCES:
        return False
    try:
        born = dt.date(int(number[6:10]), int(number[10:12]), int(number[12:14]))
    except ValueError:
        return False
    total = sum(int(digit) * weight for digit, weight in zip(number, _ID_WEIGHTS, strict=False))
    return _OLDEST < born < _NEWEST and "10X98765432"[total % 11] == number[17]


def _near(text: str, match: re.Match[str], context: str, window: int = _WINDOW) -> bool:
    start, end = max(0, match.start() - window), min(len(text), match.end() + _BEHIND)
    return CONTEXTS[context].search(text, start, end) is not None


def _before(text: str, match: re.Match[str], context: str, window: int = 8) -> bool:
    return CONTEXTS[context].search(text, max(0, match.start() - window), match.start()) is not None


def _digits(match: re.Match[str]) -> str:
    return _SPACES.sub("", match[0]).upper()


def _secret_url(text: str, match: re.Match[str]) -> str:
    return "shape"


def _email(text: str, match: re.Match[str]) -> str:
    return "" if match[0].rsplit(".", 1)[1].lower() in FILE_ENDINGS else "shape"


def _resident_id(text: str, match: re.Match[str]) -> str:
    if resident_id_is_valid(_digits(match)):
        return "valid"
    return "context" if _near(text, match, "identity") else ""


def _old_resident_id(text: str, match: re.Match[str]) -> str:
    return "context" if match[0][:2] in PROVINCES and _near(text, match, "identity") else ""


def _credit_code(text: str, match: re.Match[str]) -> str:
    code = match[0]
    if code[:2] not in USCC_HEADS or code[2:4] not in PROVINCES | {"10"} or not uscc.is_valid(code):
        return ""
    # one number of eighteen digits in 31 passes the checksum by chance
    return "valid" if not code.isdigit() or _before(text, match, "credit code", _WINDOW) else ""


def _bank_card(text: str, match: re.Match[str]) -> str:
    digits = _digits(match)
    if not 15 <= len(digits) <= 19 or MADE_UP.search(digits) or not luhn.is_valid(digits):
        return ""
    if _near(text, match, "bank"):
        return "valid"
    grouped = digits.startswith("62") or " " in match[0]
    return "valid" if grouped and not _near(text, match, "reference") else ""


def _mobile(text: str, match: re.Match[str]) -> str:
    if MADE_UP.search(_digits(match)[-11:]):
        return ""
    if _near(text, match, "phone"):
        return "context"
    return "" if _near(text, match, "reference", 12) else "shape"


def _landline(text: str, match: re.Match[str]) -> str:
    if _near(text, match, "phone") or "(" in match[0] or "（" in match[0]:
        return "shape"
    return "shape" if "-" in match[0][:9] and not _near(text, match, "reference") else ""


def _passport(text: str, match: re.Match[str]) -> str:
    return "context" if _near(text, match, "passport") else ""


def _plate(text: str, match: re.Match[str]) -> str:
    if sum(c.isdigit() for c in match[0]) >= 2:
        return "shape"
    return "context" if _near(text, match, "plate") else ""


def _address(text: str, match: re.Match[str]) -> str:
    try:
        address = ipaddress.ip_address(match[0])
    except ValueError:
        return ""
    return "shape" if address.is_global and not _before(text, match, "version", 12) else ""


def _coordinates(text: str, match: re.Match[str]) -> str:
    return "shape"


def _qq(text: str, match: re.Match[str]) -> str:
    return "context"


def _wechat(text: str, match: re.Match[str]) -> str:
    return "" if match["value"].lower() in PRODUCTS else "context"


_JUDGES: dict[str, Callable[[str, re.Match[str]], str]] = {
    "SECRET_URL": _secret_url,
    "EMAIL": _email,
    "CN_ID": _resident_id,
    "USCC": _credit_code,
    "BANK": _bank_card,
    "CN_ID15": _old_resident_id,
    "MOBILE": _mobile,
    "LANDLINE": _landline,
    "PASSPORT": _passport,
    "PLATE": _plate,
    "IP": _address,
    "GEO": _coordinates,
    "QQ": _qq,
    "WECHAT": _wechat,
}
