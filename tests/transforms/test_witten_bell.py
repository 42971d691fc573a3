"""The n-gram model is a probability model: it sums to one, and agrees with a slow reference of its formula."""

from __future__ import annotations

import math
from collections import Counter, defaultdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.transforms import witten_bell

TRAIN = ["床前明月光，疑是地上霜。", "举头望明月，低头思故乡。", "明月", "明月几时有，把酒问青天。明月光。"]
HELD_OUT = ["明月光", "霜降", "𠀀字", "", "明", "举头望明月", "月明明月月"]


class Slow:
    """Dictionaries and recursion: the formula as it is written."""

    def __init__(self, texts: list[str], order: int, min_count: int) -> None:
        self.order, self.counts = order, [Counter() for _ in range(order + 1)]
        for text in texts:
            marks = "\0" * (order - 1) + text + "\0"
            for i in range(order - 1, len(marks)):
                for k in range(1, order + 1):
                    self.counts[k][marks[i - k + 1 : i + 1]] += 1
        self.after, self.kinds, self.dropped = defaultdict(int), defaultdict(int), defaultdict(int)
        for k in range(1, order + 1):
            for gram, n in self.counts[k].items():
                history = (k, gram[:-1])
                self.after[history] += n
                self.kinds[history] += 1
                if k > 2 and n < min_count:
                    self.dropped[history] += n
        self.kept = [{g: n for g, n in c.items() if k <= 2 or n >= min_count} for k, c in enumerate(self.counts)]

    def chance(self, char: str, history: str) -> float:
        k = len(history) + 1
        lower = self.chance(char, history[1:]) if k > 1 else 1 / 65536
        total = self.after[k, history] + self.kinds[k, history]
        pruned = k > 3 and history.strip("\0") and history not in self.kept[k - 1]
        if not self.after[k, history] or pruned:
            return lower
        free = self.kinds[k, history] + self.dropped[k, history]
        return (self.kept[k].get(history + char, 0) + free * lower) / total

    def bits(self, text: str) -> float:
        marks = "\0" * (self.order - 1) + text + "\0"
        return -sum(
            math.log2(self.chance(marks[i], marks[i - self.order + 1 : i])) for i in range(self.order - 1, len(marks))
        )


@pytest.mark.parametrize("min_count", [1, 2])
@pytest.mark.parametrize("order", [1, 2, 3, 4, 5])
def test_bits_equal_a_slow_reference(order, min_count):
    slow = Slow(TRAIN, order, min_count)
    found = witten_bell.train(TRAIN, order, min_count).bits(HELD_OUT + TRAIN)
    assert found == pytest.approx([slow.bits(t) for t in HELD_OUT + TRAIN], rel=1e-12)


@settings(max_examples=25)
@given(
    st.lists(st.text("甲乙丙\0丁", max_size=8).filter(lambda t: "\0" not in t), min_size=1, max_size=6),
    st.integers(1, 4),
    st.integers(1, 3),
    st.text("甲乙丙丁戊", max_size=4),
)
def test_the_next_character_has_a_chance_of_one_in_all(texts, order, min_count, history):
    model = witten_bell.train(texts, order, min_count)
    # every character ever seen, all the others as one that never was, and the end
    seen = sorted(set("".join(texts)))
    endings = [f"{history}{c}" for c in [*seen, "\uabcd"]]
    with_end = model.bits([history])[0]
    # log2 of P(history and end) and P(history, c): take the end of the longer text off by asking for it too
    prefix = _prefix_bits(model, history)
    nexts = [_prefix_bits(model, e) - prefix for e in endings]
    chances = [2.0**-b for b in nexts]
    total = sum(chances[:-1]) + chances[-1] * (65536 - len(seen) - 1) + 2.0 ** -(with_end - prefix)
    assert total == pytest.approx(1.0, abs=1e-9)


def _prefix_bits(model: witten_bell.Model, text: str) -> float:
    """Bits of the characters of a text without its end mark."""
    marks = "\0" * (model.order - 1) + text
    total = 0.0
    for i in range(model.order - 1, len(marks)):
        total += _bits_of_last(model, marks[: i + 1])
    return total


def _bits_of_last(model: witten_bell.Model, marks: str) -> float:
    codes = np.array([ord(c) for c in marks], np.uint32)
    bits, place = 0.0, -1
    for k, (keys, table) in enumerate(zip(witten_bell._keys(codes, model.order), model.tables, strict=True), 1):
        found = table.find(keys)
        rest = model.unseen if k == 1 else bits + (model.tables[k - 2].back[place] if place >= 0 else 0.0)
        bits = float(table.bits[found[-1]]) if found[-1] >= 0 else rest
        place = int(found[-2]) if len(found) > 1 else -1
    return bits


def test_lower_orders_of_one_model_are_models_of_that_order():
    whole = witten_bell.train(TRAIN, 4)
    for order in (1, 2, 3):
        alone = witten_bell.train(TRAIN, order).bits(HELD_OUT)
        assert whole.bits(HELD_OUT, order) == pytest.approx(alone, rel=1e-12)


@settings(max_examples=25)
@given(st.lists(st.text("甲乙丙丁戊己庚", max_size=12), max_size=8), st.randoms(use_true_random=False))
def test_a_text_is_asked_alone_or_among_others(texts, dice):
    model = witten_bell.train(["甲乙丙丁", "乙丙丁戊", "丙丁戊己甲乙丙"], 3)
    order = list(range(len(texts)))
    dice.shuffle(order)
    among = model.bits([texts[i] for i in order])
    assert among.tolist() == [model.bits([texts[i]])[0] for i in order]


def test_batches_do_not_matter(monkeypatch):
    model = witten_bell.train(TRAIN, 4)
    whole = model.bits(TRAIN)
    monkeypatch.setattr(witten_bell, "BATCH_CHARS", 3)
    assert model.bits(TRAIN).tolist() == whole.tolist()


def test_many_keys_are_all_found_and_others_are_not():
    keys = np.unique(np.random.default_rng(1).integers(0, 1 << 64, 20_000, np.uint64))
    table = witten_bell.Table(keys[::2], np.zeros(len(keys[::2])), np.zeros(len(keys[::2])))
    found = table.find(keys)
    assert (found[::2] == np.arange(len(keys[::2]))).all()
    assert (found[1::2] == -1).all()
    assert (witten_bell.Table(keys[:0], np.zeros(0), np.zeros(0)).find(keys[:5]) == -1).all()


def test_no_training_text_is_refused():
    with pytest.raises(ValueError, match="at least one training text"):
        witten_bell.train([], 4)
