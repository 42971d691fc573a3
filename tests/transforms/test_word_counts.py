from __future__ import annotations

from collections import Counter

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.transforms.word_counts import COUNTED, counts, statistics, summed
from tasks.transforms.words import words


def slowly(texts: list[str]) -> Counter[str]:
    found: Counter[str] = Counter()
    for text in texts:
        cut, at = words([text]), 0
        for chars, is_word in zip(cut.chars.tolist(), cut.is_word.tolist(), strict=True):
            if is_word:
                found[text[at : at + chars]] += 1
            at += chars
    return found


@given(st.lists(st.text(st.characters() | st.sampled_from("我们来自北京大学𠮷𪚥 abcde1。\n"), max_size=40), max_size=6))
def test_equal_to_counting_one_by_one(texts):
    made = counts(texts, words(texts))
    assert dict(made.schema) == COUNTED
    assert dict(made.iter_rows()) == slowly(texts)
    assert counts(list(reversed(texts)), words(list(reversed(texts)))).equals(made)


def test_words_long_and_short_and_beyond_the_basic_plane():
    texts = ["中华人民共和国，𠮷𠮷 hello x 中华人民共和国"]
    assert dict(counts(texts, words(texts)).iter_rows()) == {"中华人民共和国": 2, "𠮷": 2, "hello": 1, "x": 1}


def test_tables_add_up_in_any_order():
    one, two = counts(["天天向上 天天"], words(["天天向上 天天"])), counts(["天天 ok"], words(["天天 ok"]))
    assert summed([one, two]).sort("word").equals(summed([two, one]).sort("word"))
    assert dict(summed([one, two]).iter_rows()) == {"天天向上": 1, "天天": 2, "ok": 1}
    assert summed([]).height == 0


def known(asked):
    return np.ones(len(asked), dtype=bool)


def test_what_the_counts_say():
    table = pl.DataFrame({"word": ["的", "我们", "螺蛳粉", "abc"], "count": [6, 2, 1, 1]}, schema=COUNTED)
    told = statistics(table, lambda words: np.array([word != "我们" for word in words]))
    assert told == {
        "distinct": 4,
        "hapax_ratio": 0.5,
        "coverage": {"1000": 1.0, "5000": 1.0, "10000": 1.0, "50000": 1.0},
        "unknown_ratio": pytest.approx(2 / 9, abs=1e-6),
        "unknown_distinct_ratio": pytest.approx(1 / 3, abs=1e-6),
        "top": [["的", 6], ["我们", 2], ["abc", 1], ["螺蛳粉", 1]],
    }
    many = pl.DataFrame({"word": [f"w{i}" for i in range(2000)], "count": [1] * 2000}, schema=COUNTED)
    assert statistics(many, known)["coverage"]["1000"] == 0.5
    assert statistics(pl.DataFrame(schema=COUNTED), known)["hapax_ratio"] == 0.0
