r"""个人信息的形状 pii_patterns: what each kind of personal data looks like, and the words that stand near it.

Boundaries are ASCII on purpose: a Han character counts as a word character, so `\b` would miss
「手机13812345678联系」, and `\d` would take digits of every script. Every pattern is matched on text whose full-width
letters and digits were folded one to one, so that offsets stay valid.

The order of PATTERNS is the order of precedence: what an earlier kind took, a later one leaves alone.
"""

from __future__ import annotations

import re

_NOT_BEFORE = r"(?<![0-9A-Za-z])"
_NOT_BEFORE_DOTTED = r"(?<![0-9A-Za-z.\-_/])"
_NOT_AFTER = r"(?![0-9A-Za-z])"
_NOT_AFTER_DOTTED = r"(?![0-9A-Za-z]|[.\-_/][0-9A-Za-z])"
_NOT_AFTER_NUMBER = r"(?![0-9A-Za-z]|[.\-_][0-9])"
_YEAR = r"(?:18|19|20)[0-9]{2}"
_MONTH_DAY = r"(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])"
_CODE = "[0-9A-HJ-NPQRTUWXY]"  # GB 32100-2015 leaves out I, O, S, V, Z
_PROVINCE = "京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼"
_PLATE_LETTER = "[A-HJ-NP-Z]"
_SECRET = r"(?:access_?token|token|api_?key|secret|sign(?:ature)?|password|passwd|pwd|auth|session_?id|jwt)"
_LONGITUDE, _LATITUDE = r"(?:1[0-3][0-9]|[7-9][0-9])\.[0-9]{4,}", r"[1-5]?[0-9]\.[0-9]{4,}"
_BETWEEN = r"°?\s*[,，]\s*"

PATTERNS: dict[str, re.Pattern[str]] = {
    # a query parameter that lets its holder in
    "SECRET_URL": re.compile(rf"https?://[^\s\"'<>，。；）]*[?&]{_SECRET}=[A-Za-z0-9._~+/%=:-]{{6,}}", re.I),
    "EMAIL": re.compile(
        r"(?<![A-Za-z0-9._%+\-])[A-Za-z0-9._%+\-]{1,64}"
        r"@(?:[A-Za-z0-9][A-Za-z0-9\-]{0,62}\.){1,4}[A-Za-z]{2,18}(?![A-Za-z0-9])"
    ),
    # GB 11643-1999: area, birth date, sequence, check character
    "CN_ID": re.compile(rf"{_NOT_BEFORE}[1-9][0-9]{{5}}[ -]?{_YEAR}{_MONTH_DAY}[ -]?[0-9]{{3}}[0-9Xx]{_NOT_AFTER}"),
    # GB 32100-2015: unified social credit code
    "USCC": re.compile(rf"{_NOT_BEFORE}{_CODE}{{2}}[0-9]{{6}}{_CODE}{{10}}{_NOT_AFTER}"),
    # ISO/IEC 7812: UnionPay 62, Visa 4, Mastercard 51-55 and 22-27, Amex 34 37, JCB 35, older Chinese debit cards 9558
    "BANK": re.compile(
        rf"{_NOT_BEFORE_DOTTED}(?:62[0-9]{{2}}|4[0-9]{{3}}|5[1-5][0-9]{{2}}|3[47][0-9]{{2}}|35(?:2[89]|[3-8][0-9])|9558"
        rf"|2[2-7][0-9]{{2}})(?:[ -]?[0-9]{{4}}){{2}}[ -]?[0-9]{{3,4}}(?:[ -]?[0-9]{{1,3}})?{_NOT_AFTER_NUMBER}"
    ),
    # ids of fifteen digits, issued until 1999
    "CN_ID15": re.compile(rf"{_NOT_BEFORE}[1-9][0-9]{{7}}{_MONTH_DAY}[0-9]{{3}}{_NOT_AFTER}"),
    # number ranges of the mobile operators as assigned in 2026
    "MOBILE": re.compile(
        r"(?<![0-9A-Za-z.\-_])(?:(?:\+|00)?86[- ]?)?1(?:3[0-9]|4[5-9]|5[0-35-9]|6[2567]|7[0-8]|8[0-9]|9[0-35-9])"
        rf"[- ]?[0-9]{{4}}[- ]?[0-9]{{4}}{_NOT_AFTER_NUMBER}"
    ),
    "LANDLINE": re.compile(
        rf"{_NOT_BEFORE_DOTTED}(?:\+86[- ]?)?(?:\(0[0-9]{{2,3}}\)|（0[0-9]{{2,3}}）|0[0-9]{{2,3}}[- ])[2-8][0-9]{{6,7}}"
        rf"(?:[-转][0-9]{{1,6}})?{_NOT_AFTER_DOTTED}"
    ),
    "PASSPORT": re.compile(
        rf"{_NOT_BEFORE}(?:E[0-9A-HJ-NP-Z][0-9]{{7}}|[EGDSPH][0-9]{{8}}|[CHM][0-9]{{8}}){_NOT_AFTER}"
    ),
    # GA 36-2018, with the new-energy forms of six characters
    "PLATE": re.compile(
        rf"[{_PROVINCE}]{_PLATE_LETTER}[·• ]?(?:"
        rf"[A-HJ-NP-Z0-9]{{4}}[A-HJ-NP-Z0-9挂学警港澳]|[DF][A-HJ-NP-Z0-9][0-9]{{4}}"
        rf"|[0-9]{{5}}[DF]){_NOT_AFTER}"
    ),
    "IP": re.compile(r"(?<![0-9A-Za-z.\-])(?:[0-9]{1,3}\.){3}[0-9]{1,3}(?![0-9A-Za-z]|\.[0-9])"),
    # four decimals are about ten metres; longitude and latitude of China in either order
    "GEO": re.compile(
        rf"(?<![0-9.\-])(?:{_LONGITUDE}{_BETWEEN}{_LATITUDE}|{_LATITUDE}{_BETWEEN}{_LONGITUDE})(?![0-9])"
    ),
    # an account is one only right behind its name; the group is the account
    "QQ": re.compile(r"(?:QQ|扣扣|企鹅)(?:号|群|：|:|\s){0,6}(?P<value>[1-9][0-9]{4,10})(?![0-9A-Za-z]|\.[0-9])", re.I),
    "WECHAT": re.compile(
        r"(?:微信|威信|薇信|wechat|vx|wx)(?:号|ID|：|:|\s|是|为){0,6}"
        r"(?<![A-Za-z0-9])(?P<value>[A-Za-z][A-Za-z0-9_\-]{5,19})(?![A-Za-z0-9_])",
        re.I,
    ),
}

