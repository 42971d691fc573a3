from __future__ import annotations

import re
from collections import Counter

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.transforms.dictionary import HAN
from tasks.transforms.word_counts import COUNTED, COVERED, TOP, Tallied, counts, statistics, summed, tallied
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
    told = statistics([tallied(table, lambda words: np.array([word != "我们" for word in words]))])
    assert told == {
        "distinct": 4,
        "hapax_ratio": 0.5,
        "coverage": {"1000": 1.0, "5000": 1.0, "10000": 1.0, "50000": 1.0},
        "unknown_ratio": pytest.approx(2 / 9, abs=1e-6),
        "unknown_distinct_ratio": pytest.approx(1 / 3, abs=1e-6),
        "top": [["的", 6], ["我们", 2], ["abc", 1], ["螺蛳粉", 1]],
    }
    many = pl.DataFrame({"word": [f"w{i}" for i in range(2000)], "count": [1] * 2000}, schema=COUNTED)
    assert statistics([tallied(many, known)])["coverage"]["1000"] == 0.5
    nothing = statistics([tallied(pl.DataFrame(schema=COUNTED), known)])
    assert (nothing["hapax_ratio"], nothing["top"], nothing["coverage"]["1000"]) == (0.0, [], 0.0)
    assert statistics([]) == nothing


def one_by_one(table: dict[str, int], unknown: set[str]) -> dict[str, object]:
    ranked = sorted(table.items(), key=lambda item: (-item[1], item[0]))
    total, han = sum(table.values()), [w for w in table if re.fullmatch(HAN, w)]

    def share(part: int, whole: int) -> float:
        return round(part / whole, 6) if whole else 0.0

    strange = [w for w in han if w in unknown]
    return {
        "distinct": len(table),
        "hapax_ratio": share(sum(n == 1 for n in table.values()), len(table)),
        "coverage": {str(n): share(sum(count for _, count in ranked[:n]), total) for n in COVERED},
        "unknown_ratio": share(sum(table[w] for w in strange), sum(table[w] for w in han)),
        "unknown_distinct_ratio": share(len(strange), len(han)),
        "top": [list(item) for item in ranked[:TOP]],
    }


SPELLED = st.text("我们来自北京abc", min_size=1, max_size=4)


@given(
    st.lists(st.dictionaries(SPELLED, st.integers(1, 4), max_size=90), max_size=4), st.sets(SPELLED), st.integers(1, 5)
)
def test_the_parts_of_the_words_say_together_what_all_of_them_say(tables, unknown, of):
    frames = [pl.DataFrame({"word": list(t), "count": list(t.values())}, schema=COUNTED) for t in tables]
    parts = [tallied(summed(frames, part, of), lambda words: np.array([w not in unknown for w in words], dtype=bool))
             for part in range(of)]  # fmt: skip
    kept = [Tallied.model_validate_json(p.model_dump_json()) for p in parts]
    assert statistics(kept) == one_by_one(dict(sum((Counter(t) for t in tables), Counter())), unknown)


def test_coverage_within_words_of_one_count():
    table = {f"a{i}": 5 for i in range(600)} | {f"b{i}": 3 for i in range(900)} | {f"c{i}": 1 for i in range(9000)}
    frame = pl.DataFrame({"word": list(table), "count": list(table.values())}, schema=COUNTED)
    assert statistics([tallied(frame, known)]) == one_by_one(table, set())
