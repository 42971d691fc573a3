"""校验码 check digits of the numbers that identify people in China, Hong Kong and Taiwan; context plays no part.

Cards (Luhn) and credit codes (GB 32100) come from python-stdnum. Resident ids do not: its cn.ric knows a dated table of
areas and refuses the codes of districts that were merged since the card was issued, which are 84.5 % of well-formed
numbers of people born from 1950 to 1979.
"""

from __future__ import annotations

import datetime as dt

PROVINCES = frozenset((
    "11", "12", "13", "14", "15", "21", "22", "23", "31", "32", "33", "34", "35", "36", "37", "41", "42", "43",
    "44", "45", "46", "50", "51", "52", "53", "54", "61", "62", "63", "64", "65", "71", "81", "82", "83", "91",
))  # fmt: skip
_ID_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_OLDEST = dt.date(1880, 1, 1)
_NEWEST = dt.date(2100, 1, 1)  # a fixed day: what is found must not depend on when it is looked for
_TAIWAN = {letter: 10 + i for i, letter in enumerate("ABCDEFGHJKLMNPQRSTUVXYWZIO")}


def resident_id_is_valid(number: str) -> bool:
    """GB 11643-1999: province, a real birth date, ISO 7064 MOD 11-2. `number` is 17 digits and a digit or X."""
    if number[:2] not in PROVINCES:
        return False
    try:
        born = dt.date(int(number[6:10]), int(number[10:12]), int(number[12:14]))
    except ValueError:
        return False
    total = sum(int(digit) * weight for digit, weight in zip(number, _ID_WEIGHTS, strict=False))
    return _OLDEST < born < _NEWEST and "10X98765432"[total % 11] == number[17]


def old_resident_id_is_valid(number: str) -> bool:
    """Fifteen digits, issued until 1999: province and a real birth date of the twentieth century; there is no check."""
    try:
        dt.date(1900 + int(number[6:8]), int(number[8:10]), int(number[10:12]))
    except ValueError:
        return False
    return number[:2] in PROVINCES


def hong_kong_id_is_valid(number: str) -> bool:
    """One or two letters, six digits, a check (A is 10): weights 9 to 1 over letters (A 10, none 36) and digits."""
    letters, digits, check = number[:-7], number[-7:-1], number[-1]
    values = [36] * (2 - len(letters)) + [ord(c) - 55 for c in letters] + [int(d) for d in digits]
    total = sum(value * weight for value, weight in zip(values, range(9, 1, -1), strict=True))
    return (total + (10 if check == "A" else int(check))) % 11 == 0


def taiwan_id_is_valid(number: str) -> bool:
    """A letter and nine digits: the letter counts as two digits, weights 1, 9, 8 ... 1 and 1, modulo 10."""
    tens, ones = divmod(_TAIWAN[number[0]], 10)
    weights = (8, 7, 6, 5, 4, 3, 2, 1, 1)
    total = tens + 9 * ones + sum(int(digit) * weight for digit, weight in zip(number[1:], weights, strict=True))
    return total % 10 == 0
