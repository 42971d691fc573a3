"""个人信息的判断 pii_judges: is it what it looks like? One judge a shape, (text, match) -> confidence.

`valid` where a checksum holds, `context` where a word near it says what it is, `shape` where the form alone is telling,
and "" where it is something else. The cheap questions come first: most numbers are answered without a look around.
"""

from __future__ import annotations

import ipaddress
import re

from stdnum import luhn
from stdnum.cn import uscc

from tasks.transforms import pii_patterns as shapes
from tasks.transforms.check_digits import (
    PROVINCES,
    hong_kong_id_is_valid,
    old_resident_id_is_valid,
    resident_id_is_valid,
    taiwan_id_is_valid,
)
from tasks.transforms.pii_words import CONTEXTS, CONTEXTS_BEHIND, FILE_ENDINGS, MAIL_HOSTS, PRODUCTS, UNITS

Found = re.Match[str]
WINDOW, BEHIND = 24, 8  # characters before and behind a match in which its context is looked for
_is_reference = CONTEXTS["reference"].search
_NOT_DIGITS = re.compile("[^0-9]")
_MADE_UP = re.compile(r"([0-9])\1{7,}|0123456|1234567890|12345678$")  # numbers that nobody owns
_OPERATORS_OWN = ("13800138000",)  # the number that every shop writes on its examples
_CREDIT_HEADS = frozenset((
    "11", "12", "13", "19", "21", "29", "31", "32", "33", "34", "35", "39", "41", "49", "51", "52", "53", "54",
    "55", "59", "61", "62", "69", "71", "72", "79", "81", "89", "91", "92", "93", "A1", "A9", "N1", "N2", "N3",
    "N9", "Y1",
))  # fmt: skip
_PLACEHOLDER = re.compile(r"[*xX.]+$|(?:YOUR|your|MY|my|test|xxx|access|example)[_\-]?|[A-Z_]+$")
_SMALL = 32  # four parts that are all below this are a version far more often than an address
# character right before a number -> what would make it no telephone number
_DENY_NUMBER = (
    dict.fromkeys("元¥￥$€£币达到计额过", "amount")
    | dict.fromkeys("=:：'\"", "query of an id")
    | dict.fromkeys("/.-_", "link")
)
_HAN_DIGITS = str.maketrans("〇零一二三四五六七八九幺壹贰叁肆伍陆柒捌玖", "001234567891123456789")


def digits(value: str) -> str:
    """The ASCII digits of a value; Chinese numerals count."""
    return _NOT_DIGITS.sub("", value.translate(_HAN_DIGITS))


def _near(text: str, match: Found, context: str, window: int = WINDOW, behind: int = BEHIND) -> bool:
    start, end = max(0, match.start() - window), min(len(text), match.end() + behind)
    return CONTEXTS[context].search(text, start, end) is not None


def _before(text: str, match: Found, context: str, window: int = WINDOW) -> bool:
    return CONTEXTS[context].search(text, max(0, match.start() - window), match.start()) is not None


def _right_behind(text: str, start: int, context: str, window: int = 24) -> bool:
    return CONTEXTS_BEHIND[context].search(text, max(0, start - window), start) is not None


def _last(text: str, match: Found, context: str) -> int:
    """Where the last word of a context before the match begins; -1 for none."""
    found = -1
    for word in CONTEXTS[context].finditer(text, max(0, match.start() - WINDOW), match.start()):
        found = word.start()
    return found


def _may_be_made_up(number: str) -> bool:
    """A cheap question before _MADE_UP: eight equal digits of eleven cover the middle five."""
    return number[3:8] == number[3] * 5 or "1234" in number


def secret_url(text: str, match: Found) -> str:
    """A link with user:password, or with a parameter that lets its holder in and is no example."""
    link = match[0]
    if shapes.LOGIN.search(link):
        return "shape"
    values = [m["value"] for m in shapes.SECRET_VALUE.finditer(link)]
    return "shape" if any(not _PLACEHOLDER.match(value) for value in values) else ""


