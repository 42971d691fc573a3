"""Measures of generated texts against values counted by hand."""

from __future__ import annotations

import math

import pytest

from tasks.transforms.diversity import distinct, diversity, longest_repeat, repeated, self_bleu


def test_distinct_and_repeated_by_hand():
    assert distinct(["春眠春", "春眠"], 1) == pytest.approx(2 / 5)
    assert distinct(["春眠春", "春眠"], 2) == pytest.approx(2 / 3)  # 春眠 眠春 春眠
    assert distinct(["春"], 2) is None
    assert repeated("abababab", 4) == pytest.approx(1 - 2 / 5)  # abab baba abab baba abab
    assert repeated("abc", 4) is None


@pytest.mark.parametrize(
    ("text", "chars"), [("", 0), ("春", 0), ("春春", 1), ("春眠不觉晓", 0), ("哈哈哈哈", 3), ("天地玄黄，天地玄。", 3)]
)
def test_the_longest_run_that_stands_twice(text, chars):
    assert longest_repeat(text) == chars


def test_self_bleu_by_hand():
    assert self_bleu(["春眠不觉晓", "春眠不觉晓"]) == pytest.approx(1)
    assert self_bleu(["春眠不觉晓", "处处闻啼鸟"]) == 0
    assert self_bleu(["春", ""]) is None
    # a: 5 characters against b's 6: precisions 5/5, 4/4, 3/3, 2/2, shorter: exp(1 - 6/5); b: 5/6, 4/5, 3/4, 2/3
    b = math.exp(sum(math.log(p) for p in (5 / 6, 4 / 5, 3 / 4, 2 / 3)) / 4)
    assert self_bleu(["春眠不觉晓", "春眠不觉晓。"]) == pytest.approx((math.exp(-1 / 5) + b) / 2)


def test_a_gram_counts_as_often_as_in_the_other_text_that_has_most():
    texts = ["哈哈哈哈哈", "哈哈笑哈哈", "别的话呢啊"]
    # 1-grams 4/5, 2-grams 2/4, no 3-gram of the first in another: 0
    assert self_bleu(texts[:2]) == 0
    assert self_bleu(["哈哈哈哈哈", "哈哈哈哈笑", "哈哈哈哈"]) > 0.5


def test_all_of_them_together():
    found = diversity(["春眠不觉晓，处处闻啼鸟", "夜来风雨声，花落知多少"])
    assert (found["texts"], found["chars"], found["longest_repeat"]) == (2, 22, 1)
    assert found["distinct_3"] == 1
    empty = diversity([])
    assert (empty["texts"], empty["distinct_1"], empty["self_bleu"], empty["longest_repeat"]) == (0, None, None, 0)
