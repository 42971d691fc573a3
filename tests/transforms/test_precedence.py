from __future__ import annotations

import polars as pl
import pytest

from tasks.transforms.precedence import LAST, id_numbers, id_texts, precedence
from tests.given_documents import documents


def order(frame: pl.DataFrame, rule) -> list[str]:
    """Texts, the one that stays first."""
    rows = precedence(frame, rule).tolist()
    return [frame["text"][i] for i in sorted(range(frame.height), key=rows.__getitem__)]


def test_ids_are_numbers_and_back():
    ids = ["0000000000000000", "00000000000000ff", "ffffffffffffffff", "6060935e8fc77b05"]
    assert id_numbers(pl.Series(ids)).tolist() == [int(i, 16) for i in ids]
    assert id_texts(id_numbers(pl.Series(ids))) == ids


@pytest.mark.parametrize("rule", ["longest", "oldest", "best"])
def test_ties_go_to_the_smaller_id(rule):
    frame = documents(["甲", "乙", "丙"])
    assert order(frame, rule) == frame.sort("doc_id")["text"].to_list()


def test_the_longest_comes_first():
    assert order(documents(["一", "一二三", "一二"]), "longest") == ["一二三", "一二", "一"]


def test_the_oldest_date_comes_first_and_none_comes_last():
    dates = {"无": None, "乱": "昨天", "日": "2020-05-28", "月": "2020-05", "年": "2020", "早": "1998-01-01T08:00:00Z"}
    frame = documents(list(dates)).with_columns(date=pl.Series(list(dates.values())))
    assert order(frame, "oldest")[:4] == ["早", "年", "月", "日"]


def test_the_best_score_comes_first_and_none_comes_last_by_length():
    scores = {"零": 0.0, "负": -1.5, "高": 0.9, "低": 0.1, "没有": None, "不是数": float("nan"), "更低": -2.0}
    frame = documents(list(scores)).with_columns(quality=pl.Series(list(scores.values()), dtype=pl.Float64))
    assert order(frame, "best") == ["高", "低", "零", "负", "更低", "不是数", "没有"]


def test_without_a_score_the_longest_is_the_best():
    frame = documents(["一", "一二三", "一二"])
    assert "quality" not in frame.columns or frame["quality"].null_count() == 3
    assert order(frame, "best") == ["一二三", "一二", "一"]
    assert set(precedence(frame, "best")[:, 0].tolist()) == {int(LAST)}
