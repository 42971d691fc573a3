from __future__ import annotations

import re
import sys
import unicodedata

import polars as pl
import pytest

from tasks.transforms import html_remains
from tasks.transforms.normalize import NFC_STABLE, REMOVED, normalized


def one(text: str) -> str:
    return normalized(pl.Series([text]))[0]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("２０２６年，ＡＢＣａｂｃ（完）！", "2026年，ABCabc（完）！"),  # letters and digits only
        ("５０％，１：２；～Ａ＋Ｂ", "50％，1：2；～A＋B"),
        ("零\u200b宽\ufeff字\u2060符\u00ad去\x00掉\x07", "零宽字符去掉"),
        ("cafe\u0301 神", "café 神"),
        (
            "\uf9d8 \u212b",
            "\u6468 Å"
            if unicodedata.normalize("NFC", "\uf9d8") == "\u6468"
            else unicodedata.normalize("NFC", "\uf9d8 \u212b"),
        ),
        ("①②㈱ Ⅳ ﬁ", "①②㈱ Ⅳ ﬁ"),  # NFKC would have changed all of them
        ("一\r\n二\r三\u2028四\x0b五\x85六", "一\n二\n三\n四\n五\n六"),
        ("一\n\n\n\n二\n \n\t\n三", "一\n\n二\n\n三"),
        ("\n\n 头  \n尾  \n\n", " 头\n尾".lstrip()),
        ("\u3000\u3000段首缩进\n\u00a0\u00a0“引号”\n  第三段", "段首缩进\n“引号”\n第三段"),
        ("词\u3000\u3000间 \u00a0空格\t\t制表", "词 间 空格 制表"),
        ("def f():\n    return  1\n\n\tx", "def f():\n    return 1\n\n\tx"),
        ("太好了！！！！！！真的？？？？？。。。。。。", "太好了！！！真的？？？。。。"),
        ("----\n====\n####", "----\n====\n####"),
        ("“‘’”「」『』《》——……·、；：？！", "“‘’”「」『』《》——……·、；：？！"),
        ("家👨\u200d👩\u200d👧，字\u200d符", "家👨\u200d👩\u200d👧，字符"),
        ("didn\x92t \x93quote\x94", "didn’t “quote”"),
        ("甲&nbsp;乙&amp;丙&lt;丁&#39;&#x4e2d;&amp;amp;", "甲 乙&丙<丁'中&"),
        ("第一段<br/>第二段</p><p>第三<b>段</b><!-- 注 -->", "第一段\n第二段\n第三段"),
        ("用 List<String> 和 <br> 标签", "用 List<String> 和 <br> 标签"),
        ("```\n<p>代码</p>\n```", "```\n<p>代码</p>\n```"),
        ("a < b && c > d &copy=1 &unknown;", "a < b && c > d &copy=1 &unknown;"),
        ("", ""),
    ],
)
def test_one_way_of_writing(before: str, after: str) -> None:
    assert one(before) == after
    assert one(after) == after


def test_rows_do_not_touch_each_other() -> None:
    texts = ["\n\n一  ", None, "", "　　二", "三", "e", "\u0301", "\r", "\n四"]
    assert normalized(pl.Series(texts)).to_list() == ["一", None, "", "二", "三", "e", "\u0301", "", "四"]
    assert normalized(pl.Series([], dtype=pl.String())).to_list() == []


def test_characters_called_stable_are_stable() -> None:
    stable = re.compile(f"[{NFC_STABLE}]")
    pairs = [unicodedata.decomposition(chr(c)).split() for c in range(sys.maxunicode)]
    seconds = {int(pair[1], 16) for pair in pairs if len(pair) == 2 and not pair[0].startswith("<")}
    joining = seconds | {*range(0x1161, 0x1176), *range(0x11A8, 0x11C3)}  # Hangul composes by arithmetic
    every = "".join(chr(c) for c in range(sys.maxunicode + 1) if not 0xD800 <= c < 0xE000)
    for character in stable.findall(every):
        assert unicodedata.is_normalized("NFC", character), ascii(character)
        assert not unicodedata.combining(character), ascii(character)
        assert ord(character) not in joining, ascii(character)


def test_removed_characters_are_invisible() -> None:
    removed = re.compile(f"[{REMOVED}]")
    kinds = {unicodedata.category(chr(c)) for c in range(sys.maxunicode) if removed.match(chr(c))}
    assert kinds <= {"Cc", "Cf", "Cn", "Zs", "Mn"}


@pytest.mark.parametrize(
    "text", ["&" + "amp;" * 5000 + "lt;", "<b" * 3000 + ">" * 3000, "<!--" * 5000, "<p " * 5000, "&#38;" * 4000]
)
def test_hostile_markup_is_fast_and_stable(text: str) -> None:
    once = html_remains.remove(text)
    assert html_remains.remove(once) == once
