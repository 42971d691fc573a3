"""Every Chinese encoding, with a right, a wrong and a missing label; and what must not be taken for one."""

from __future__ import annotations

import random

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.transforms.decode import declared_charset, decode

SIMPLE = (
    "大学之道，在明明德，在亲民，在止于至善。知止而后有定，定而后能静，静而后能安，安而后能虑，虑而后能得。"
    "物有本末，事有终始，知所先后，则近道矣。古之欲明明德于天下者，先治其国；欲治其国者，先齐其家。"
)
TRADITIONAL = (
    "學而時習之，不亦說乎？有朋自遠方來，不亦樂乎？人不知而不慍，不亦君子乎？"
    "其為人也孝弟，而好犯上者，鮮矣；不好犯上，而好作亂者，未之有也。君子務本，本立而道生。"
)
# encoding, text, the label that is right, a label that is wrong
ENCODINGS = [
    ("utf-8", SIMPLE, "utf-8", "gb2312"),
    ("utf-8", TRADITIONAL, "utf-8", "big5"),
    ("utf-8-sig", SIMPLE, "utf-8", "gbk"),
    ("gb2312", SIMPLE, "gb2312", "utf-8"),
    ("gbk", SIMPLE + "镕", "gbk", "big5"),
    ("gb18030", SIMPLE + "㐀𠮷", "gb2312", "utf-8"),
    ("gb18030", TRADITIONAL, "gb18030", "big5"),
    ("big5", TRADITIONAL, "big5", "gb2312"),
    ("big5hkscs", TRADITIONAL + "嘅咗", "big5-hkscs", "utf-8"),
    ("utf-16", SIMPLE, "utf-16", "utf-8"),
    ("utf-16-le", SIMPLE, "utf-16", "gb2312"),
    ("utf-16-be", TRADITIONAL, "utf-16", "big5"),
    ("hz", SIMPLE, "hz-gb-2312", "utf-8"),
]


def page(text: str, label: str | None) -> str:
    meta = f'<meta http-equiv="Content-Type" content="text/html; charset={label}">' if label else ""
    return f'<html><head>{meta}<title>{text[:8]}</title><script>var a="~x";</script></head><body><p>{text}</p></body></html>'


@pytest.mark.parametrize(("encoding", "text", "right", "wrong"), ENCODINGS)
@pytest.mark.parametrize("label", ["right", "wrong", "missing", "header right", "header wrong"])
def test_encodings(encoding: str, text: str, right: str, wrong: str, label: str) -> None:
    named = right if label.endswith("right") else wrong
    in_header = label.startswith("header")
    html = page(text, None if in_header or label == "missing" else named)
    decoded = decode(html.encode(encoding), f"text/html; charset={named}" if in_header else "text/html")
    assert decoded.text == html
    assert decoded.damaged_ratio == 0


@pytest.mark.parametrize("chars", [5, 10, 20, 40])
@pytest.mark.parametrize(("encoding", "text"), [("gb18030", SIMPLE), ("big5", TRADITIONAL), ("utf-8", SIMPLE)])
def test_short_pages(chars: int, encoding: str, text: str) -> None:
    html = page(text[:chars], None)
    assert decode(html.encode(encoding)).text == html


def test_one_bad_byte_costs_one_character() -> None:
    for encoding, text in (("utf-8", SIMPLE), ("gb18030", SIMPLE), ("big5", TRADITIONAL)):
        body = page(text, None).encode(encoding)
        middle = body.index(b"<p>") + 3
        decoded = decode(body[:middle] + b"\xff" + body[middle:])
        assert text[5:] in decoded.text, encoding
        assert 0 < decoded.damaged_ratio < 0.02


def test_a_cut_inside_the_last_character_is_still_utf8() -> None:
    assert decode(SIMPLE.encode()[:-1]) == (SIMPLE[:-1], "utf-8", "utf-8")


@pytest.mark.parametrize(
    "text",
    ["", "plain English, no more", "if a ~{ b ~} c", 'sed -e "s~{x}~{y}~"', "a ~{!!~} b"],
)
def test_seven_bit_text_stays_itself(text: str) -> None:
    assert decode(text.encode()).text == text


def test_the_declaration_is_asked_last() -> None:
    assert declared_charset(b'<meta charset="gb2312">') == "gb18030"
    assert declared_charset(b'<?xml version="1.0" encoding="big5"?>') == "big5hkscs"
    assert declared_charset(b'<meta charset="gbk">', "text/html; charset=UTF-8") == "utf-8"
    assert declared_charset(b'<meta charset="no-such-thing">') is None
    assert decode(b"<p>caf\xe9 cr\xe8me br\xfbl\xe9e</p>", "text/html; charset=iso-8859-1").text.count("é") == 2


def test_bytes_that_are_no_text_are_damaged() -> None:
    noise = random.Random(1).randbytes(20_000)
    assert decode(noise).damaged_ratio > 0.05


@given(st.binary(max_size=300), st.sampled_from([None, "text/html; charset=gbk", "text/html; charset=none"]))
def test_never_raises(body: bytes, content_type: str | None) -> None:
    assert isinstance(decode(body, content_type).text, str)


@given(st.text(st.characters(min_codepoint=0x20, exclude_categories=["Cs"]), max_size=200))
def test_utf8_text_is_never_changed(text: str) -> None:
    body = text.encode()
    if not body.isascii() and b"\0" not in body and not text.startswith("\ufeff"):
        assert decode(body).text == text


def test_real_and_derived_pages(shared_data) -> None:
    """159 pages in ten encodings, real ones from the test files of chardet and re-encoded ones."""
    pages = pl.read_parquet(shared_data / "encodings" / "encoded_pages.parquet").to_dicts()
    wrong = []
    for row in pages:
        header = f"text/html; charset={row['http_charset']}" if row["http_charset"] else None
        if decode(row["body"], header).text != row["text"]:
            wrong.append((row["id"], row["true_encoding"]))
    assert wrong == []
    assert len(pages) == 159
