"""Places of personal data: none is lost for what stands around it, and few are looked at."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.transforms import characters, pii, pii_places
from tasks.transforms.pii_shapes import SHAPES
from tests.benchmarks.bench_redact import tables, telephone_lists
from tests.labelled_pii import cases

ALL = (1 << len(SHAPES)) - 1
SETS = ("pii_first", "pii_second", "pii_third")
PROSE = "春眠不觉晓，处处闻啼鸟。夜来风雨声，花落知多少。\n"


def moved(spans: list[pii.Span], by: int) -> list[pii.Span]:
    return [span._replace(start=span.start + by, end=span.end + by) for span in spans]


@pytest.fixture(scope="module")
def alone() -> dict[str, list[pii.Span]]:
    texts = [f"{PROSE}{case.text}\n{PROSE}" for name in SETS for case in cases(name)]
    found = dict(pii.found_in(pl.Series(texts)))
    return {text: found.get(row, []) for row, text in enumerate(texts)}


@pytest.mark.parametrize("before", [PROSE * 20, PROSE * 21 + "🙂é", "字" * 3000 + "\n"])
def test_a_long_text_holds_what_its_part_holds(alone: dict[str, list[pii.Span]], before: str) -> None:
    found = dict(pii.found_in(pl.Series([before + text + PROSE * 40 for text in alone])))
    assert [found.get(row, []) for row in range(len(alone))] == [moved(spans, len(before)) for spans in alone.values()]


def test_all_texts_in_one(alone: dict[str, list[pii.Span]]) -> None:
    """Stretches and windows of neighbours join; the parts are far enough from each other for every judge."""
    far = PROSE * 4
    expected, size = [], 0
    for text, spans in alone.items():
        expected += moved(spans, size)
        size += len(text) + len(far)
    assert pii.find("".join(text + far for text in alone)) == expected


def test_batches_of_rows_change_nothing(alone: dict[str, list[pii.Span]], monkeypatch: pytest.MonkeyPatch) -> None:
    texts = pl.Series([*alone, None, ""])
    whole = list(pii.found_in(texts))
    monkeypatch.setattr(characters, "BATCH_CHARS", 300)
    assert list(pii.found_in(texts)) == whole


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(st.sampled_from("012345@＠.１ａ一微信京A:/°度 -的🙂é"), max_size=900), max_size=4))
def test_windows_are_pieces_of_their_texts(texts: list[str]) -> None:
    """In order, apart from each other, at the characters that they say, folded, with their places inside."""
    ends = dict.fromkeys(range(len(texts)), 0)
    for window in pii_places.windows(pl.Series(texts, dtype=pl.String()), ALL):
        text = texts[window.row]
        assert window.first >= ends[window.row]
        ends[window.row] = window.first + len(window.text)
        original = text[window.first : ends[window.row]]
        assert len(original) == len(window.text)
        assert original.translate(pii_places.FOLD).replace(".", "．") == window.text.replace(".", "．")
        assert all(0 <= start <= at and start < len(window.text) for start, at, _ in window.places)


def test_a_table_of_numbers_has_no_place_but_for_its_decimals() -> None:
    """Whole tables are numbers that spaces join: what none of them can be is not looked for."""
    shapes = sum(1 << rank for rank, shape in enumerate(SHAPES) if shape.kind != "GEO")
    places = [place for window in pii_places.windows(tables(100), shapes) for place in window.places]
    numbers = 100 * 20 * 12
    assert len(places) < numbers / 100


def test_a_telephone_list_has_one_place_for_each_telephone() -> None:
    places = [place for window in pii_places.windows(telephone_lists(50), ALL) for place in window.places]
    assert len(places) == 50 * 20


def test_what_is_not_asked_for_has_no_place() -> None:
    text = pl.Series(["电话13812345609，邮箱zhang.san@example.com"])
    assert len(list(pii_places.windows(text, ALL))) == 1
    assert list(pii_places.windows(text, 0)) == []
    assert [span.kind for span in pii.find(text[0], ("EMAIL",))] == ["EMAIL"]


def test_a_table_in_full_width_digits_holds_no_addresses() -> None:
    assert pii.find("沪１．３０．９０．５苏１．８０．２２．４") == []
    assert [span.kind for span in pii.find("邮箱ｚｈａｎｇ＠ｑｑ．ｃｏｍ")] == ["EMAIL"]
