"""Hashed n-grams: the fast score is the slow dot product, and does not depend on how texts are written or batched."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.transforms import hashed_ngrams
from tasks.transforms.hashed_ngrams import FULL, hashed, read, scores

WEIGHTS = np.random.default_rng(3).normal(size=1 << 12).astype(np.float32)
TEXTS = st.lists(st.text("甲乙丙丁ab1，。\n", max_size=9), max_size=7)


def slow(text: str, chars: int) -> float:
    """Each n-gram hashed alone, their weights added up."""
    if not text:
        return 0.0
    grams = [text[i : i + n] for n in range(1, chars + 1) for i in range(len(text) - n + 1)]
    total = 0.0
    for gram in grams:
        # the last n-gram of a text of n characters is the text itself
        found = hashed(read([gram]), 12, len(gram))
        total += float(WEIGHTS[found.buckets[-1]])
    size = len(grams)
    return total * (size**-0.5 if size <= FULL else FULL**0.5 / size)


@settings(max_examples=30)
@given(TEXTS, st.integers(1, 4))
def test_scores_equal_a_slow_reference(texts, chars):
    assert scores(texts, WEIGHTS, chars) == pytest.approx([slow(t, chars) for t in texts], abs=1e-5)


@settings(max_examples=30)
@given(TEXTS, st.integers(1, 4))
def test_training_sees_what_scoring_sees(texts, chars):
    found = hashed(read(texts), 12, chars)
    sums = np.bincount(found.rows, weights=WEIGHTS[found.buckets], minlength=len(texts)) * found.scale
    assert scores(texts, WEIGHTS, chars) == pytest.approx(sums, abs=1e-5)


@settings(max_examples=30)
@given(TEXTS)
def test_a_text_is_scored_alone_or_among_others(texts):
    assert scores(texts, WEIGHTS, 3).tolist() == [scores([t], WEIGHTS, 3)[0] for t in texts]


def test_batches_do_not_matter(monkeypatch):
    texts = ["春眠不觉晓", "", "处处闻啼鸟", "夜来风雨声"] * 5
    whole = scores(texts, WEIGHTS, 3).tolist()
    monkeypatch.setattr(hashed_ngrams, "BATCH_CHARS", 4)
    assert scores(texts, WEIGHTS, 3).tolist() == whole


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("中華民國", "中华民国"),  # script
        ("ＡＢｃ", "abc"),  # width and case
        ("电话13812345678", "电话00000000000"),  # digits
        ("加\ue123我", "加\uf8ff我"),  # private use
        ("一\n二\u3000三", "一 二 三"),  # white space
    ],
)
def test_what_is_written_differently_is_read_alike(one, other):
    assert read([one]).codes.tolist() == read([other]).codes.tolist()


@pytest.mark.parametrize(("one", "other"), [("好，的", "好,的"), ("好", "坏"), ("a b", "ab"), ("\U00100000", "好")])
def test_what_tells_texts_apart_stays(one, other):
    assert read([one]).codes.tolist() != read([other]).codes.tolist()


def test_a_long_text_scores_like_its_repetition_and_a_short_one_gathers_evidence():
    passage = "".join(chr(0x4E00 + i * 7 % 900) for i in range(3000))
    once, twice = scores([passage, passage * 2], WEIGHTS, 3)
    assert twice == pytest.approx(once, rel=0.01)
    short, longer = scores(["好" * 10, "好" * 40], WEIGHTS, 1)
    assert longer / short == pytest.approx(2.0)  # four times the evidence, half the weight each
