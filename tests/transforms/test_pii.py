from __future__ import annotations

import random

import polars as pl
import pytest

from tasks.transforms import pii
from tasks.transforms.check_digits import (
    hong_kong_id_is_valid,
    old_resident_id_is_valid,
    resident_id_is_valid,
    taiwan_id_is_valid,
)
from tasks.transforms.pii import canonical, find, found_in, left_kinds, redacted

WEIGHTS = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2]


def resident_id(seed: int, area: str = "310104", born: str = "19870615") -> str:
    body = f"{area}{born}{random.Random(seed).randrange(1000):03d}"
    return body + "10X98765432"[sum(int(d) * w for d, w in zip(body, WEIGHTS, strict=True)) % 11]


def bank_card(seed: int) -> str:
    body = "622202" + "".join(random.Random(seed).choices("0123456789", k=12))
    total = sum(sum(divmod(int(d) * (2 - i % 2), 10)) for i, d in enumerate(reversed(body)))
    return body + str(-total % 10)


def credit_code(body: str = "91350211M000100Y4") -> str:
    """GB 32100-2015: weights 3^i modulo 31."""
    alphabet = "0123456789ABCDEFGHJKLMNPQRTUWXY"
    total = sum(alphabet.index(c) * pow(3, i, 31) for i, c in enumerate(body))
    return body + alphabet[-total % 31]


def wide(text: str) -> str:
    return "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in text)


ID, CARD, CODE = resident_id(1), bank_card(2), credit_code()
HELD = [
    (f"身份证号{ID}。", "CN_ID", ID),
    (f"见附件{ID}的用户", "CN_ID", ID),
    (f"证件 {ID[:6]} {ID[6:14]} {ID[14:]}，", "CN_ID", f"{ID[:6]} {ID[6:14]} {ID[14:]}"),
    (f"身份证{wide(ID)}", "CN_ID", wide(ID)),
    ("老身份证310104870615123（十五位）", "CN_ID", "310104870615123"),
    (f"统一社会信用代码：{CODE}。", "USCC", CODE),
    (f"卡号{CARD}。", "BANK", CARD),
    (f"转到{CARD[:4]} {CARD[4:8]} {CARD[8:12]} {CARD[12:16]} {CARD[16:]}", "BANK", None),
    ("手机13812345609联系", "MOBILE", "13812345609"),
    ("电话：+86 138-1234-5609", "MOBILE", "+86 138-1234-5609"),
    ("致电１３８１２３４５６０９", "MOBILE", "１３８１２３４５６０９"),
    ("座机010-62345678", "LANDLINE", "010-62345678"),
    ("传真（0571）87654321", "LANDLINE", "（0571）87654321"),
    ("护照号E12345678", "PASSPORT", "E12345678"),
    ("车牌京A12345违停", "PLATE", "京A12345"),
    ("新能源车粤BD12345", "PLATE", "粤BD12345"),
    ("邮箱zhang.san@example.com.cn，", "EMAIL", "zhang.san@example.com.cn"),
    ("加QQ：823456719", "QQ", "823456719"),
    ("微信号：zhang_san88，备注", "WECHAT", "zhang_san88"),
    ("来自114.114.114.114的访问", "IP", "114.114.114.114"),
    ("链接https://a.cn/x?id=3&token=9f8e7d6c5b4a失效", "SECRET_URL", "https://a.cn/x?id=3&token=9f8e7d6c5b4a"),
    ("坐标116.397128, 39.916527处", "GEO", "116.397128, 39.916527"),
    ("香港身份證A123456(3)", "REGION_ID", "A123456(3)"),
    ("支付宝账号：lihua_2020，", "ALIPAY", "lihua_2020"),
    ("来自2408:8207:6041:2643::1的访问", "IP", "2408:8207:6041:2643::1"),
    ("护照号码或港澳通行证C12345678", "PASSPORT", "C12345678"),
]
INNOCENT = [
    "订单号13812345609已发货", "π=3.13812345609", "编号" + ID[:-1] + "0123456789".replace(ID[-1], "")[0], "序列号" + ID + "A",
    "卡号" + CARD[:-1] + str((int(CARD[-1]) + 1) % 10), "流水号" + CARD, "日期2026-11-22", "ISBN 978-7-302-51234-5",
    "零件G12345678", "京广线与川A股", "阅读823456719次", "微信小程序与 Android 客户端", "@用户名 和 x@2x.png", "版本1.2.3.4",
    "服务器192.168.1.1与127.0.0.1", "https://a.cn/x?page=2&id=33", "数值3.1415926, 2.7182818", "手机13800000000", "12012345678",
]  # fmt: skip


