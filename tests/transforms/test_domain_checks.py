"""Domain checks of contracts, on texts that they must and must not name."""

from __future__ import annotations

import datetime as dt

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.transforms import domain_checks, pii
from tasks.transforms.check_digits import PROVINCES

WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)


def an_id(body: str) -> str:
    return body + "10X98765432"[sum(int(d) * w for d, w in zip(body, WEIGHTS, strict=True)) % 11]


def value(expression: pl.Expr, **columns: list) -> list:
    return pl.LazyFrame(columns).select(value=expression).collect(engine="streaming")["value"].to_list()


GOOD = an_id("11010519491231002")


@pytest.mark.parametrize(
    ("text", "held"),
    [
        (f"号码{GOOD}。", True),
        (GOOD.lower(), True),
        (f"{an_id('44052419880101001')}，{GOOD}", True),
        (GOOD[:-1] + "1", False),  # wrong check character
        (an_id("00010519491231002"), False),  # no such province
        (an_id("11010519491331002"), False),  # month 13
        (an_id("11010519490230002"), False),  # 30 February
        (f"9{GOOD}", False),  # inside a longer number
        (f"{GOOD}9", False),
        (f"3.{GOOD}", False),  # decimals
        (f"学籍号G{GOOD}", True),
        (an_id("11010519480229002"), True),  # a leap day
        (an_id("11010519490229002"), False),
        ("春眠不觉晓", False),
        ("", False),
        (None, None),
    ],
)
def test_resident_ids(text: str | None, held: bool | None):
    assert value(domain_checks.resident_id("t"), t=pl.Series([text], dtype=pl.String)) == [held]


BIRTHS = st.dates(dt.date(1900, 1, 1), dt.date(2049, 12, 31))


@given(
    st.text("0123456789X-._证号, ", max_size=12), st.sampled_from(sorted(PROVINCES)), BIRTHS, st.integers(0, 9_999_999)
)
def test_what_the_check_names_redact_removes(around: str, province: str, born: dt.date, rest: int):
    number = an_id(f"{province}{rest // 1000:04d}{born:%Y%m%d}{rest % 1000:03d}")
    assert value(domain_checks.resident_id("t"), t=[f"号{number}。"]) == [True]
    text = f"{around}{number}{around}"
    if value(domain_checks.resident_id("t"), t=[text]) == [True]:
        cleaned, _ = pii.redacted(pl.Series([text]), pii.KINDS, lambda kind, _: f"<{kind}>")
        assert value(domain_checks.resident_id("t"), t=cleaned.to_list()) == [False]


def test_personal_data_asks_the_rules_of_redact():
    texts = [f"号码{GOOD}。", "春", None]
    assert value(domain_checks.personal_data("t"), t=texts) == [True, False, False]
    assert value(domain_checks.personal_data("t", kinds=["BANK"]), t=texts) == [False, False, False]


def test_shares_of_characters():
    texts = ["春abc", "眠\ue000", None]
    assert value(domain_checks.han_share("t"), t=texts) == [2 / 6]
    assert value(domain_checks.unknown_share("t"), t=texts) == [1 / 6]
    assert value(domain_checks.han_share("t"), t=pl.Series([], dtype=pl.String)) == [None]


def test_words_cover_their_text():
    frame = {"text": ["春眠不觉晓", "春眠", ""], "words": [[2, 3], [1], []]}
    assert value(domain_checks.words_cover_text("words"), **frame) == [False, True, False]


def test_the_largest_share():
    assert value(domain_checks.largest_share(None, of="s"), s=["a", "b", "a", "a"]) == [0.75]
    assert value(domain_checks.largest_share("s"), s=["a"]) == [1.0]
    with pytest.raises(ValueError, match="under a property"):
        domain_checks.largest_share(None)
