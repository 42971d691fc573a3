from __future__ import annotations

import logging
import re
import warnings

import numpy as np
import polars as pl
import pytest
import rjieba
from hypothesis import given, settings
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


@pytest.mark.parametrize(
    "text", ["巴金常在此会见中外宾客", "似花枝常在瓶", "常在花中與竹中", "圆石斜坡常在较陡峭的礁岸"]
)
def test_of_two_ways_with_equal_weight_jiebas_is_taken(jieba, text):
    """常在 as states BE or SS: the sums are equal to the last bit."""
    assert pieces(text) == jieba.lcut(text)
    assert rjieba.cut(text) != jieba.lcut(text), "why a port that compares sums otherwise is not enough"


RARE = "".join(map(chr, range(0x9FB0, 0x9FD6))) + "丂丄丅丆丏丒"  # no dictionary, and no state has seen most of them


@settings(max_examples=300)
@given(
    st.lists(
        st.text(st.characters(min_codepoint=0x4E00, max_codepoint=0x9FD5), max_size=12)
        | st.text(st.sampled_from(RARE + "的常在中国人民大学生了"), max_size=12)
        | st.sampled_from(["中华人民共和国", "中华人民共和", "不管三七二十一", "国", "王小明", "在"]),
        max_size=8,
    ),
    st.booleans(),
)
def test_equal_to_jieba_on_any_row_of_han_characters(jieba, parts, hmm):
    text = "".join(parts)
    assert pieces(text, hmm) == jieba.lcut(text, HMM=hmm)


def test_equal_to_jieba_on_one_run_of_many_thousand_characters(jieba, shared_data):
    frame = pl.read_parquet(shared_data / "pretrain" / "novels.parquet", columns=["text"])
    text = "".join(HAN.findall("".join(frame["text"].head(20).to_list())))[:40_000]
    assert len(text) > 20_000
    assert pieces(text) == jieba.lcut(text)


@pytest.mark.slow
def test_equal_to_jieba_and_nearly_always_to_rjieba_on_much_text(jieba, shared_data):
    runs = differ = 0
    for file in sorted((shared_data / "pretrain").glob("*.parquet")):
        texts = pl.read_parquet(file, columns=["text"])["text"]
        for text in texts.gather_every(max(1, len(texts) // 60)).to_list():
            han = HAN.findall(text[:20_000])
            ours = [u for u in pieces(text[:20_000]) if HAN.fullmatch(u)]
            differ += ours != [w for run in han for w in rjieba.cut(run)]
            assert ours == [w for run in han for w in jieba.lcut(run)]
            runs += len(han)
    assert runs > 100_000
    assert differ < 5


def test_words_are_what_is_neither_space_nor_mark():
    cut = words(["你好， 2024年 ok"])
    assert cut.chars[cut.is_word].tolist() == [2, 4, 1, 2]
