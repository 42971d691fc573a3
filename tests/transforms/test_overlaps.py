"""Grams and passages against the plainest possible reference: substrings of Python strings."""

from __future__ import annotations

import random
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.transforms import overlaps
from tasks.transforms.flat_text import chosen, flat_text
from tasks.transforms.gram_index import build, found, grams_at
from tasks.transforms.overlaps import passages, suspects

N = 4
few = st.text(alphabet="天地玄黄宇", max_size=24)  # few characters, so that strings meet
UNIT = "春江潮水连海平海上明月共潮生滟滟随波千万里何处春江无月明"


def index_of(units: list[str], most: int = 99):
    return build(flat_text(units), N, most)


def grams(text: str) -> list[str]:
    return [text[i : i + N] for i in range(len(text) - N + 1)]


@given(st.lists(few, max_size=5), st.lists(few, max_size=5), st.integers(1, 3))
def test_exactly_the_places_of_shared_grams_are_found(units, texts, most):
    holders = {g: {i for i, u in enumerate(units) if g in grams(u)} for u in units for g in grams(u)}
    index = index_of(units, most)
    assert len(index.grams) == sum(len(h) <= most for h in holders.values())
    for text in texts:
        at, number = found(index, grams_at(flat_text([text]).codes, N))
        wanted = {i: holders[g] for i, g in enumerate(grams(text)) if g in holders and len(holders[g]) <= most}
        assert at.tolist() == sorted(wanted)
        for place, gram in zip(at.tolist(), number.tolist(), strict=True):
            mine = slice(index.starts[gram], index.starts[gram + 1])
            told = dict(zip(index.units[mine].tolist(), index.places[mine].tolist(), strict=True))
            assert told == {u: units[u].index(text[place : place + N]) for u in wanted[place]}


@given(st.lists(few, max_size=5), st.lists(few, min_size=1, max_size=5), st.integers(0, 4))
def test_passages_repeat_what_they_say(units, texts, gap):
    told = passages(flat_text(texts), index_of(units), N, N, gap)
    pairs = {
        (t, u) for t, text in enumerate(texts) for u, unit in enumerate(units) if set(grams(text)) & set(grams(unit))
    }
    assert pairs == set(zip(told.texts.tolist(), told.units.tolist(), strict=True))
    for text, unit, start, stop, chars, run in zip(*(column.tolist() for column in told), strict=True):
        inside, whole = texts[text][start:stop], units[unit]
        assert N <= run <= chars <= len(whole), "at least its longest run, at most the whole unit"
        assert inside[:N] in whole
        assert inside[-N:] in whole
        stretches = [whole[i : i + run] for i in range(len(whole) - run + 1)]
        assert any(s in inside for s in stretches)


@given(st.lists(few, max_size=5), st.lists(few, min_size=1, max_size=5), st.sampled_from([1, 500, 2000]))
def test_passages_are_the_same_however_few_are_looked_at_together(units, texts, cells):
    keys, index = flat_text(texts), index_of(units)
    whole = passages(keys, index, N, N, 2)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(overlaps, "_CELLS", cells)
        parts = passages(keys, index, N, N, 2)
    for one, other in zip(whole, parts, strict=True):
        assert one.tolist() == other.tolist()


def test_long_texts_that_share_many_lines_take_little_memory():
    """Issues of a weekly: each has the same hundred lines somewhere, between text of its own."""
    lines = [f"第{i:03}条固定的栏目介绍与订阅方式请看这里" for i in range(100)]
    dice = random.Random(1)

    def issue() -> str:
        own = ["".join(chr(dice.randrange(0x4E00, 0x9FA5)) for _ in range(60)) for _ in lines]
        return "".join(part for pair in zip(own, dice.sample(lines, len(lines)), strict=True) for part in pair)

    keys, index = flat_text([issue() for _ in range(8)]), index_of([issue() for _ in range(8)])
    tracemalloc.start()
    told = passages(keys, index, N, 13, 10**6)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(told.texts) == 64
    assert most < 300e6


@given(st.lists(few, max_size=4), st.lists(few, min_size=1, max_size=4), st.integers(N, N + 4))
def test_no_run_escapes_the_look_at_every_nth_place(units, texts, min_run):
    keys, index = flat_text(texts), index_of(units)
    told = passages(keys, index, N, min_run, 0)
    held = suspects(keys, index, N, min_run)
    assert set(told.texts.tolist()) <= set(np.flatnonzero(held).tolist())
    again = passages(chosen(keys, held), index, N, min_run, 0)
    assert [c.tolist() for c in again[1:]] == [c.tolist() for c in told[1:]]


def test_an_edit_leaves_one_passage_with_a_gap():
    text = f"且看{UNIT[:12]}换{UNIT[13:]}之后"
    told = passages(flat_text([text]), index_of([UNIT]), N, N, 4)
    assert [c.tolist() for c in told] == [[0], [0], [2], [2 + len(UNIT)], [len(UNIT) - 1], [len(UNIT) - 13]]
    apart = passages(flat_text([UNIT[:10] + "隔" * 20 + UNIT[10:]]), index_of([UNIT]), N, N, 4)
    assert apart.chars.tolist() == [10, len(UNIT) - 10]
    assert len(passages(flat_text([text]), index_of([UNIT]), N, len(UNIT) - 12, 4).texts) == 0


def test_what_lies_beside_a_run_counts_though_it_holds_no_gram():
    """With grams of 9: a change, an insertion, an omission leave one gram, and stretches of 4 to 8 beside it."""
    chars, index = 9, build(flat_text([UNIT]), 9, 99)
    text = UNIT[:5] + "换" + UNIT[6:11] + "添" + UNIT[11:20] + UNIT[21:26] + "末" + UNIT[27:]
    told = passages(flat_text([text]), index, chars, chars, 4)
    assert told.chars.tolist() == [5 + 5 + 9 + 5], "the last two characters are too few"
    assert (told.starts.tolist(), told.stops.tolist()) == ([0], [len(text) - 2])


def test_letters_and_digits_weigh_a_quarter():
    index = index_of(["春江花月夜abcd1234潮水"])
    assert index.unit_chars.tolist() == [7 + 2]
    assert passages(flat_text(["月夜abcd1"]), index, N, N, 0).chars.tolist() == [2 + 1.25]


def test_nothing_in_nothing():
    for units, texts in (([], ["天地玄黄"]), (["天地玄黄"], []), (["天地玄黄"], ["", "天"]), (["天"], ["天地玄黄"])):
        keys = flat_text(texts)
        assert not suspects(keys, index_of(units), N, N).any()
        assert len(passages(keys, index_of(units), N, N, 0).texts) == 0
