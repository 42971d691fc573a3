r"""个人信息的样式 pii_patterns: what each kind of personal data looks like, and nothing around it.

Boundaries are ASCII on purpose: a Han character counts as a word character, so `\b` would miss
「手机13812345678联系」, and `\d` would take digits of every script. Every pattern is matched on text whose full-width
letters and digits were folded one to one, so that offsets stay valid.
"""

from __future__ import annotations

import re

JOINT = " \\-\u00a0\u00b7\u2010-\u2014\u3000"  # body of a class: what joins the groups of a number
_J = f"[{JOINT}]"
_NO_WORD_BEFORE = r"(?<![0-9A-Za-z])"
_NO_NUMBER_BEFORE = r"(?<![0-9A-Za-z.])(?<![0-9A-Za-z][\-_])(?<![A-Za-z]/)"
_NOT_AFTER = r"(?![0-9A-Za-z])"
_NO_NUMBER_AFTER = r"(?![0-9A-Za-z]|[.\-_][0-9])"
# a second number may follow a stroke, as in 0539-7934292/6692720
_NO_PHONE_AFTER = r"(?![0-9A-Za-z]|[.\-_][0-9A-Za-z]|/(?![2-8][0-9]{6,7}(?![0-9]))[0-9A-Za-z])"
_CODE = "[0-9A-HJ-NPQRTUWXY]"  # GB 32100-2015 leaves out I, O, S, V, Z
PROVINCE = "京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼"
_PLATE_LETTER = "[A-HJ-NP-Z]"
NUMERAL = "[〇零一二三四五六七八九幺壹贰叁肆伍陆柒捌玖]"
SECRETS = (  # parameters that let the holder of a link in
    "access_token", "accesstoken", "refresh_token", "refreshtoken", "id_token", "idtoken", "auth_token", "authtoken",
    "token", "api_key", "apikey", "app_key", "appkey", "app_secret", "appsecret", "client_secret", "clientsecret",
    "secret", "secret_key", "secretkey", "x-amz-signature", "x-amz-credential", "x-amz-security-token", "sign",
    "signature", "sig", "password", "passwd", "pwd", "auth", "session_id", "sessionid", "sid", "jsessionid",
    "phpsessid", "jwt", "ticket",
)  # fmt: skip
_IN_LINK = r"[!#-;=?-_a-~]"  # printable ASCII without quotes and angle brackets
_CHINA = rf"(?:(?:\+|00)86{_J}{{0,2}}|[(（]\+?86[)）]{_J}?|86{_J})"
_AREA = "(?:10|2[0-9]|[3-9][0-9]{2})"  # codes of China's areas without their 0
_LOCAL = rf"[2-8][0-9]{{2,3}}{_J}?[0-9]{{4}}"
_EXTENSION = r"(?:-[0-9]{1,6}|\s?转\s?[0-9]{1,6})?"
_DECIMAL = r"[0-9]{1,3}\.[0-9]{4,}"
_ARC = r"[0-9]{1,3}\s?[°度]\s?[0-9]{1,2}\s?[′'’分]\s?[0-9]{1,2}(?:\.[0-9]+)?\s?(?:[″\"”秒]|′′|''|’’)"
AT = r"(?:@|\s?[\[(（【]\s?(?:at|AT|@)\s?[\])）】]\s?|艾特)"

_OPERATOR = "1(?:3[0-9]|4[5-9]|5[0-35-9]|6[2567]|7[0-8]|8[0-9]|9[0-35-9])"  # ranges as assigned in 2026
# between a name and its value
_PERSON = r"(?:号码?|號碼?|群号?|ID|id|Id|账号|帐号|賬號|是|为|為|加|搜|上|的|多少|[:：=?？\s—\-（(“\"])"
_WECHAT = r"(?:[微薇威维維]信|(?<![A-Za-z0-9])(?:[Ww]e[Cc]hat|WECHAT|[Ww]eixin|[VvWw][Xx]|[Vv]信))"