@pytest.mark.parametrize(("text", "kind", "value"), HELD)
def test_found(text: str, kind: str, value: str | None) -> None:
    spans = find(text)
    assert [s.kind for s in spans] == [kind]
    if value:
        assert text[spans[0].start : spans[0].end] == value


@pytest.mark.parametrize("text", INNOCENT)
def test_not_found(text: str) -> None:
    assert find(text) == []


def test_a_column_gives_what_its_texts_give() -> None:
    texts = [text for text, _, _ in HELD] + [
        None,
        "",
        "没有数字的一句话，2026年11月22日，编号12345。",
        "一\0" + HELD[0][0],
        "二\n\n" + HELD[8][0] + "\n三",
    ]
    found = dict(found_in(pl.Series(texts)))
    assert found == {row: spans for row, text in enumerate(texts) if text and (spans := find(text))}
    assert set(range(len(HELD))) < set(found)
    assert [texts[-1][s.start : s.end] for s in found[len(texts) - 1]] == [HELD[8][2]]
    assert list(found_in(pl.Series(texts), ())) == []


def test_ids_of_merged_districts_are_valid() -> None:
    """python-stdnum refuses these: the code was valid when the card was issued, not when its holder was born."""
    assert all(
        resident_id_is_valid(resident_id(i, area, born))
        for i, (area, born) in enumerate([("110103", "19520304"), ("500234", "19681130")])
    )
    assert not resident_id_is_valid(resident_id(1, born="19871315"))
    assert not resident_id_is_valid(resident_id(1, area="990104"))
    assert not resident_id_is_valid(resident_id(1, born="21990101"))


def test_ids_abroad_carry_a_check() -> None:
    """Published examples of both algorithms, and a wrong digit."""
    assert hong_kong_id_is_valid("A1234563")
    assert hong_kong_id_is_valid("G123456A")
    assert hong_kong_id_is_valid("AB9876543")
    assert not hong_kong_id_is_valid("A1234564")
    assert taiwan_id_is_valid("A123456789")
    assert not taiwan_id_is_valid("A123456788")
    assert old_resident_id_is_valid("110105491231002")
    assert not old_resident_id_is_valid("110105491331002")
    assert not old_resident_id_is_valid("990105491231002")


def tagged(texts: list[str]) -> tuple[list[str], dict[str, int]]:
    column, counts = redacted(pl.Series(texts), pii.KINDS, lambda kind, _: f"<{kind}>")
    return column.to_list(), {kind: by_row.total() for kind, by_row in counts.items() if by_row}


def test_every_replacement_is_idempotent_and_counted() -> None:
    once, counts = tagged(["；".join(t for t, _, _ in HELD)])
    assert sum(counts.values()) == once[0].count("<")
    assert set(counts) == set(pii.KINDS)
    assert tagged(once) == (once, {})


def test_what_a_replacement_brings_near_is_found() -> None:
    """The word for a card stands too far away until the first card is gone."""
    first = f"{CARD[:4]} {CARD[4:8]} {CARD[8:12]} {CARD[12:16]} {CARD[16:]}"
    other = bank_card(3)
    text = f"卡号：{first}；备用：{other[:6]} {other[6:]}。"
    assert tagged([text]) == (["卡号：<BANK>；备用：<BANK>。"], {"BANK": 2})


def test_one_spelling_for_one_value() -> None:
    assert canonical("MOBILE", "+86 138-1234-5609") == canonical("MOBILE", "一三八一二三四五六零九") == "13812345609"
    assert canonical("EMAIL", "Li.Hua (at) example.com") == canonical("EMAIL", "li.hua＠example.com")
    assert canonical("CN_ID", wide(ID[:6] + "\n" + ID[6:])) == ID


def test_pseudonyms_are_no_personal_data() -> None:
    text = "微信：<WECHAT:abcdefghijkl> QQ：<QQ:ponmlkjihgfe> 电话<MOBILE:aaaabbbbcccc>"
    assert find(text) == []


def test_left_names_what_a_checksum_proves() -> None:
    texts = [f"身份证{ID}，卡号{CARD}，电话13812345609", "身份证<CN_ID>，电话13812345609", None, "无"]
    assert left_kinds(pl.Series(texts)).to_list() == [["BANK", "CN_ID"], [], [], []]
