"""个人信息的形状表 pii_shapes: every shape of personal data, its judge, and where in a text it is looked for.

The order of SHAPES is the order of precedence: what an earlier shape took, a later one leaves alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple

from tasks.transforms import pii_judges as judges
from tasks.transforms import pii_patterns as patterns

LETTERED = 0  # in place of a size: a run that a letter follows at once
_HOST = re.compile(r" ?[0-9A-Za-z\-.]+\.[A-Za-z]{2}")
_LOCAL_PART = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._%+-"


class Shape(NamedTuple):
    """What one kind may look like, and where it is looked for: in a run of digits, or around another anchor."""

    kind: str
    pattern: re.Pattern[str]
    judge: Callable[[str, re.Match[str]], str]
    runs: Mapping[int, str] = MappingProxyType({})  # digits of an unbroken run that can be it -> its first digits
    broken: int = 0  # digits that a run must have whose digits stand in groups; 0 where they may not
    lettered: bool = False  # whether it is looked for where a capital stands before digits
    first: str = ""  # first characters of other anchors that can be it
    opens: Callable[[str, int], int] = lambda text, at: at  # where such an anchor's search begins; -1 for nowhere
    dots: int = 0  # dots between its digits, without anything else
    behind: int = 20  # characters behind an anchor, or behind the run, that it may cover or look at: 转 8023


def _back(characters: int) -> Callable[[str, int], int]:
    return lambda text, at: max(0, at - characters)


def _link_opens(text: str, at: int) -> int:
    """The scheme of a link that holds this place; of one with user:password, which are short, where this is an @."""
    first = max(0, at - (130 if text[at] == "@" else 1024))
    colon = text.rfind(":", first, at)
    while colon >= 0 and not text.startswith("://", colon):
        colon = text.rfind(":", first, colon)
    return max(0, colon - 16) if colon >= 0 else -1


def _address_opens(text: str, at: int) -> int:
    """Where the name before an @ begins; one space may stand between."""
    if text[at] == "@" and not _HOST.match(text, at + 1):
        return -1
    start = max(0, at - 66)
    name = text[start:at].removesuffix(" ")
    letters = len(name) - len(name.rstrip(_LOCAL_PART))
    return start + len(name) - letters if letters else -1


_ANY = "0123456789"
_HEXTETS = MappingProxyType({1: "23", 2: "23", 3: "23", 4: "23", LETTERED: "23"})
_ARCS = MappingProxyType({1: _ANY, 2: _ANY, 3: "1"})
SHAPES = (
    Shape("SECRET_URL", patterns.SECRET_URL, judges.secret_url, first="?&#;@", opens=_link_opens, behind=2048),
    Shape("EMAIL", patterns.EMAIL, judges.email, first="@[(（【艾", opens=_address_opens, behind=256),
    Shape("CN_ID", patterns.CN_ID, judges.resident_id, {18: _ANY, LETTERED: _ANY}, 17, behind=24),
    Shape("USCC", patterns.USCC, judges.credit_code, {18: _ANY, LETTERED: _ANY}, 0, True, opens=_back(2), behind=24),
    Shape("BANK", patterns.BANK, judges.bank_card, dict.fromkeys(range(15, 20), "234569"), 15),
    Shape("ALIPAY", patterns.ALIPAY_ID, judges.alipay_id, {16: "2"}),
    Shape("CN_ID", patterns.CN_ID15, judges.old_resident_id, {15: _ANY}),
    Shape("MOBILE", patterns.MOBILE, judges.mobile, {11: "1", 13: "8", 15: "0"}, 11, dots=2),
    Shape("MOBILE", patterns.MOBILE_HONG_KONG, judges.always, {11: "8", 13: "0"}, 11),
    Shape("MOBILE", patterns.MOBILE_TAIWAN, judges.phone_abroad, {10: "0", 12: "8", 14: "0"}, 10),
    Shape("MOBILE", patterns.MOBILE_HAN, judges.mobile_in_numerals, first="一幺壹", opens=_back(1)),
    Shape("LANDLINE", patterns.LANDLINE, judges.landline, {10: "0", 11: "0", 12: "08", 13: "08", 14: "0"}, 10),
    Shape("LANDLINE", patterns.LANDLINE_ABROAD, judges.phone_abroad, {11: "8", 12: "8", 13: "0", 14: "0"}, 9),
    Shape("LANDLINE", patterns.LANDLINE_LOCAL, judges.local_number, {7: _ANY, 8: _ANY}, 7),
    Shape("REGION_ID", patterns.REGION_ID, judges.region_id, lettered=True, opens=_back(2)),
    Shape("REGION_ID", patterns.REGION_ID_MACAU, judges.macau_id, {7: "1578"}, 8),
    Shape("PASSPORT", patterns.PASSPORT, judges.passport, lettered=True, opens=_back(2)),
    Shape("PASSPORT", patterns.PASSPORT_TAIWAN, judges.taiwan_permit, {8: _ANY}),
    Shape("PLATE", patterns.PLATE, judges.plate, first=patterns.PROVINCE),
    Shape("IP", patterns.IP, judges.address, dots=3),
    Shape("IP", patterns.IP6, judges.address, _HEXTETS, behind=48),
    Shape("GEO", patterns.GEO, judges.coordinates, dots=1, behind=64),
    Shape("GEO", patterns.GEO_ARC, judges.always, _ARCS, behind=64),
    Shape("QQ", patterns.QQ, judges.qq, first="Qq扣企加二三四五新", opens=_back(1), behind=40),
    Shape("WECHAT", patterns.WECHAT, judges.wechat, first="微薇威维維加VvWw", opens=_back(1), behind=48),
    Shape("ALIPAY", patterns.ALIPAY, judges.alipay, first="支Aa", behind=64),
)  # fmt: skip
KINDS = tuple(dict.fromkeys(shape.kind for shape in SHAPES))
TAG = re.compile(rf"<(?:{'|'.join(KINDS)})(?::[a-p]{{12}})?>")  # a placeholder, which is no personal data
