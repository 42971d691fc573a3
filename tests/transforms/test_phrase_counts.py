from __future__ import annotations

from collections import Counter

import polars as pl
import pytest

from tasks.transforms.characters import decode
from tasks.transforms.phrase_counts import LISTS, found


def counted(text: str, kind: str) -> tuple[int, int, int]:
    """(characters, pieces, different phrases) of one list."""
    where = list(LISTS).index(kind)
    chars, pieces, different = (int(part[0, where]) for part in found(decode(pl.Series([text]))))
    return chars, pieces, different


@pytest.mark.parametrize(
    ("text", "kind", "expected"),
    [
        ("真人荷官在线，百家乐、老虎机，又是百家乐。", "gambling", (13, 4, 3)),
        ("百 家*乐和百，家乐", "gambling", (3, 1, 1)),  # a blank or symbol may be strewn in, a comma is neither
        ("百  **家乐", "gambling", (0, 0, 0)),  # three of them may not
        ("線上娛樂，六合彩與優惠活動", "gambling", (7, 2, 2)),  # traditional script
        ("優惠活動", "advert", (4, 1, 1)),
        ("As an AI language model, AS AN AI LANGUAGE MODEL", "machine", (46, 2, 1)),
        ("裸聊，激情裸聊", "adult", (6, 2, 2)),  # the longest that begins first
        ("今天天气很好", "advert", (0, 0, 0)),
        ("百家", "gambling", (0, 0, 0)),  # a phrase cut off by the end of the text
        ("", "fraud", (0, 0, 0)),
    ],
)
def test_phrases_are_counted(text: str, kind: str, expected: tuple[int, int, int]) -> None:
    assert counted(text, kind) == expected


def test_rows_do_not_touch_each_other() -> None:
    codes = decode(pl.Series(["百家", "乐百家乐", None, "百家乐"]))
    assert found(codes).pieces[:, list(LISTS).index("gambling")].tolist() == [0, 1, 0, 1]
    assert found(codes).different[:, list(LISTS).index("gambling")].tolist() == [0, 1, 0, 1]


def test_no_phrase_stands_twice() -> None:
    often = Counter(phrase for some in LISTS.values() for phrase in some)
    assert [p for p, n in often.items() if n > 1] == []
    assert all(p == p.lower() and len(p) > 1 for p in often)
