"""The baselines are probability models: they sum to one, and agree with a slow reference."""

from __future__ import annotations

import itertools
import math
from collections import Counter

import pytest

from tasks.transforms import baselines

TRAIN = ["床前明月光，疑是地上霜。", "举头望明月，低头思故乡。", "明月"]


def slow(train: list[str], held_out: list[str]) -> tuple[float, float]:
    single, pairs, history, followers = Counter(), Counter(), Counter(), {}
    for text in train:
        marks = "\0" + text + "\0"
        for h, c in itertools.pairwise(marks):
            single[c] += 1
            pairs[h, c] += 1
            history[h] += 1
            followers.setdefault(h, set()).add(c)
    total, kinds = sum(single.values()), len(single)

    def p1(c):
        return (single[c] + kinds / 65536) / (total + kinds)

    def p2(h, c):
        t = len(followers.get(h, ()))
        return (pairs[h, c] + t * p1(c)) / (history[h] + t) if history[h] else p1(c)

    one = two = 0.0
    for text in held_out:
        marks = "\0" + text + "\0"
        for h, c in itertools.pairwise(marks):
            one -= math.log2(p1(c))
            two -= math.log2(p2(h, c))
    return one, two


@pytest.mark.parametrize("held_out", [["明月光"], ["霜降", "𠀀字"], ["", "明"], TRAIN])
def test_bits_equal_a_slow_reference(held_out):
    one, two, chars = baselines.train(TRAIN).bits(held_out)
    want_one, want_two = slow(TRAIN, held_out)
    assert one == pytest.approx(want_one, rel=1e-12)
    assert two == pytest.approx(want_two, rel=1e-12)
    assert chars == sum(map(len, held_out))


def test_the_bigram_is_better_on_text_like_its_training():
    one, two, _ = baselines.train(TRAIN).bits(["举头望明月"])
    assert two < one


def test_batches_do_not_matter(monkeypatch):
    whole = baselines.train(TRAIN).bits(TRAIN)
    monkeypatch.setattr(baselines, "_BATCH_CHARS", 3)
    assert baselines.train(TRAIN).bits(TRAIN) == pytest.approx(whole)


def test_no_training_text_is_the_uniform_distribution():
    # nothing was seen, so P1 = 0 / 0 is avoided by refusing: the caller has no training split
    with pytest.raises(ValueError, match="no training text"):
        baselines.train([]).bits(["明"])
