from __future__ import annotations

import io
import logging
import random
import re
import warnings

import polars as pl
import pytest
import rjieba

from data_contracts.errors import ConfigError
from tasks.transforms.user_dictionary import HAN, Entry, cutter, parsed, usable

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
    return HAN.findall(text)


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
    with pytest.raises(ConfigError, match=r"words\.txt, line 2: '的 0'"):
        parsed(["云计算 5", "的 0"], "words.txt")


@pytest.mark.parametrize(
    "lines",
    [
        ["云计算", "创新办", "李小福", "螺蛳粉", "王大明", "量子波动研究所", "网易杭研大厦"],
        ["云计算 5", "创新办 3 i", "李小福 2 nr", "大桥边 1000000", "南京市长 50000", "江大桥 9"],
        ["我们 1", "中国 900000", "北京大学 3 nt", "的 5", "云计算", "云计算 7", "是云 1000000"],
    ],
)
def test_equal_to_jieba_with_the_same_dictionary(lines):
    reference, ours = jieba_with(lines), cutter(tuple(usable(parsed(lines, "x"))))
    for text in (TEXT, "我们在中国北京大学学习，是云也是雨。"):
        for run in runs_of(text):
            for hmm in (True, False):
                assert ours.cut(run, hmm) == reference.lcut(run, HMM=hmm)


def test_equal_to_jieba_on_real_text_with_words_that_cut_across_its_own(shared_data):
    dice, texts = random.Random(3), []
    for name in ("news", "lctt", "novels", "laws_tw"):
        frame = pl.read_parquet(shared_data / "pretrain" / f"{name}.parquet", columns=["text"])
        texts += [t[:1500] for t in frame["text"].gather_every(max(1, frame.height // 6)).to_list()[:6]]
    runs = [run for text in texts for run in runs_of(text)]
    wild = [run[a : a + dice.randrange(2, 6)] for run in dice.sample(runs, 300) for a in [dice.randrange(len(run))]]
    known = [word for run in dice.sample(runs, 200) for word in rjieba.cut(run) if len(word) > 1]
    lines = [dice.choice([w, w, f"{w} {dice.choice([1, 3, 50, 20000])}"]) for w in wild + known[:150]]
    reference, ours = jieba_with(lines), cutter(tuple(usable(parsed(lines, "x"))))
    assert [ours.cut(run, True) for run in runs] == [reference.lcut(run) for run in runs]
    assert sum(ours.cut(run, True) != rjieba.cut(run, True) for run in runs) > 50, "the words make a difference"


def test_without_words_it_is_the_cutter_of_the_process():
    assert cutter(()) is rjieba
    assert cutter((Entry("螺蛳粉"),)) is cutter((Entry("螺蛳粉"),))
    assert re.sub("[^螺]", "", "".join(rjieba.cut("螺蛳粉"))) == "螺"
    assert rjieba.has_word("螺蛳粉") is False, "a dictionary never leaks into the others"
