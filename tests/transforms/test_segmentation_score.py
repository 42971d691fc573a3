from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.transforms.segmentation_score import Score, score


def of(gold: str, ours: str, known: str = "") -> Score:
    """Sentences between ;, words between spaces."""
    sentences = [s.split() for s in gold.split(";")]
    lengths = np.array([len(w) for s in ours.split(";") for w in s.split()], dtype=np.uint32)
    return score(sentences, lengths, lambda words: np.array([w in known.split() for w in words], dtype=bool))


def test_a_word_is_right_when_both_its_ends_are():
    made = of("共同 创造 美好 的 新 世纪", "共同 创 造 美好的 新 世纪", known="共同 新")
    assert made == Score(1, 6, 6, 3, 4, 1)
    assert (made.precision, made.recall, made.f1) == (0.5, 0.5, 0.5)
    assert (made.unknown_ratio, made.unknown_recall, made.known_recall) == (4 / 6, 0.25, 1.0)


def test_more_words_cost_precision_and_fewer_cost_recall():
    assert of("我们 来", "我 们 来")[1:4] == (2, 3, 1)
    assert of("我们 来", "我们来")[1:4] == (2, 1, 0)
    made = of("天 地 玄黄", "天地 玄黄")
    assert (made.precision, made.recall, made.f1) == (1 / 2, 1 / 3, 2 / 5)


def test_a_word_over_the_end_of_a_sentence_is_wrong():
    assert score(
        [["天地"], ["玄", "黄"]], np.array([3, 1], dtype=np.uint32), lambda words: np.ones(len(words), dtype=bool)
    )[1:4] == (3, 2, 1)
    assert of("天地;玄黄", "天地;玄黄").f1 == 1.0


def test_nothing_to_score():
    assert of("", "").figures()["f1"] == 0.0
    with pytest.raises(ValueError, match="the words have 2 characters, the gold sentences 1"):
        of("天", "天地")


@given(st.lists(st.lists(st.integers(1, 4), max_size=8), max_size=5), st.data())
def test_equal_to_comparing_spans(sentences, data):
    gold = [["字" * n for n in s] for s in sentences]
    total = sum(map(sum, sentences))
    borders = data.draw(st.sets(st.integers(1, total - 1))) if total > 1 else set()
    places = [0, *sorted(borders), total] if total else []
    lengths = np.diff(np.array(places, dtype=np.int64)).astype(np.uint32)
    made = score(gold, lengths, lambda words: np.array([len(w) < 3 for w in words], dtype=bool))
    at, spans = 0, []
    for n in (n for s in sentences for n in s):
        spans.append((at, at + n))
        at += n
    ours = set(pairwise(places))
    assert made.right_words == sum(s in ours for s in spans)
    assert made.right_unknown_words == sum(s in ours and s[1] - s[0] > 2 for s in spans)
    assert (made.gold_words, made.found_words) == (len(spans), len(ours))