# Words near a match that speak for it (or, for `reference`, against it).
CONTEXTS: dict[str, re.Pattern[str]] = {
    "identity": re.compile(r"身份证|身份證|身份號|證件|证件|公民身份|ID\s*(?:card|no)", re.I),
    "phone": re.compile(
        r"电话|電話|手机|手機|联系|聯繫|致电|拨打|热线|座机|传真|号码|tel|phone|mobile|fax|微信同号", re.I
    ),
    "bank": re.compile(r"银行|銀行|卡号|账号|账户|帐号|收款|开户|汇款|信用卡|储蓄卡|card", re.I),
    "reference": re.compile(
        r"订单|單號|单号|流水|编号|编码|货号|ISBN|ISSN|版本|version|序列号|SN|发票|运单|快递|型号|批号|统计|DOI|条码|期刊",
        re.I,
    ),
    "credit code": re.compile(r"信用代码|税号|纳税|執照|执照"),
    "passport": re.compile(r"护照|護照|passport|通行证", re.I),
    "plate": re.compile(r"车牌|牌照|车辆|号牌|驾驶|车主|肇事|轿车|停车"),
    "version": re.compile(r"版本|version|v\.?$|Firefox|Chrome|固件", re.I),
}

FILE_ENDINGS = frozenset((
    "png", "jpg", "jpeg", "gif", "webp", "svg", "css", "js", "py", "html", "htm", "php", "txt", "zip", "gz", "tar",
    "deb", "rpm", "exe", "so", "log", "md",
))  # fmt: skip
PRODUCTS = frozenset(("wechat", "android", "iphone", "windows", "weixin"))  # follow 微信 and are no account
MADE_UP = re.compile(r"([0-9])\1{7,}|0123456|1234567890|12345678$")  # numbers that nobody owns
PROVINCES = frozenset((
    "11", "12", "13", "14", "15", "21", "22", "23", "31", "32", "33", "34", "35", "36", "37", "41", "42", "43",
    "44", "45", "46", "50", "51", "52", "53", "54", "61", "62", "63", "64", "65", "71", "81", "82", "83", "91",
))  # fmt: skip
USCC_HEADS = frozenset((
    "11", "12", "13", "19", "21", "29", "31", "32", "33", "34", "35", "39", "41", "49", "51", "52", "53", "54",
    "55", "59", "61", "62", "69", "71", "72", "79", "81", "89", "91", "92", "93", "A1", "A9", "N1", "N2", "N3",
    "N9", "Y1",
))  # fmt: skip

# What a text must hold for a kind to occur at all, for Rust regexes (no look-around): nearly as strict as PATTERNS, so
# that a text full of dates and counts never reaches Python. Full-width digits, letters and dashes count as folded.
_D = "[0-9\uff10-\uff19]"
_L = "[0-9A-Za-z\uff10-\uff19\uff21-\uff3a\uff41-\uff5a]"
_SEP = "[ \\-\uff0d\u2010\u2011\u2013\u2014\u3000\u00a0]"
_WX = "(?i:wechat|vx|wx|\uff57\uff45\uff43\uff48\uff41\uff54|\uff56\uff58|\uff57\uff58)"
CORES: dict[str, str] = {
    "SECRET_URL": rf"[?&](?i:{_SECRET})=",
    "EMAIL": rf"{_L}[@\uff20]{_L}|[._%+\-][@\uff20]{_L}",
    "CN_ID": rf"{_D}{{6}}{_SEP}?{_D}{{8}}{_SEP}?{_D}{{3}}|{_D}{{15}}",
    "USCC": rf"{_L}{{2}}{_D}{{6}}{_L}{{10}}",
    "BANK": rf"{_D}{{4}}(?:{_SEP}?{_D}{{4}}){{2}}{_SEP}?{_D}{{3}}",
    "MOBILE": rf"[1\uff11][3-9\uff13-\uff19]{_D}{_SEP}?{_D}{{4}}{_SEP}?{_D}{{4}}",
    "LANDLINE": rf"[0\uff10]{_D}{{2,3}}(?:[)）]|{_SEP}){_D}{{7}}",
    "PASSPORT": rf"{_L}{{2}}{_D}{{7}}",
    "PLATE": rf"[{_PROVINCE}][A-Z\uff21-\uff3a][·• \u3000\u00a0]?{_L}{{4}}",
    "IP": rf"{_D}\.{_D}{{1,3}}\.{_D}{{1,3}}\.{_D}",
    "GEO": rf"{_D}\.{_D}{{4,}}{_BETWEEN}{_D}",
    "QQ": rf"(?:[Qq\uff31\uff51]{{2}}|扣扣|企鹅)(?:号|群|：|:|\s)*{_D}{{5}}",
    "WECHAT": rf"(?:微信|威信|薇信|{_WX})(?:号|(?i:ID|\uff29\uff24)|：|:|\s|是|为)*{_L}",
}