SECRET_URL = re.compile(rf"(?<![A-Za-z])[A-Za-z][A-Za-z0-9+.\-]{{1,15}}://{_IN_LINK}{{0,2000}}(?<![.,;:!?)\]}}])")
SECRET_VALUE = re.compile(rf"[?&#;](?:{'|'.join(SECRETS)})=(?P<value>[A-Za-z0-9._~+/%:@!*\-]{{6,}})", re.I)
LOGIN = re.compile(r"://[^\s/@:]{0,64}:[^\s/@]{1,64}@[A-Za-z0-9]")  # user:password@host
EMAIL = re.compile(
    rf"(?<![A-Za-z0-9._%+\-])[A-Za-z0-9._%+\-]{{1,64}} ?{AT} ?"
    r"(?P<host>(?:[A-Za-z0-9][A-Za-z0-9\-]{0,62}\.){1,4}[A-Za-z]{2,18})(?![A-Za-z0-9])"
)
# GB 11643-1999: area, birth date (of three centuries), sequence, check character
CN_ID = re.compile(
    r"(?<![0-9])(?<![0-9]\.)[1-9](?:[ \-\n]?[0-9]){5}[ \-\n]?(?:1[ \-\n]?[89]|2[ \-\n]?0)"
    r"(?:[ \-\n]?[0-9]){9}[ \-\n]?[0-9Xx](?![0-9A-Za-z])"
)
CN_ID_GROUPS = re.compile(
    r"[0-9]{6}[ -]?(?:18|19|20)[0-9]{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])[ -]?[0-9]{3}[0-9Xx]"
)
# ids of fifteen digits, issued until 1999
CN_ID15 = re.compile(rf"{_NO_WORD_BEFORE}[1-9][0-9]{{14}}{_NOT_AFTER}")
# GB 32100-2015: unified social credit code
USCC = re.compile(rf"{_NO_WORD_BEFORE}{_CODE}{{2}}[0-9]{{6}}{_CODE}{{10}}{_NOT_AFTER}")
# ISO/IEC 7812: what begins as a card of UnionPay, Visa, Mastercard, Amex, JCB, or an older Chinese debit card
BANK = re.compile(rf"{_NO_NUMBER_BEFORE}[2-69](?:[ \-\n]?[0-9]){{14,18}}{_NO_NUMBER_AFTER}")
BANK_GROUPS = re.compile(
    r"[0-9]{4}(?P<joint>[ -]?)[0-9]{4}(?P=joint)[0-9]{4}(?P=joint)[0-9]{3,4}(?:(?P=joint)[0-9]{1,3})?"
)
# (head, sizes) of cards
CARDS = (
    (re.compile("62"), range(16, 20)),
    (re.compile("4|5[1-5]|35(?:2[89]|[3-8])|2(?:2[2-9]|[3-6]|7[01])"), range(16, 17)),
    (re.compile("3[47]"), range(15, 16)), (re.compile("9558"), range(19, 20)),
)  # fmt: skip
ALIPAY_ID = re.compile(rf"{_NO_NUMBER_BEFORE}2088[0-9]{{12}}{_NO_NUMBER_AFTER}")
MOBILE = re.compile(
    rf"{_NO_NUMBER_BEFORE}{_CHINA}?(?P<body>{_OPERATOR}(?:[{JOINT}./\n]{{0,2}}[0-9]){{8}}){_NO_NUMBER_AFTER}"
)
MOBILE_GROUPS = re.compile(rf"[0-9]{{3}}{_J}?[0-9]{{4}}{_J}?[0-9]{{4}}")
MOBILE_HAN = re.compile(
    rf"(?<!{NUMERAL})[一幺壹][三四五六七八九叁肆伍陆柒捌玖]{NUMERAL}{{9}}(?!{NUMERAL}|[十百千万亿年])"
)
MOBILE_HONG_KONG = re.compile(
    rf"{_NO_NUMBER_BEFORE}(?:(?:(?:\+|00)852|[(（]\+?852[)）]){_J}{{0,2}}[4-9]|(?:(?:\+|00)853|[(（]\+?853[)）]){_J}{{0,2}}6)"
    rf"[0-9]{{3}}{_J}?[0-9]{{4}}{_NO_PHONE_AFTER}"
)
MOBILE_TAIWAN = re.compile(
    rf"{_NO_NUMBER_BEFORE}(?:(?:(?:\+|00)886|[(（]\+?886[)）]){_J}{{0,2}}0?|0)9[0-9]{{2}}{_J}?[0-9]{{3}}{_J}?[0-9]{{3}}{_NO_PHONE_AFTER}"
)
LANDLINE = re.compile(
    rf"{_NO_NUMBER_BEFORE}(?:{_CHINA}(?:[(（]0?{_AREA}[)）]|0?{_AREA})|[(（]0{_AREA}[)）]|0{_AREA})"
    rf"{_J}{{0,3}}{_LOCAL}{_EXTENSION}{_NO_PHONE_AFTER}"
)
LANDLINE_ABROAD = re.compile(  # Hong Kong, Macau, Taiwan
    rf"{_NO_NUMBER_BEFORE}(?:(?:(?:\+|00)852|[(（]\+?852[)）]){_J}{{0,2}}[23][0-9]{{3}}|(?:(?:\+|00)853|[(（]\+?853[)）])"
    rf"{_J}{{0,2}}[28][0-9]{{3}}|(?:(?:(?:\+|00)886|[(（]\+?886[)）]){_J}{{0,2}}[(（]?0?[2-8][)）]?|[(（]0[2-8][)）]|0[2-8]-)"
    rf"{_J}?[0-9]{{3,4}}){_J}?[0-9]{{4}}{_NO_PHONE_AFTER}"
)
LANDLINE_LOCAL = re.compile(rf"(?<![0-9A-Za-z.\-]){_LOCAL}{_NO_PHONE_AFTER}")
REGION_ID = re.compile(
    rf"{_NO_WORD_BEFORE}(?:(?P<hong_kong>[A-Z]{{1,2}}[0-9]{{6}}(?:[(（][0-9A][)）]|[0-9A]))|(?P<taiwan>[A-Z][1289][0-9]{{8}})){_NOT_AFTER}"
)
REGION_ID_MACAU = re.compile(
    rf"{_NO_NUMBER_BEFORE}(?:[1578]/[0-9]{{6}}/[0-9]|[1578][0-9]{{6}}[(（][0-9][)）]){_NOT_AFTER}"
)
# passports (E, EA..EZ, G; D, S, P of officials) and permits: 港澳 C W, 台湾 L T, 回乡证 H M, 台胞证 of eight digits
PASSPORT = re.compile(
    rf"{_NO_WORD_BEFORE}(?:[ECW][A-HJ-NP-Z][0-9]{{7}}|[DSP]E[0-9]{{7}}|[EGDSPHCMWLT][0-9]{{8}}|[HM][0-9]{{10}}){_NOT_AFTER}"
)
PASSPORT_TAIWAN = re.compile(rf"{_NO_NUMBER_BEFORE}[0-9]{{8}}{_NO_NUMBER_AFTER}")
# GA 36-2018, with the new-energy forms of six characters
PLATE = re.compile(
    rf"[{PROVINCE}][A-HJ-NP-Za-hj-np-z][{JOINT}•]?(?:[A-HJ-NP-Z0-9]{{4}}[A-HJ-NP-Z0-9挂学警港澳领试]|[DF][A-HJ-NP-Z0-9][0-9]{{4}}"
    rf"|[0-9]{{5}}[DF]){_NOT_AFTER}(?![次路栋号室])"
)
IP = re.compile(r"(?<![0-9A-Za-z.\-])(?:[0-9]{1,3}\.){3}[0-9]{1,3}(?![0-9A-Za-z]|\.[0-9]|/[0-9])")
IP6 = re.compile(r"(?<![0-9A-Za-z:.])[23][0-9A-Fa-f]{3}:[0-9A-Fa-f:]{2,34}(?![0-9A-Za-z:./])")
# four decimals are about ten metres
GEO = re.compile(
    rf"(?<![0-9.\-])(?P<one>{_DECIMAL})(?P<between>[^0-9。\n]{{1,16}})(?P<two>{_DECIMAL})"
    r"(?![0-9])(?:\s?[°度](?:\s?[NSEWnsew](?![A-Za-z]))?)?"
)
GEO_BETWEEN = re.compile(
    r"[\s,，、;；°度NSEWnsew'\":：=()（）\[\]{}_经纬經緯东西南北東]*(?:[A-Za-z]{1,10}[\s,，、;；°度'\":：=()]*)?"
)
GEO_ARC = re.compile(rf"{_ARC}[^0-9。\n]{{0,8}}{_ARC}(?:\s?[NSEWnsew](?![A-Za-z]))?")
# an account is one only right behind its name; the group is the account
QQ = re.compile(
    rf"(?:(?:QQ|[Qq]q|扣扣|企鹅){_PERSON}{{0,8}}|(?<![A-Za-z0-9])[Qq](?:群|号|[:：\s]){{1,3}}|加[Qq]\s?|[二三四五新]群[:：\s]{{0,2}}|扣\s?)"
    r"(?P<value>[1-9][0-9]{4,10})(?![0-9A-Za-z]|\.[0-9])"
)
WECHAT = re.compile(
    rf"(?:{_WECHAT}{_PERSON}{{0,8}}|加(?:微|卫星|[Vv])信?[:：\s]{{0,3}}|(?<![A-Za-z0-9])(?=wxid_))"
    r"(?<![A-Za-z0-9])(?P<value>[A-Za-z][A-Za-z0-9_\-]{5,19})(?![A-Za-z0-9_])"
)
ALIPAY = re.compile(
    r"(?:支付[宝寶]|[Aa]lipay|ALIPAY)\s?(?:账号|帐号|賬號|账户|帐户|号|ID|是|为|[:：=]){1,3}\s?"
    r"(?P<value>[A-Za-z][A-Za-z0-9_.\-]{4,29})(?![A-Za-z0-9_@＠])"
)
