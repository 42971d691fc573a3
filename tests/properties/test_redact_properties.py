"""Laws of redact: what it leaves alone, what its placeholders are, and the check digits against an independent oracle."""

from __future__ import annotations

import datetime as dt

import polars as pl
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from stdnum.iso7064 import mod_11_2

from data_contracts.stages import RedactConfig
from tasks import redact
from tasks.transforms import pii
from tasks.transforms.check_digits import PROVINCES, resident_id_is_valid

quick = settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow])
# Pieces that meet each other in every order: halves of numbers, names without accounts, separators, placeholders.
PIECES = st.sampled_from([
    "电话：", "手机", "身份证号", "银行卡", "护照", "微信号：", "QQ：", "支付宝账号：", "订单号", "坐标", "邮箱", "港澳", "第", "元", "。", "，",
    "138", "1381", "12345609", "13812345609", "010-", "62345678", "0571", "310104", "19870615", "1370", "310104198706151370", "X", "G",
    "6222021234567890123", "6222 0212 3456 7890", "A123456(3)", "E12345678", "京A12345", "粤B", "a.b", "@example.com", "@", "zhang", "wxid_abc12345",
    "116.397128", "39.916527", "8.8.8.8", "2408:8207::1", "https://a.cn/x?token=abcdef123", "&token=", "http://", "一三八零零一二三四五六", "１３８１２３４５６０９",
    "+86", " ", "-", "/", "、", "\n", "(", ")", "<", ">", "<MOBILE>", "<WECHAT:abcdefghijkl>", "<QQ:aaaabbbbcccc>", "\0", "\1",
])  # fmt: skip
texts = st.lists(PIECES, max_size=14).map("".join)
plain = st.text("的是在不了有和人这中大为上个，。！？、；：（）《》 \n春眠不觉晓abcXYZ", max_size=60)


def tagged(values: list[str]) -> pl.DataFrame:
    frame = pl.DataFrame(
        {"doc_id": [str(i) for i in range(len(values))], "text": values}, schema_overrides={"text": pl.String}
    )
    return redact.mark(frame.lazy(), RedactConfig()).collect()


@settings(quick, max_examples=25)
@given(st.lists(texts, min_size=1, max_size=24))
def test_redacting_twice_changes_nothing(values: list[str]) -> None:
    once = tagged(values)
    again = tagged(once["text"].to_list())
    assert again["text"].to_list() == once["text"].to_list()
    assert again["count_redacted"].sum() == 0


@quick
@given(st.lists(texts, max_size=16), st.lists(plain, max_size=16))
def test_a_text_is_what_it_was_but_for_its_pieces(values: list[str], others: list[str]) -> None:
    """Outside of what was found nothing changes, rows keep their order, and text without candidates is untouched."""
    column = pl.Series(values + others, dtype=pl.String())
    found = dict(pii.found_in(column))
    assert all(row < len(values) for row in found)
    for row, spans in found.items():
        text, ends = column[row], [0]
        for span in spans:
            assert ends[-1] <= span.start < span.end <= len(text)
            ends.append(span.end)
    out = tagged(column.to_list())
    assert out["doc_id"].to_list() == [str(i) for i in range(len(column))]
    assert out["text"][len(values) :].to_list() == others
    assert all(out["text"][row] == text for row, text in enumerate(values) if row not in found)


@quick
@given(st.lists(texts, min_size=1, max_size=6))
def test_a_text_gives_the_same_alone_and_among_others(values: list[str]) -> None:
    found = dict(pii.found_in(pl.Series(values)))
    assert [pii.find(text) for text in values] == [found.get(row, []) for row in range(len(values))]


@quick
@given(st.text("abcdefghijklmnop", min_size=12, max_size=12), st.lists(st.tuples(texts, texts), min_size=1, max_size=4))
def test_a_placeholder_is_no_personal_data(name: str, around: list[tuple[str, str]]) -> None:
    tags = [tag for kind in pii.KINDS for tag in (f"<{kind}>", f"<{kind}:{name}>")]
    cases = [(before, tag, f"{before}。{tag}。{behind}") for before, behind in around for tag in tags]
    found = dict(pii.found_in(pl.Series([text for _, _, text in cases])))
    for row, spans in found.items():
        before, tag, _ = cases[row]
        first, last = len(before) + 1, len(before) + 1 + len(tag)
        assert not any(span.start < last and first < span.end for span in spans)


@given(
    st.sampled_from(sorted(PROVINCES | {"00", "16", "99"})), st.integers(0, 9999), st.integers(1881, 2099),
    st.integers(0, 13), st.integers(0, 32), st.integers(0, 999), st.sampled_from("0123456789X"),
)  # fmt: skip
def test_resident_ids_against_another_implementation(
    province: str, area: int, year: int, month: int, day: int, order: int, check: str
) -> None:
    number = f"{province}{area:04d}{year}{month:02d}{day:02d}{order:03d}{check}"
    try:
        dt.date(year, month, day)
        real = True
    except ValueError:
        real = False
    assert resident_id_is_valid(number) == (real and province in PROVINCES and mod_11_2.is_valid(number))
    valid = number[:-1] + mod_11_2.calc_check_digit(number[:-1])
    assert resident_id_is_valid(valid) == (real and province in PROVINCES)
