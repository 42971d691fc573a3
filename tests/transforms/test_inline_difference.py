"""Where two texts part, on one line."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.transforms.inline_difference import inline


@pytest.mark.parametrize(
    ("before", "after", "shown"),
    [
        ("一样的文字", "一样的文字", ""),
        ("今天天气很好", "今天天气不好", "今天天气[-很-]{+不+}好"),
        ("电话13800000000，欢迎", "电话<MOBILE>，欢迎", "电话[-13800000000-]{+<MOBILE>+}，欢迎"),
        ("第一行\n第二行", "第一行\n", "第一行⏎[-第二行-]"),
        ("", "新的", "{+新的+}"),
        (
            "甲" * 50 + "乙" + "丙" * 50,
            "甲" * 50 + "丁" + "丙" * 50,
            "…" + "甲" * 12 + "[-乙-]{+丁+}" + "丙" * 12 + "…",
        ),
        ("天地玄黄宇宙洪荒日月", "天地玄青宇宙洪荒日星", "天地玄[-黄-]{+青+}宇宙洪荒日[-月-]{+星+}"),
        ("甲乙丙丁戊", "甲子丙丑戊", "甲[-乙丙丁-]{+子丙丑+}戊"),
    ],
)
def test_the_first_difference_is_shown(before, after, shown):
    assert inline(before, after) == shown


@given(st.text(alphabet="天地玄黄\n", max_size=30), st.text(alphabet="天地玄黄\n", max_size=30))
def test_it_is_short_and_empty_only_for_equal_texts(before, after):
    shown = inline(before, after, chars=40)
    assert (shown == "") == (before == after)
    assert len(shown) <= 40
    assert "\n" not in shown


def test_long_texts_cost_no_time():
    text = "天地玄黄宇宙洪荒日月盈昃辰宿列张" * 60_000
    assert inline(text, text[:500_000] + "换" + text[500_001:]).count("换") == 1
    assert len(inline(text, text[::-1])) <= 120
