"""Labelled texts with personal data: `tests/fixtures/pii_*.txt` read into (genre, text, spans), and the score of a finder.

A line is `genre | text`. `⟦KIND value⟧` labels a piece; `‹…›` is a made-up value, drawn from a generator that is seeded with
the line itself: the same file gives the same texts on every machine, and no value is anybody's but by chance. Generators:

    ‹id›  ‹id 6-8-4›      resident id of 18 characters, check character right; grouped as the digits say, by the signs between
    ‹id15›  ‹uscc›        resident id of 15 digits; unified social credit code
    ‹mobile›  ‹card19›    mobile number; bank card (16 to 19 digits, 62...; ‹visa›, ‹master› of 16) with a right Luhn digit
    ‹imei›  ‹hkid›  ‹twid›  device number (Luhn), Hong Kong id as A123456(7), Taiwan id as A123456789, all with right checks
    ‹010-%#######›        anything else is a pattern: # a digit, % 2-8, @ a capital without I and O, ^ a small letter

followed by any of: bad (wrong check), x (check character X), low (letters small), wide (full width), han (Chinese numerals),
cut (a line end after about the half), area=AAAAAA, born=YYYYMMDD. `\\n` and `\\t` are what they look like. Lines that begin
with `#` are notes.
"""

from __future__ import annotations

import json
import random
import re
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

FIXTURES = Path(__file__).parent / "fixtures"
_LABEL = re.compile(r"⟦(?P<kind>[A-Z_0-9]+) (?P<value>[^⟧]+)⟧")
_SLOT = re.compile(r"‹([^›]+)›")
_AREAS = [  # the last four were merged into others and still stand on cards
    "110105", "310104", "440305", "330106", "510104", "320102", "420106", "500103", "610113", "370202", "210102", "230103",
    "350203", "430104", "450103", "530102", "620102", "650104", "150102", "120101", "110103", "500234", "341401", "330726",
]  # fmt: skip
_MOBILE = [
    *range(130, 140), 145, 147, 149, *range(150, 154), *range(155, 160), 162, *range(165, 168), *range(170, 174),
    *range(175, 179), *range(180, 194), *range(195, 200),
]  # fmt: skip
_CREDIT = "0123456789ABCDEFGHJKLMNPQRTUWXY"  # GB 32100-2015
_ID_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_TW_LETTERS = dict(zip("ABCDEFGHJKLMNPQRSTUVXYWZIO", range(10, 36), strict=True))
Span = tuple[int, int, str]


class Case(NamedTuple):
    genre: str
    text: str
    spans: frozenset[Span]


class Score(NamedTuple):
    """Pieces found rightly, found wrongly and missed, by kind; a piece counts only with its exact start, end and kind."""

    right: Counter[str]
    wrong: Counter[str]
    missed: Counter[str]
    faults: list[tuple[str, list[Span], list[Span]]]  # text, wrong, missed

    @property
    def precision(self) -> float:
        return self.right.total() / (self.right.total() + self.wrong.total())

    @property
    def recall(self) -> float:
        return self.right.total() / (self.right.total() + self.missed.total())

    def table(self) -> str:
        kinds = sorted({*self.right, *self.wrong, *self.missed})
        rows = [f"{k:10s} right {self.right[k]:4d} wrong {self.wrong[k]:3d} missed {self.missed[k]:3d}" for k in kinds]
        return "\n".join([*rows, f"precision {self.precision:.4f} recall {self.recall:.4f}"])


def score(cases: Sequence[Case], found_in: Callable[[Sequence[str]], Sequence[set[Span]]]) -> Score:
    right, wrong, missed = Counter[str](), Counter[str](), Counter[str]()
    faults = []
    for case, found in zip(cases, found_in([case.text for case in cases]), strict=True):
        for counter, some in ((right, found & case.spans), (wrong, found - case.spans), (missed, case.spans - found)):
            counter.update(kind for _, _, kind in some)
        if found != case.spans:
            faults.append((case.text, sorted(found - case.spans), sorted(case.spans - found)))
    return Score(right, wrong, missed, faults)


def cases(name: str) -> list[Case]:
    """The cases of a fixture: `NAME.txt` in the form above, or `NAME.jsonl` with `text` and `spans`."""
    path = FIXTURES / f"{name}.jsonl"
    if path.exists():
        lines = [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]
        return [Case(row["note"], row["text"], frozenset((s, e, k) for s, e, k in row["spans"])) for row in lines]
    lines = (FIXTURES / f"{name}.txt").read_text(encoding="utf-8").split("\n")
    return [_case(line) for line in lines if line and not line.startswith("#")]


def _case(line: str) -> Case:
    genre, _, template = line.partition(" | ")
    template = template.replace("\\n", "\n").replace("\\t", "\t")
    nth = iter(range(1000))
    filled = _SLOT.sub(lambda slot: _value(slot[1], random.Random(f"{template}{next(nth)}")), template)
    text, spans, at = "", [], 0
    for label in _LABEL.finditer(filled):
        text += filled[at : label.start()]
        spans.append((len(text), len(text) + len(label["value"]), label["kind"]))
        text, at = text + label["value"], label.end()
    text += filled[at:]
    if re.search("[⟦⟧‹›]", text):
        raise ValueError(f"a label or a value is not closed: {line}")
    return Case(genre, text, frozenset(spans))


