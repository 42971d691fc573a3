"""Evaluation files of many shapes become one; what cannot be asked is counted; files are known by their bytes."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from pydantic import ValidationError

from data_contracts.assessment import AssessConfig, PairSet, QuestionSet
from data_contracts.errors import ConfigError
from tasks import question_files
from tasks.readers.questions import question, read_pairs, read_questions

C3 = {
    "context": ["今天下雨。", "我带了伞。"],
    "question": "天气怎么样？",
    "choices": ["晴", "下雨", "刮风"],
    "answer": "下雨",
}
CMMLU = {
    "subject": "农学",
    "question": "最基本的生产资料是",
    "A": "工具",
    "B": "土地",
    "C": "资金",
    "D": "劳力",
    "answer": "B",
}
AGIEVAL = {
    "passage": None,
    "question": "指的是",
    "options": ["(A)中华文明", "(B)埃及文明", "(C)印度文明"],
    "label": "C",
}
CHID = {"content": "有时候我给你#idiom#，你却不要。", "candidates": ["画蛇添足", "雪中送炭"], "answer": 1}
CLOZE = {"context": ["羊儿 像 白云 。", "草原 上 的 小羊 和 牧民"], "query": "像 天上 的 XXXXX", "answer": "白云"}
OPINION = {"sentence": "手机很好用", "label": "Positive"}

OF_C3 = QuestionSet(name="c3", path="x")
OF_CMMLU = QuestionSet(name="cmmlu", path="x", choices=("A", "B", "C", "D"), group="subject")
OF_AGIEVAL = QuestionSet(name="agieval", path="x", prompt="{passage?}\n问：{question}\n答：{choice}", choices="options", answer="label")  # fmt: skip
OF_CHID = QuestionSet(name="chid", path="x", prompt="{content}", blank="#idiom#", choices="candidates")
OF_CLOZE = QuestionSet(name="cft", path="x", prompt="{context}\n{query}", blank="XXXXX", segmented=True, words_of="context")  # fmt: skip
OF_OPINION = QuestionSet(name="opinion", path="x", prompt="{sentence}，总之{choice}。", labels={"Positive": "好", "Negative": "差"}, answer="label")  # fmt: skip


@pytest.mark.parametrize(
    ("item", "asked", "before", "after", "choices", "answer"),
    [
        (C3, OF_C3, "今天下雨。\n我带了伞。\n问题：天气怎么样？\n答案：", "", ["晴", "下雨", "刮风"], 1),
        (CMMLU, OF_CMMLU, "问题：最基本的生产资料是\n答案：", "", ["工具", "土地", "资金", "劳力"], 1),
        (AGIEVAL, OF_AGIEVAL, "问：指的是\n答：", "", ["中华文明", "埃及文明", "印度文明"], 2),
        (CHID, OF_CHID, "有时候我给你", "，你却不要。", ["画蛇添足", "雪中送炭"], 1),
        (
            CLOZE,
            OF_CLOZE,
            "羊儿像白云。\n草原上的小羊和牧民\n像天上的",
            "",
            ["小羊", "牧民", "白云", "羊儿", "草原"],
            2,
        ),
        (OPINION, OF_OPINION, "手机很好用，总之", "。", ["好", "差"], 0),
    ],
    ids=["c3", "cmmlu", "agieval", "chid", "cloze", "labels"],
)
def test_each_shape_becomes_one(
    item: dict[str, Any], asked: QuestionSet, before: str, after: str, choices: list[str], answer: int
) -> None:
    found = question(item, asked)
    assert (found["before"], found["after"]) == (before, after)
    assert sorted(found["choices"]) == sorted(choices)
    assert found["choices"][found["answer"]] == choices[answer]
    assert found["group"] == ("农学" if asked is OF_CMMLU else "")


def written(folder: Path, rows: list[dict[str, Any]], name: str = "q.jsonl") -> Path:
    path = folder / name
    text = "\n".join(json.dumps(row, ensure_ascii=False) for row in rows).encode()
    path.write_bytes(gzip.compress(text) if name.endswith(".gz") else text)
    return path


def read(folder: Path, rows: list[dict[str, Any]], asked: QuestionSet, most: int = 100, seed: int = 1) -> Any:
    return read_questions([(written(folder, rows), "q.jsonl")], asked, most, seed)


@pytest.mark.parametrize(
    ("change", "asked", "why"),
    [
        ({"label": "AC"}, OF_AGIEVAL, "the answer is none of the choices, or several"),
        ({"label": None}, OF_AGIEVAL, "the answer is none of the choices, or several"),
        ({"options": ["(A)中华文明"]}, OF_AGIEVAL, "the answer is none of the choices, or several"),
        ({"options": ["一样", "一样", "别的"]}, OF_AGIEVAL, "choices are fewer than two, empty or alike"),
        ({"options": "没有列表"}, OF_AGIEVAL, "no list of choices"),
    ],
)
def test_what_cannot_be_asked_is_left_out_and_counted(
    tmp_path: Path, change: Any, asked: QuestionSet, why: str
) -> None:
    found = read(tmp_path, [AGIEVAL, AGIEVAL | change], asked)
    assert (found.items, found.table["item"].to_list(), found.unscored) == (2, ["q.jsonl#1"], {why: 1})


def test_more_reasons_why_an_item_is_left_out(tmp_path: Path) -> None:
    assert read(tmp_path, [CHID, CHID | {"content": "没有空"}], OF_CHID).unscored == {
        "blanks in the text are not one": 1
    }
    assert read(tmp_path, [OPINION, OPINION | {"label": "?"}], OF_OPINION).unscored == {"the answer is no label": 1}
    assert read(tmp_path, [CLOZE, CLOZE | {"answer": ""}], OF_CLOZE).unscored == {"no answer": 1}


def test_a_set_that_asks_nothing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no item has text in context; correct `prompt`"):
        read(tmp_path, [CMMLU], QuestionSet(name="q", path="x", prompt="{context}{choice}", choices=("A", "B")))
    with pytest.raises(ConfigError, match="no item of 1 can be scored: 1 no list of choices"):
        read(tmp_path, [CMMLU], QuestionSet(name="q", path="x"))


def test_a_larger_limit_only_adds_and_the_seed_chooses(tmp_path: Path) -> None:
    rows = [CMMLU | {"question": f"第{i}题"} for i in range(50)]
    items = [read(tmp_path, rows, OF_CMMLU, most).table["item"].to_list() for most in (10, 20, 50)]
    assert [len(one) for one in items] == [10, 20, 50]
    assert [i for i in items[1] if i in items[0]] == items[0]
    assert read(tmp_path, rows, OF_CMMLU, 10, seed=2).table["item"].to_list() != items[0]


def test_pairs_by_any_names_and_a_missing_sentence_is_an_error(tmp_path: Path) -> None:
    rows = [{"paradigm": "量词", "sentence_good": f"一本书{i}", "sentence_bad": f"一个书{i}"} for i in range(30)]
    climp = PairSet(name="climp", path="x", phenomenon="paradigm")
    path = written(tmp_path, rows, "pairs.jsonl.gz")
    found = read_pairs([(path, "pairs.jsonl.gz")], climp, 10, 1)
    assert (found.items, found.table.height) == (30, 10)
    assert found.table.columns == ["item", "phenomenon", "good", "bad"]
    with pytest.raises(ConfigError, match=r"pair 1: no phenomenon"):
        read_pairs([(path, "pairs.jsonl.gz")], PairSet(name="climp", path="x"), 10, 1)


def test_files_are_known_by_their_bytes_and_not_by_their_place(tmp_path: Path) -> None:
    found = []
    for name in ("here", "there"):
        (tmp_path / name).mkdir()
        path = written(tmp_path / name, [C3])
        cfg = AssessConfig(questions=(OF_C3.model_copy(update={"path": str(path)}),), minimal_pairs="embedded")
        found.append(question_files.find(cfg))
    assert found[0].model_dump() == found[1].model_dump()
    assert found[0].listing == found[1].listing
    assert found[0].listing[0][0] == "embedded"
    written(tmp_path / "there", [C3, C3 | {"question": "还有呢？"}])
    assert question_files.find(cfg).listing != found[0].listing


def test_sets_are_laid_out_for_the_program(tmp_path: Path) -> None:
    path = written(tmp_path, [C3, C3 | {"answer": "雪"}])
    cfg = AssessConfig(questions=(OF_C3.model_copy(update={"path": str(path)}),), max_pairs=7)
    (tmp_path / "scratch").mkdir()
    asked = question_files.lay_out(question_files.find(cfg), tmp_path / "scratch")
    assert asked.items == {"c3": {"items": 2, "unscored": {"the answer is none of the choices, or several": 1}}}
    assert [pl.read_parquet(t.path).height for t in (*asked.pairs, *asked.questions)] == [7, 1]
    assert question_files.find(AssessConfig(max_pairs=0)).pairs == ()


def test_missing_files_are_named_and_wrong_settings_refused(tmp_path: Path) -> None:
    gone = str(tmp_path / "gone.jsonl")
    cfg = AssessConfig(minimal_pairs=gone, questions=(OF_C3.model_copy(update={"path": gone}),))
    assert [f.split(":")[0] for f in question_files.faults(cfg)] == ["assess.minimal_pairs", "assess.questions"]
    assert question_files.faults(AssessConfig()) == []
    with pytest.raises(ValidationError, match=r"c3: the prompt needs \{choice\} once"):
        QuestionSet(name="c3", path="x", prompt="{question}")
    with pytest.raises(ValidationError, match="names must differ: c3"):
        AssessConfig(questions=(OF_C3, OF_C3))


def test_real_sets_have_items_of_every_kind(shared_data: Path) -> None:
    for asked, file, least in (
        (OF_C3, "mcq/c3/dev.jsonl.gz", 3800),
        (OF_CMMLU, "mcq/cmmlu/test_part1.jsonl.gz", 5600),
        (OF_AGIEVAL, "mcq/agieval/logiqa-zh.jsonl.gz", 651),
        (OF_CHID, "fewclue/chid/dev_few_all.jsonl.gz", 202),
        (OF_CLOZE, "cloze/cft_auto.jsonl.gz", 800),
    ):
        found = read_questions([(shared_data / file, "a")], asked, 10_000, 1)
        assert found.table.height >= least, (asked.name, found.unscored)
