from __future__ import annotations

import io
import logging
import random
import re
import warnings
from itertools import pairwise

import numpy as np
import polars as pl
import pytest

from data_contracts.errors import ConfigError
from tasks.transforms.dictionary import HAN, standard
from tasks.transforms.user_dictionary import Entry, knowing, parsed, usable
from tasks.transforms.words import words

TEXT = (
    "他来到了网易杭研大厦，李小福是创新办主任也是云计算方面的专家。"
    "台中市的王大明爱吃螺蛳粉，南京市长江大桥边有一家量子波动研究所。"
)


def jieba_with(lines: list[str]):
    """A jieba of its own with a user dictionary, read by jieba itself."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import jieba

        jieba.setLogLevel(logging.ERROR)
        made = jieba.Tokenizer()
        made.load_userdict(io.StringIO("\n".join(lines)))
    return made


def runs_of(text: str) -> list[str]:
    return re.findall(HAN, text)


def cut(runs: list[str], dictionary, hmm: bool = True) -> list[list[str]]:
    made, found = words(runs, hmm, dictionary), []
    for run, first, last in zip(runs, made.offsets[:-1], made.offsets[1:], strict=True):
        ends = [0, *np.cumsum(made.chars[first:last]).tolist()]
        found.append([run[a:b] for a, b in pairwise(ends)])
    return found


def test_a_line_is_read_as_jieba_reads_it():
    lines = [
        "\ufeff云计算 5",
        "李小福 2 nr",
        "创新办 3 i",
        "easy_install 3 eng",
        "好用 300",
        "韩玉赏鉴 nz",
        "八一双鹿 3 nz",
        "",
        "台中",
    ]
    assert parsed(lines, "x")[:2] == [Entry("云计算", 5), Entry("李小福", 2)]
    assert parsed(lines, "x")[5:] == [Entry("韩玉赏鉴"), Entry("八一双鹿", 3), Entry("台中")]
    assert [e.word for e in usable(parsed(lines, "x"))] == [
        "云计算",
        "李小福",
        "创新办",
        "好用",
        "韩玉赏鉴",
        "八一双鹿",
        "台中",
    ]


def test_a_word_that_is_taken_away_is_refused():
    for bad in ("的 0", "的 00", f"的 {10**16}"):
        with pytest.raises(ConfigError, match=rf"words\.txt, line 2: '{bad}'"):
            parsed(["云计算 5", bad], "words.txt")


@pytest.mark.parametrize(
    "lines",
    [
        ["云计算", "创新办", "李小福", "螺蛳粉", "王大明", "量子波动研究所", "网易杭研大厦"],
        ["云计算 5", "创新办 3 i", "李小福 2 nr", "大桥边 1000000", "南京市长 50000", "江大桥 9"],
        ["我们 1", "中国 900000", "北京大学 3 nt", "的 5", "云计算", "云计算 7", "是云 1000000"],
    ],
)
def test_equal_to_jieba_with_the_same_dictionary(lines):
    reference, ours = jieba_with(lines), knowing(tuple(usable(parsed(lines, "x"))))
    assert ours.total == reference.total
    for text in (TEXT, "我们在中国北京大学学习，是云也是雨。"):
        for hmm in (True, False):
            runs = runs_of(text)
            assert cut(runs, ours, hmm) == [reference.lcut(run, HMM=hmm) for run in runs]


def test_equal_to_jieba_on_real_text_with_words_that_cut_across_its_own(shared_data):
    dice, texts = random.Random(3), []
    for name in ("news", "lctt", "novels", "laws_tw"):
        frame = pl.read_parquet(shared_data / "pretrain" / f"{name}.parquet", columns=["text"])
        texts += [t[:1500] for t in frame["text"].gather_every(max(1, frame.height // 6)).to_list()[:6]]
    runs = [run for text in texts for run in runs_of(text)]
    wild = [run[a : a + dice.randrange(2, 6)] for run in dice.sample(runs, 300) for a in [dice.randrange(len(run))]]
    known = [word for words_of_run in cut(dice.sample(runs, 200), standard()) for word in words_of_run if len(word) > 1]
    lines = [dice.choice([w, w, f"{w} {dice.choice([1, 3, 50, 20000])}"]) for w in wild + known[:150]]
    reference, ours = jieba_with(lines), knowing(tuple(usable(parsed(lines, "x"))))
    made = cut(runs, ours)
    assert made == [reference.lcut(run) for run in runs]
    without = cut(runs, standard())
    assert sum(a != b for a, b in zip(made, without, strict=True)) > 50, "the words make a difference"


def test_without_words_it_is_the_dictionary_of_the_process():
    assert knowing(()) is standard()
    assert knowing((Entry("螺蛳粉"),)) is knowing((Entry("螺蛳粉"),))
    assert knowing((Entry("螺蛳粉"),)).has(["螺蛳粉", "螺蛳粉面", "北京"]).tolist() == [True, False, True]
    assert standard().has(["螺蛳粉"]).tolist() == [False], "a dictionary never leaks into the others"


def test_more_words_than_the_table_has_room_for():
    """Beyond that number the dictionary is read again into a larger table."""
    many = [Entry(f"{chr(0x4E00 + i % 20_000)}{chr(0x9000 + i // 20_000)}龘龘", 1 + i % 7) for i in range(60_000)]
    made = knowing(tuple(many))
    assert len(made.keys) > len(standard().keys)
    assert made.total == standard().total + sum(e.frequency for e in many)
    assert made.frequencies([e.word for e in many]).tolist() == [e.frequency for e in many]
    assert made.frequencies(["北京"]) == standard().frequencies(["北京"])