def email(text: str, match: Found) -> str:
    """An address; not one of a repository (git@host:), a file (logo@2x.png) or a message id."""
    host = match["host"].lower()
    if host.rsplit(".", 1)[1] in FILE_ENDINGS:
        return ""
    if match[0].startswith("git@") and text[match.end() : match.end() + 1] == ":":
        return ""
    if " @" in match[0] or "@ " in match[0]:
        return "context" if host in MAIL_HOSTS and _before(text, match, "mail", 12) else ""
    return "" if _right_behind(text, match.start(), "mail header") else "shape"


def resident_id(text: str, match: Found) -> str:
    """Valid by its check, or right behind a word for it in the usual grouping."""
    number = re.sub(r"[ \-\n]", "", match[0]).upper()
    if resident_id_is_valid(number):
        return "valid"
    if not shapes.CN_ID_GROUPS.fullmatch(match[0]) or (
        text[match.start() - 1 : match.start()].isascii() and text[match.start() - 1 : match.start()].isalnum()
    ):
        return ""
    return "context" if _last(text, match, "identity") > _last(text, match, "reference") else ""


def old_resident_id(text: str, match: Found) -> str:
    """Fifteen digits have no check, so a word must stand near."""
    return "context" if old_resident_id_is_valid(match[0]) and _near(text, match, "identity") else ""


def credit_code(text: str, match: Found) -> str:
    """Valid by its check; one of digits only needs a word, since one in 31 is right by chance."""
    code = match[0]
    if code[:2] not in _CREDIT_HEADS or code[2:4] not in PROVINCES | {"10"} or not uscc.is_valid(code):
        return ""
    # one number of eighteen digits in 31 passes the checksum by chance
    return "valid" if not code.isdigit() or _before(text, match, "credit code") else ""


def bank_card(text: str, match: Found) -> str:
    """A right Luhn digit, a head and a size of cards, and a word near it or an own grouping or UnionPay's head."""
    number = digits(match[0])
    if not any(head.match(number) and len(number) in sizes for head, sizes in shapes.CARDS):
        return ""
    if _MADE_UP.search(number) or not luhn.is_valid(number) or _near(text, match, "card of a shop", behind=0):
        return ""
    grouped = shapes.BANK_GROUPS.fullmatch(match[0])
    if _near(text, match, "bank"):
        return "valid"
    if not grouped or _near(text, match, "reference"):
        return ""
    return "valid" if grouped["joint"] == " " or number.startswith("62") else ""


def alipay_id(text: str, match: Found) -> str:
    """2088 and twelve digits behind a word for it."""
    return "context" if _before(text, match, "alipay") else ""


def mobile(text: str, match: Found) -> str:
    """Not an amount, a number of an order, an id in a link; in unusual groups only right behind a word for it."""
    body, start, end = match["body"], match.start(), match.end()
    number = body if body.isdigit() else digits(body)
    if number in _OPERATORS_OWN or (_may_be_made_up(number) and _MADE_UP.search(number)):
        return ""
    if body is not number and not shapes.MOBILE_GROUPS.fullmatch(body):
        return "context" if _right_behind(text, start, "telephone") or _before(text, match, "phone", 8) else ""
    denies = _DENY_NUMBER.get(text[start - 1 : start])
    if UNITS.match(text, end) or (denies and _right_behind(text, start, denies, 80)):
        return "context" if _before(text, match, "phone", 6) else ""
    if _is_reference(text, start - 16 if start > 16 else 0, start) and _last(text, match, "phone") < _last(
        text, match, "reference"
    ):
        return ""
    return "shape"


def mobile_in_numerals(text: str, match: Found) -> str:
    """Eleven Chinese numerals that make the number of an operator."""
    number = digits(match[0])
    return "shape" if shapes.MOBILE.fullmatch(number) and not _MADE_UP.search(number) else ""


def phone_abroad(text: str, match: Found) -> str:
    """With a country code or an area in brackets by its form, else near a word for it."""
    if match[0][0] in "+(（" or match[0].startswith("00"):
        return "shape"
    return "context" if _near(text, match, "phone") else ""


def landline(text: str, match: Found) -> str:
    """With an area code: by its form where it is set apart, behind a word where it is not."""
    if match[0].isdigit():
        return "context" if _before(text, match, "phone", 12) else ""
    if match[0][0] in "+(（" or _near(text, match, "phone"):
        return "shape"
    return "" if _near(text, match, "reference") else "shape"