def _value(slot: str, chance: random.Random) -> str:
    name, *rest = slot.split(" ")
    make = _GENERATORS.get(name)
    options = {"bad", "x", "low", "wide", "han", "cut"}
    known = dict(r.split("=") for r in rest if "=" in r)
    flags = {r for r in rest if r in options}
    value = make(chance, flags, known) if make else _pattern(chance, slot.removesuffix(" wide"))
    if not make:
        flags = {"wide"} if slot.endswith(" wide") else set()
    for shape in [r for r in rest if make and r not in options and "=" not in r]:
        value = _grouped(value, shape)
    if "low" in flags:
        value = value.lower()
    if "cut" in flags:
        value = value[: len(value) // 2 + 1] + "\n" + value[len(value) // 2 + 1 :]
    if "han" in flags:
        value = value.translate(dict(zip(b"0123456789", "零一二三四五六七八九", strict=True)))
    if "wide" in flags:
        value = "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in value)
    return value


def _digits(chance: random.Random, count: int) -> str:
    return "".join(chance.choice("0123456789") for _ in range(count))


def _grouped(value: str, shape: str) -> str:
    """`3-4-4` of 13812345609 -> 138-1234-5609; `_` in the shape is a space."""
    out, at = "", 0
    for token in re.findall(r"[0-9]+|[^0-9]", shape):
        if token.isdigit():
            out, at = out + value[at : at + int(token)], at + int(token)
        else:
            out += token.replace("_", " ")
    assert at == len(value), (value, shape)
    return out


def _pattern(chance: random.Random, pattern: str) -> str:
    sets = {"#": "0123456789", "%": "2345678", "@": "ABCDEFGHJKLMNPQRSTUVWXYZ", "^": "abcdefghijklmnopqrstuvwxyz"}
    return "".join(chance.choice(sets[c]) if c in sets else c for c in pattern)


def _id(chance: random.Random, flags: set[str], known: dict[str, str]) -> str:
    while True:
        born = f"{chance.randrange(1948, 2008)}{chance.randrange(1, 13):02d}{chance.randrange(1, 29):02d}"
        body = known.get("area", chance.choice(_AREAS)) + known.get("born", born) + _digits(chance, 3)
        check = "10X98765432"[sum(int(d) * w for d, w in zip(body, _ID_WEIGHTS, strict=True)) % 11]
        if "bad" in flags:
            check = chance.choice("0123456789".replace(check, ""))
        if ("x" in flags) == (check == "X"):
            return body + check


def _id15(chance: random.Random, flags: set[str], known: dict[str, str]) -> str:
    born = f"{chance.randrange(40, 88)}{chance.randrange(1, 13):02d}{chance.randrange(1, 29):02d}"
    return chance.choice(_AREAS) + born + _digits(chance, 3)


def _mobile(chance: random.Random, flags: set[str], known: dict[str, str]) -> str:
    while True:
        number = str(chance.choice(_MOBILE)) + _digits(chance, 8)
        if len(set(number)) > 5 and "12345" not in number:
            return number


def _luhn(body: str, chance: random.Random, flags: set[str]) -> str:
    total = sum(sum(divmod(int(d) * (2 - i % 2), 10)) for i, d in enumerate(reversed(body)))
    return body + str((-total + (chance.randrange(1, 10) if "bad" in flags else 0)) % 10)


def _card(size: int, heads: str) -> Callable[[random.Random, set[str], dict[str, str]], str]:
    def make(chance: random.Random, flags: set[str], known: dict[str, str]) -> str:
        head = chance.choice(heads.split())
        return _luhn(head + _digits(chance, size - 1 - len(head)), chance, flags)

    return make


def _uscc(chance: random.Random, flags: set[str], known: dict[str, str]) -> str:
    body = chance.choice(["91", "92", "93", "12", "51", "11"]) + chance.choice(_AREAS[:20])
    body += (
        chance.choice(["MA", "MA", "71", "05"]) + "".join(chance.choice(_CREDIT) for _ in range(5)) + _digits(chance, 2)
    )
    check = _CREDIT[-sum(_CREDIT.index(c) * pow(3, i, 31) for i, c in enumerate(body)) % 31]
    return body + (chance.choice(_CREDIT.replace(check, "")) if "bad" in flags else check)


def _hkid(chance: random.Random, flags: set[str], known: dict[str, str]) -> str:
    """Weights 9 (36 for a space before one letter), 8, 7 ... 2; the check makes the sum a multiple of 11, A stands for 10."""
    body = chance.choice("ABCDEGHKPRYZ") + _digits(chance, 6)
    total = 36 * 9 + (ord(body[0]) - 55) * 8 + sum(int(d) * w for d, w in zip(body[1:], range(7, 1, -1), strict=True))
    check = -total % 11
    if "bad" in flags:
        check = (check + chance.randrange(1, 10)) % 11
    return f"{body}({'A' if check == 10 else check})"


def _twid(chance: random.Random, flags: set[str], known: dict[str, str]) -> str:
    """Letter as two digits, then weights 1, 9, 8 ... 1; the check makes the sum a multiple of 10."""
    body = chance.choice("ABCDEFGHJKLMNPQTUVX") + chance.choice("12") + _digits(chance, 7)
    letter = _TW_LETTERS[body[0]]
    total = letter // 10 + letter % 10 * 9 + sum(int(d) * w for d, w in zip(body[1:], range(8, 0, -1), strict=True))
    return body + str((-total + (chance.randrange(1, 10) if "bad" in flags else 0)) % 10)


_CHINESE = "622202 621700 622848 621661 622588 623052 621226 625912 620522"
_GENERATORS: dict[str, Callable[[random.Random, set[str], dict[str, str]], str]] = {
    "id": _id, "id15": _id15, "mobile": _mobile, "uscc": _uscc, "hkid": _hkid, "twid": _twid,
    "card16": _card(16, _CHINESE), "card17": _card(17, _CHINESE), "card18": _card(18, _CHINESE), "card19": _card(19, _CHINESE),
    "visa": _card(16, "4367 4392 4563"), "master": _card(16, "5187 5264 5401"), "imei": _card(15, "8612 8675 3557"),
}  # fmt: skip
