"""合成的个人信息 synthetic personal data: well-formed values that belong to nobody, made by rule from a counter.

No value can be a real person's: 1199 is no county of GB/T 2260, 0399 no area code, 148 a number range of machines
only, 620099 no issuer, Z no letter of plates in 藏, and `.example` is kept free by RFC 2606. Check characters follow
GB 11643-1999 (ISO 7064 MOD 11-2), GB 32100-2015 (MOD 31-3) and ISO/IEC 7812-1 (Luhn).
"""

from __future__ import annotations

from hashlib import sha256
from typing import NamedTuple

ID_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
USCC_ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"


class Value(NamedTuple):
    """A planted value: the page it stands on, its kind (the tag that replaces it), and itself."""

    path: str
    kind: str
    value: str


def digits(seed: str, count: int) -> str:
    """`count` digits that depend on nothing but the seed."""
    return str(int(sha256(seed.encode()).hexdigest(), 16))[-count:]


def id_check(body: str) -> str:
    """Check character of the first 17 digits of an identity number."""
    return "10X98765432"[sum(int(d) * w for d, w in zip(body, ID_WEIGHTS, strict=True)) % 11]


def luhn_check(body: str) -> str:
    """Luhn check digit of a card number without its last digit."""
    total = 0
    for place, digit in enumerate(reversed(body)):
        doubled = int(digit) * (2 if place % 2 == 0 else 1)
        total += doubled - 9 if doubled > 9 else doubled
    return str(-total % 10)


def uscc_check(body: str) -> str:
    """Check character of the first 17 characters of a unified social credit code."""
    total = sum(USCC_ALPHABET.index(c) * pow(3, n, 31) for n, c in enumerate(body))
    return USCC_ALPHABET[-total % 31]


def make(kind: str, seed: str) -> str:
    """One value of a kind; KeyError for a kind that is not made here."""
    number = int(sha256(seed.encode()).hexdigest(), 16)
    if kind == "CN_ID":
        body = f"119900{1960 + number % 45}{1 + number % 12:02d}{1 + number % 28:02d}{digits(seed, 3)}"
        return body + id_check(body)
    if kind == "BANK":
        body = "620099" + digits(seed, 12)
        return body + luhn_check(body)
    if kind == "USCC":
        body = "91119900" + "MA" + digits(seed, 7)
        return body + uscc_check(body)
    simple = {
        "MOBILE": "148" + digits(seed, 8),
        "LANDLINE": f"0399-{2 + number % 7}{digits(seed, 6)}",
        "EMAIL": f"user{digits(seed, 4)}@mail{number % 9}.example",
        "QQ": "99" + digits(seed, 8),
        "WECHAT": f"ziliu_demo_{digits(seed, 4)}",
        "PLATE": f"藏Z{digits(seed, 5)}",
    }
    return simple[kind]


def fill(path: str, text: str) -> tuple[str, list[Value]]:
    """Replace slots such as `{MOBILE}` and `{MOBILE:2}` in a text by values of its page."""
    found: list[Value] = []
    out = []
    for part in text.split("{"):
        slot, closed, rest = part.partition("}")
        if not closed:
            out.append(part)
            continue
        value = make(slot.partition(":")[0], f"{path} {slot}")
        found.append(Value(path, slot.partition(":")[0], value))
        out.append(value + rest)
    return "".join(out), found