def local_number(text: str, match: Found) -> str:
    """Seven or eight digits right behind a word for a telephone, or behind another number."""
    if UNITS.match(text, match.end()) or match[0].startswith(("400", "800")):
        return ""
    start = match.start()
    return (
        "context" if _right_behind(text, start, "telephone") or _right_behind(text, start, "telephone number") else ""
    )


def region_id(text: str, match: Found) -> str:
    """Hong Kong in brackets proves itself; everything else needs a word: one number in ten is right by chance."""
    if match["taiwan"]:
        valid, sure = taiwan_id_is_valid(match[0]), False
    else:
        number = match[0].translate(str.maketrans("", "", "()（）"))
        valid, sure = hong_kong_id_is_valid(number), number != match[0]
    if not valid:
        return ""
    if sure:
        return "" if _last(text, match, "reference") > _last(text, match, "identity") else "valid"
    return "valid" if _before(text, match, "identity") else ""


def macau_id(text: str, match: Found) -> str:
    """Behind a word for it: its check is not published."""
    return "context" if _before(text, match, "identity") else ""


def passport(text: str, match: Found) -> str:
    """Near a word for it."""
    return "context" if _near(text, match, "passport") else ""


def taiwan_permit(text: str, match: Found) -> str:
    """Eight digits right behind the name of the permit."""
    return "context" if _right_behind(text, match.start(), "taiwan permit") else ""


def plate(text: str, match: Found) -> str:
    """By its form with two digits; in small letters or with fewer, near a word for it."""
    if match[0][1].islower() or sum(c.isdigit() for c in match[0]) < 2:
        return "context" if _near(text, match, "plate") else ""
    return "shape"


def address(text: str, match: Found) -> str:
    """A public address that is no version, section, network or group."""
    try:
        found = ipaddress.ip_address(match[0])
    except ValueError:
        return ""
    if not found.is_global or found.is_multicast or text[match.end() : match.end() + 1] in ("节", "章", "條", "条"):
        return ""
    if _right_behind(text, match.start(), "version", 12):
        return ""
    if found.version == 4 and max(found.packed) < _SMALL:
        return "context" if _before(text, match, "network", 12) else ""
    return "shape"


def coordinates(text: str, match: Found) -> str:
    """A pair in range, near a word for a place, or of five decimals in China."""
    if not shapes.GEO_BETWEEN.fullmatch(match["between"]):
        return ""
    one, two = float(match["one"]), float(match["two"])
    if not (one <= 180 and two <= 180 and min(one, two) <= 90):
        return ""
    if _near(text, match, "place") or CONTEXTS["place"].search(match[0]):
        return "context"
    # longitude and latitude of China; numbers of five decimals are rarely anything else
    in_china = min(one, two) < 60 and 70 <= max(one, two) < 140
    fine = min(len(part.rpartition(".")[2]) for part in (match["one"], match["two"])) >= 5
    return "shape" if in_china and fine and match["between"].strip() in (",", "，") else ""


def always(text: str, match: Found) -> str:
    """Its form is enough."""
    return "shape"


def qq(text: str, match: Found) -> str:
    """Right behind its name; behind a weak name (Q, 扣, 二群) with seven digits or more."""
    value, name = match["value"], text[match.start() : match.start("value")]
    if UNITS.match(text, match.end()):
        return ""
    if name[:2].lower() == "qq" or name.startswith(("扣扣", "企鹅")):
        return "context"
    if name[0] in "二三四五新":
        return (
            "context"
            if len(value) >= 7 and re.search("QQ|qq|[Qq]群", text[max(0, match.start() - 40) : match.start()])
            else ""
        )
    return "context" if len(value) >= 7 else ""


def wechat(text: str, match: Found) -> str:
    """Right behind its name; an account of letters only needs a sign (：, 号, 是) between."""
    value, name = match["value"], text[match.start() : match.start("value")]
    if value.lower() in PRODUCTS:
        return ""
    said = any(
        sign in name for sign in ("号", "號", ":", "：", "=", "ID", "id", "是", "为", "為")
    ) and not name.startswith("加")
    return "context" if said or not value.isalpha() else ""


def alipay(text: str, match: Found) -> str:
    """An account name behind 支付宝."""
    return "" if match["value"].lower() in PRODUCTS else "context"
