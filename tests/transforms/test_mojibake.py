"""Mojibake is undone where no byte was lost, called broken where one was, and clean text stays as it is."""

from __future__ import annotations

import collections
import gzip

import orjson
import pytest

from tasks.transforms.mojibake import repair

TEXT = "北京的秋天很短，树叶一夜之间就黄了。老人们在公园里下棋、喝茶，孩子们在落叶上奔跑，时间好像走得很慢。"
TRADITIONAL = "臺北的冬天常常下雨，街上的人們撐著傘，慢慢地走過騎樓。茶館裡坐滿了客人，談的都是家常的事情。"


@pytest.mark.parametrize(
    "broken",
    [
        TEXT.encode("gb18030").decode("latin-1"),
        TEXT.encode().decode("latin-1"),
        TEXT.encode().decode("latin-1").encode().decode("latin-1"),
        TEXT.encode().decode("sloppy-windows-1252"),
    ],
)
def test_undone_where_no_byte_was_lost(broken: str) -> None:
    assert broken != TEXT
    assert repair(broken) == (TEXT, False)


def test_other_encodings_undone() -> None:
    assert repair(TRADITIONAL.encode("big5hkscs").decode("latin-1")) == (TRADITIONAL, False)
    even = TEXT.replace("，", ",,").replace("。", "..")  # an even number of bytes in every run: all pairs survive
    misread = even.encode().decode("gb18030", "replace")
    assert repair(misread) == ((even, False) if "\ufffd" not in misread else (misread, True))


@pytest.mark.parametrize(
    "broken",
    [
        TEXT.encode("gb18030").decode("utf-8", "replace"),
        TEXT.encode("gb18030").decode("utf-8", "replace").encode().decode("gb18030", "replace"),  # 锟斤拷
        TEXT.encode().decode("gb18030", "replace"),
    ],
)
def test_broken_for_good(broken: str) -> None:
    text, is_broken = repair(broken)
    assert is_broken
    assert text == broken, "nothing is guessed"


@pytest.mark.parametrize(
    "clean",
    [
        "", TEXT, TRADITIONAL, "Café crème à la française, naïve façade, Ångström, Übermut.",
        "5×3÷2±1，温度 25°C，© 2026 ®，《书》·〇〇年", "涓涓细流汇成大海，锛是一种工具，鐨字少见。", "龘靐齉爩龖龗", "ÀÁÂÃÄÅ ÈÉÊË",
        "乱码常写成「锟斤拷」或「烫烫烫」，原因是编码错误，下面解释它们怎样产生，以及怎样避免这类问题。" + TEXT * 2,
    ],
)  # fmt: skip
def test_clean_text_is_untouched(clean: str) -> None:
    assert repair(clean) == (clean, False)


def test_every_kind_of_real_mojibake(shared_data) -> None:
    """300 texts broken in eight ways: repaired where the bytes survived, else called broken and left alone."""
    ends: dict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)
    for line in gzip.decompress((shared_data / "encodings" / "mojibake.jsonl.gz").read_bytes()).splitlines():
        row = orjson.loads(line)
        wanted = row["original"]
        if row["kind"] == "big5_as_gbk":  # its maker dropped the characters that Big5 does not have
            wanted = wanted.encode("big5", "ignore").decode("big5")
        text, is_broken = repair(row["text"])
        ends[row["kind"]]["broken" if is_broken else "whole" if text == wanted else "wrong"] += 1
        assert not is_broken or text == row["text"], "nothing is guessed"
    whole = ("clean", "gbk_as_latin1", "utf8_as_latin1", "double_utf8", "big5_as_gbk")
    lost = ("utf8_as_gbk", "utf8_as_cp1252", "gbk_as_utf8_replace", "kunjinkao")  # U+FFFD or 锟斤拷 stand for bytes
    assert ends == {kind: {"whole": 60 if kind == "clean" else 30} for kind in whole} | {
        k: {"broken": 30} for k in lost
    }
