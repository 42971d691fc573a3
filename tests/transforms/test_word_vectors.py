"""Word vectors: words that stand in the same places have near vectors; one thread gives the same bits every time."""

from __future__ import annotations

import random

import numpy as np
import pytest

from data_contracts.vectors import VectorsConfig
from tasks.transforms.word_vectors import Vectors, learn, mean_vectors, neighbours, spoken, table, telling

CFG = VectorsConfig(dimensions=16, min_count=3, epochs=8, subsample=0)


def sentences(count: int = 900) -> list[list[str]]:
    """Two topics, each with words of its own: 猫 and 狗 stand in the same places, 股票 and 基金 in others."""
    dice = random.Random(3)
    topics = (
        (["猫", "狗"], ["毛", "尾巴", "爪子", "跑", "睡"]),
        (["股票", "基金"], ["涨", "跌", "买入", "收益", "市场"]),
    )
    made = []
    for _ in range(count):
        heads, rest = dice.choice(topics)
        made.append([dice.choice(heads), *dice.choices(rest, k=4), dice.choice(heads)])
    return made


@pytest.fixture(scope="module")
def made() -> Vectors:
    pytest.importorskip("gensim", reason="the vectors extra is not installed")
    return learn(sentences(), CFG)


def test_words_of_the_same_places_are_neighbours(made: Vectors):
    near = neighbours(made, ["猫", "股票", "无此词"], 1)
    assert {word: found[0][0] for word, found in near.items()} == {"猫": "狗", "股票": "基金"}
    assert all(-1 <= cosine <= 1 for found in near.values() for _, cosine in found)


def test_one_thread_gives_the_same_bits_and_another_seed_others(made: Vectors):
    again = learn(sentences(), CFG)
    assert again.words == made.words
    assert again.matrix.tobytes() == made.matrix.tobytes()
    other = learn(sentences(), CFG.model_copy(update={"seed": 2}))
    assert other.matrix.tobytes() != made.matrix.tobytes()


def test_words_come_by_frequency_and_rare_ones_have_no_vector(made: Vectors):
    assert made.counts == sorted(made.counts, reverse=True)
    assert made.matrix.shape == (len(made.words), 16)
    assert made.matrix.dtype == np.float32
    fewer = learn([*sentences(60), ["罕见"], ["罕见"]], CFG)
    assert "罕见" not in fewer.words
    counted = dict(zip(made.words, made.counts, strict=True))
    assert counted == {w: sum(s.count(w) for s in sentences()) for w in counted}
    assert table(made).rows()[0] == (made.words[0], made.counts[0])


def test_no_frequent_word_gives_no_vectors():
    pytest.importorskip("gensim", reason="the vectors extra is not installed")
    empty = learn([["一"], ["二"]], CFG)
    assert (empty.words, empty.matrix.shape) == ([], (0, 16))


@pytest.mark.parametrize(
    ("text", "lengths", "expected"),
    [
        ("北京的 2024年，好！", [2, 1, 1, 4, 1, 1, 1, 1], ["北京", "的", "2024", "年", "好"]),
        ("……\n", [2, 1], []),
        ("", [], []),
        ("Rust语言", [4, 2], ["Rust", "语言"]),
    ],
)
def test_marks_and_spaces_are_no_words(text: str, lengths: list[int], expected: list[str]):
    assert spoken(text, lengths) == expected


def test_a_text_is_the_mean_of_its_words_at_length_one():
    given = Vectors(["北京", "天气"], [2, 1], np.array([[3.0, 0.0], [0.0, 0.5]], np.float32))
    found = mean_vectors(["北京天气", "北京，北京", "上海", ""], given)
    assert found.tolist() == [[0.5, 0.5], [1.0, 0.0], [0.0, 0.0], [0.0, 0.0]]


def test_words_to_show_go_from_frequent_to_rare_and_leave_out_the_commonest():
    names = [f"{chr(0x4E00 + i)}字" for i in range(1000)] + ["的", "ok"]
    shown = telling(Vectors(names, [1] * len(names), np.zeros((len(names), 2), np.float32)), 5)
    assert shown[0] == names[100]
    assert shown[-1] == names[999]
    assert [names.index(w) for w in shown] == sorted(names.index(w) for w in shown)
    assert telling(Vectors(["的"], [1], np.zeros((1, 2), np.float32))) == []
