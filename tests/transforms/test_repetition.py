from __future__ import annotations

import random
from collections import Counter

import polars as pl
import pytest

from tasks.transforms.characters import decode
from tasks.transforms.repetition import DUPLICATE_CHARS, SAMPLE, TOP_CHARS, repetition

ALPHABET = [chr(c) for c in range(0x4E00, 0x5E00)]


def noise(length: int, seed: int) -> str:
    return "".join(random.Random(seed).choices(ALPHABET, k=length))


def measured(texts: list[str]) -> list[tuple[float, float, float]]:
    found = repetition(decode(pl.Series(texts, dtype=pl.String())))
    return list(zip(found.lines.tolist(), found.top.tolist(), found.duplicate.tolist(), strict=True))


def exact(text: str) -> tuple[float, float]:
    """The definitions, written plainly."""
    grams = [text[i : i + TOP_CHARS] for i in range(len(text) - TOP_CHARS + 1)]
    most = max(Counter(grams).values())
    long = [text[i : i + DUPLICATE_CHARS] for i in range(len(text) - DUPLICATE_CHARS + 1)]
    return (min(1.0, most * TOP_CHARS / len(grams)) if most > 1 else 0.0), 1 - len(set(long)) / len(long)


@pytest.mark.parametrize("seed", range(5))
def test_short_rows_are_measured_exactly(seed: int) -> None:
    pieces = [noise(30, seed), noise(50, seed + 100), noise(20, seed + 200)]
    text = "".join(random.Random(seed).choices(pieces, k=12))
    _, top, duplicate = measured([text])[0]
    assert (top, duplicate) == pytest.approx(exact(text))


def test_long_rows_are_estimated_closely() -> None:
    text = noise(12 * SAMPLE, 1) + noise(600, 2) * 20
    _, _, duplicate = measured([text])[0]
    assert duplicate == pytest.approx(exact(text)[1], abs=0.15)


def test_clean_text_and_empty_text_have_none() -> None:
    assert measured(["", "。。。。。。", "短"]) == [(0, 0, 0)] * 3
    assert measured([noise(3000, 3)])[0] == pytest.approx((0, 0, 0), abs=0.003)  # two short keys may collide


def test_lines_count_characters_of_later_copies() -> None:
    assert measured(["首页 登录\n首页 登录\n首页，登录\n别的一行字", "甲\n乙\n丙", "首页 登录"])[0][0] == pytest.approx(
        8 / 17
    )
    assert [m[0] for m in measured(["甲\n乙\n丙", "甲\n甲\n\n\n----\n----"])] == [0, 0.5]


def test_a_row_is_measured_the_same_in_any_company() -> None:
    texts = [noise(random.Random(i).randrange(3000), i) + noise(40, 7) * (i % 30) for i in range(60)]
    together = measured(texts)
    assert [measured([t])[0] for t in texts] == together
    assert measured(texts[::-1])[::-1] == together
