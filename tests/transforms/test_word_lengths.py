from __future__ import annotations

import random

import opencc
import polars as pl
import pytest

from tasks.transforms import quality
from tasks.transforms.word_lengths import WINDOW, measured
from tasks.transforms.words import words

MODERN = (
    "图书馆新到了一批历史著作，管理员把它们整理好，按照出版时间摆在靠窗的书架上。学生们下课以后常常来这里自习，有的准备考试，"
    "有的查找论文需要的资料。傍晚的阳光照进来，落在翻开的书页上，安静得能够听见铅笔在纸上写字的声音。"
)


def lengths(texts: list[str], low: float = 1.2, high: float = 10.0) -> list[float | None]:
    return measured(quality.measure(pl.DataFrame({"text": texts})), low, high).to_list()


def test_short_texts_are_cut_whole_and_counted_by_the_dictionary() -> None:
    assert words(["我们在图书馆学习"], hmm=False).chars.tolist() == [2, 1, 3, 2]
    assert lengths(["我们在图书馆。学习abc，"]) == [8 / 4]


def test_a_text_without_han_has_no_words() -> None:
    assert lengths(["abc 123", "", "，。"]) == [None, None, None]


def test_scrambled_characters_make_no_words_and_prose_does() -> None:
    letters = list(MODERN * 4)
    random.Random(1).shuffle(letters)
    prose, scrambled = lengths([MODERN * 4, "".join(letters)])
    assert prose > 1.5
    assert scrambled < 1.15


def test_traditional_script_measures_like_simplified() -> None:
    simplified, traditional = lengths([MODERN, opencc.OpenCC("s2tw").convert(MODERN)])
    assert traditional == pytest.approx(simplified, abs=0.1)


def test_doubt_is_settled_by_a_wider_window() -> None:
    """Good text around a middle of scrambled characters: the window alone would refuse it."""
    middle = list(MODERN)
    random.Random(2).shuffle(middle)
    text = MODERN * 5 + "".join(middle)[:WINDOW] + MODERN * 5
    assert lengths([text], low=0.5)[0] < 1.2, "far from this threshold, the window is believed"
    assert lengths([text])[0] > 1.4


def test_rows_do_not_touch_each_other() -> None:
    texts = [MODERN, "", "我们在图书馆", "\n\n", MODERN * 3]
    together = lengths(texts)
    assert [lengths([t])[0] for t in texts] == together
