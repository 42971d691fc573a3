"""个人信息的形状表 pii_shapes: every shape of personal data, its judge, and what its places look like to the kernels.

The order of SHAPES is the order of precedence: what an earlier shape took, a later one leaves alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

from tasks.transforms import pii_judges as judges
from tasks.transforms import pii_patterns as patterns
from tasks.transforms.pii_names import Name
from tasks.transforms.pii_numbers import (
    BRACKET,
    DOT,
    FIRST_JOINT,
    LINE_END,
    MANY,
    OTHER_JOINT,
    SEVERAL,
    SHORT,
    SLASH,
    SPACE_OR_DASH,
    Number,
)


class Digits(NamedTuple):
    """Numbers that can be of a shape."""

    heads: str  # their first digits, one or two, with spaces between
    sizes: Sequence[int]  # how many digits they have
    joints: int = 0  # what may stand between their groups, as the kernel counts them


class Shape(NamedTuple):
    """What one kind may look like: a place for each number of `digits`, or for what its anchor says."""

    kind: str
    pattern: re.Pattern[str]
    judge: Callable[[str, re.Match[str]], str]
    anchor: Number | Name
    digits: tuple[Digits, ...] = ()


_ONE = (SPACE_OR_DASH | LINE_END) >> FIRST_JOINT | SHORT  # one space, dash or line end
_PHONE = (SPACE_OR_DASH | OTHER_JOINT) >> FIRST_JOINT
_LOOSE = _PHONE | (LINE_END | DOT | SLASH) >> FIRST_JOINT | SEVERAL
_CODED = BRACKET >> FIRST_JOINT | SEVERAL | MANY | SHORT  # around the codes of countries and areas
_ANY, _NO_ZERO = "0 1 2 3 4 5 6 7 8 9", "1 2 3 4 5 6 7 8 9"
_OF_CHINA, _ZEROS = "86", "00"  # 00 before the code of a country
SHAPES = (
    Shape("SECRET_URL", patterns.SECRET_URL, judges.secret_url, Name.LINK),
    Shape("EMAIL", patterns.EMAIL, judges.email, Name.ADDRESS),
    Shape("CN_ID", patterns.CN_ID, judges.resident_id, Number.DIGITS, (Digits(_NO_ZERO, (18,), _ONE),)),
    Shape("USCC", patterns.USCC, judges.credit_code, Number.CODE),
    Shape("BANK", patterns.BANK, judges.bank_card, Number.DIGITS, (Digits("2 3 4 5 6 9", range(15, 20), _ONE),)),
    Shape("ALIPAY", patterns.ALIPAY_ID, judges.alipay_id, Number.DIGITS, (Digits("20", (16,)),)),
    Shape("CN_ID", patterns.CN_ID15, judges.old_resident_id, Number.DIGITS, (Digits(_NO_ZERO, (15,)),)),
    Shape("MOBILE", patterns.MOBILE, judges.mobile, Number.DIGITS, (
        Digits("13 14 15 16 17 18 19", (11,), _LOOSE),
        Digits(_OF_CHINA, (13,), _LOOSE | _CODED), Digits(_ZEROS, (15,), _LOOSE | _CODED),
    )),
    Shape("MOBILE", patterns.MOBILE_HONG_KONG, judges.always, Number.DIGITS, (
        Digits("85", (11,), _PHONE | _CODED), Digits(_ZEROS, (13,), _PHONE | _CODED),
    )),
    Shape("MOBILE", patterns.MOBILE_TAIWAN, judges.phone_abroad, Number.DIGITS, (
        Digits("09", (10,), _PHONE),
        Digits("88", (12, 13), _PHONE | _CODED), Digits(_ZEROS, (14, 15), _PHONE | _CODED),
    )),
    Shape("MOBILE", patterns.MOBILE_HAN, judges.mobile_in_numerals, Name.NUMERALS),
    Shape("LANDLINE", patterns.LANDLINE, judges.landline, Number.DIGITS, (
        Digits("01 02 03 04 05 06 07 08 09", range(10, 13), (_PHONE | _CODED) & ~SHORT),
        Digits(_OF_CHINA, range(11, 15), _PHONE | _CODED), Digits(_ZEROS, range(13, 17), _PHONE | _CODED),
    )),
    Shape("LANDLINE", patterns.LANDLINE_ABROAD, judges.phone_abroad, Number.DIGITS, (
        Digits("02 03 04 05 06 07 08", (9, 10), _PHONE | _CODED), Digits("85", (11,), _PHONE | _CODED),
        Digits("88", range(11, 14), _PHONE | _CODED), Digits(_ZEROS, range(13, 16), _PHONE | _CODED),
    )),
    Shape("LANDLINE", patterns.LANDLINE_LOCAL, judges.local_number, Number.SPOKEN, (
        Digits("2 3 4 5 6 7 8", (7, 8), _PHONE),
    )),
    Shape("REGION_ID", patterns.REGION_ID, judges.region_id, Number.LETTERED),
    Shape("REGION_ID", patterns.REGION_ID_MACAU, judges.macau_id, Number.DIGITS, (
        Digits("1 5 7 8", (8,), (SLASH | BRACKET) >> FIRST_JOINT | SHORT),
    )),
    Shape("PASSPORT", patterns.PASSPORT, judges.passport, Number.LETTERED),
    Shape("PASSPORT", patterns.PASSPORT_TAIWAN, judges.taiwan_permit, Number.PERMIT, (Digits(_ANY, (8,)),)),
    Shape("PLATE", patterns.PLATE, judges.plate, Name.PLATE),
    Shape("IP", patterns.IP, judges.address, Number.DOTTED),
    Shape("IP", patterns.IP6, judges.address, Number.HEXTETS),
    Shape("GEO", patterns.GEO, judges.coordinates, Number.DECIMALS),
    Shape("GEO", patterns.GEO_ARC, judges.always, Number.ARC),
    Shape("QQ", patterns.QQ, judges.qq, Name.NUMBER),
    Shape("WECHAT", patterns.WECHAT, judges.wechat, Name.ACCOUNT),
    Shape("ALIPAY", patterns.ALIPAY, judges.alipay, Name.ACCOUNT),
)  # fmt: skip
KINDS = tuple(dict.fromkeys(shape.kind for shape in SHAPES))
TAG = re.compile(rf"<(?:{'|'.join(KINDS)})(?::[a-p]{{12}})?>")  # a placeholder, which is no personal data
