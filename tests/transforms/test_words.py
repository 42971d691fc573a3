from __future__ import annotations

import logging
import re
import warnings

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.segment import word_lengths
from tasks.transforms.words import words

HAN = re.compile("[\u4e00-\u9fd5]+")


def pieces(text: str, hmm: bool = True) -> list[str]:
    cut = words([text], hmm)
    ends = np.cumsum(cut.chars).tolist()
    return [text[a:b] for a, b in zip([0, *ends[:-1]], ends, strict=True)] if text else []


@pytest.fixture(scope="module")
def jieba():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pkg_resources, regular expressions of 2012
        import jieba

        jieba.setLogLevel(logging.ERROR)
        jieba.initialize()
    return jieba


@pytest.mark.parametrize(
    ("text", "units"),
    [
        ("我爱北京天安门。", "我/爱/北京/天安门/。"),
        ("主频2.8GHz的CPU，github.com！", "主频/2/./8GHz/的/CPU/，/github/./com/！"),
        ("他说……“好——”。。。", "他/说/……/“/好/——/”/。。。"),
        ("第一行\n\n  第二行", "第一行/\n\n  /第二行"),
        ("二\u3007二四年", "二/\u3007/二/四年"),
        ("㐂𠮷吉", "㐂/𠮷/吉"),
        ("cafe\u0301 Привет", "cafe\u0301/ /Привет"),
        ("😀😀！", "😀😀/！"),
        ("", ""),
    ],
)
def test_units(text, units):
    assert pieces(text) == (units.split("/") if units else [])


@given(st.lists(st.text(st.characters() | st.sampled_from("我们来自北京的大学生 a1。\n"), max_size=40), max_size=6))
def test_units_add_up_to_the_text_and_texts_do_not_mix(texts):
    cut = words(texts)
    lengths = word_lengths(cut)
    assert lengths.list.sum().to_list() == [len(t) for t in texts]
    assert lengths.to_list() == [words([t]).chars.tolist() for t in texts]
    assert lengths.dtype == pl.List(pl.UInt32)
    assert (cut.chars > 0).all()


@pytest.mark.parametrize("hmm", [True, False])
def test_equal_to_jieba_on_every_han_run(jieba, hmm):
    for text in (
        "小明硕士毕业于中国科学院计算所，后在日本京都大学深造。",
        "南京市长江大桥，研究生命的起源；他来到了网易杭研大厦。",
        "永和九年，岁在癸丑，暮春之初，会于会稽山阴之兰亭，修禊事也。",
        "国破山河在，城春草木深。感时花溅泪，恨别鸟惊心。",
    ):
        assert [u for u in pieces(text, hmm) if HAN.fullmatch(u)] == [
            w for run in HAN.findall(text) for w in jieba.lcut(run, HMM=hmm)
        ]


def test_equal_to_jieba_on_real_text(jieba, shared_data):
    texts = []
    for name in ("news", "lctt", "poetry", "novels", "laws_tw", "subtitles"):
        frame = pl.read_parquet(shared_data / "pretrain" / f"{name}.parquet", columns=["text"])
        texts += [t[:2000] for t in frame["text"].gather_every(max(1, frame.height // 8)).to_list()[:8]]
    runs = 0
    for text in texts:
        han = HAN.findall(text)
        ours = [u for u in pieces(text) if HAN.fullmatch(u)]
        assert ours == [w for run in han for w in jieba.lcut(run)]
        runs += len(han)
    assert runs > 2000


def test_words_are_what_is_neither_space_nor_mark():
    cut = words(["你好， 2024年 ok"])
    assert cut.chars[cut.is_word].tolist() == [2, 4, 1, 2]
