"""Lines that a site repeats go from the ends of its texts; refrains, statutes, code and lists of things stay."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_contracts.boilerplate import BoilerplateConfig
from tasks.boilerplate import mark
from tasks.transforms import site_lines

CFG = BoilerplateConfig()
SCHEMA = {"url": pl.String, "text": pl.String}
PLACES, TIMES = ["河边", "山里", "城中", "村外", "学校", "市场", "书店"], ["春天", "夏天", "秋天", "冬天", "早晨"]


def own(i: int, number: int = 3) -> list[str]:
    return [
        f"{TIMES[(i + k) % 5]}{PLACES[(i * 3 + k) % 7]}的第{i}件事，说来话长，且听我慢慢道来。" for k in range(number)
    ]


def frame(texts: list[str], host: str = "a.example") -> pl.DataFrame:
    return pl.DataFrame({"url": [f"http://{host}/{i}" for i in range(len(texts))], "text": texts}, schema=SCHEMA)


def cleaned(documents: pl.DataFrame, cfg: BoilerplateConfig = CFG) -> pl.DataFrame:
    hosts, lines = site_lines.counted(documents, cfg)
    return mark(documents, site_lines.repeated(hosts.lazy(), lines.lazy(), cfg), cfg)


def site(head: list[str], tail: list[str], number: int = 40) -> pl.DataFrame:
    return frame(["\n".join([*head, *own(i), *tail]) for i in range(number)])


HEADS = ["首页 资讯 体育 财经", "字体：大 中 小"]
TAILS = ["本文由编辑部整理", "相关阅读", "版权所有 某某网", "Copyright © 2024 All Rights Reserved"]


def test_menus_and_notices_go_and_are_named() -> None:
    marked = cleaned(site(HEADS, TAILS))
    assert marked["text"].to_list() == ["\n".join(own(i)) for i in range(40)]
    assert marked["removed"][0].to_list() == HEADS + TAILS
    assert marked["count_removed_chars"][0] == sum(len(line) + 1 for line in HEADS + TAILS)
    assert marked["reason"].null_count() == 40


def test_few_documents_prove_nothing() -> None:
    few = site(HEADS, TAILS, 19)
    assert cleaned(few)["text"].equals(few["text"])
    rare = frame(["\n".join([*own(i), *(TAILS if i < 9 else [])]) for i in range(100)])
    assert cleaned(rare)["text"].equals(rare["text"])


def test_hosts_do_not_mix_and_files_are_not_looked_at() -> None:
    texts = ["\n".join([*own(i), TAILS[0]]) for i in range(40)]
    hosts = pl.DataFrame({"url": [f"http://{i}.example/" for i in range(40)], "text": texts})
    assert cleaned(hosts)["text"].equals(hosts["text"])
    files = pl.DataFrame({"url": [f"file:a.jsonl#{i}" for i in range(40)], "text": texts})
    assert cleaned(files)["text"].equals(files["text"])


def test_refrains_of_poems_stay() -> None:
    refrain = "坎坎伐檀兮，寘之河之干兮，"
    poems = frame(["\n".join(["其一", refrain, own(i)[0], refrain, "其二", own(i)[1], refrain]) for i in range(5)] + [
        "\n".join(["其一", own(i)[0], "其二", own(i)[1]]) for i in range(60)
    ])  # fmt: skip
    assert cleaned(poems)["text"].equals(poems["text"])


def test_the_frame_of_statutes_stays() -> None:
    laws = frame([
        "\n".join(["第一章　总则", f"第一条　为了规范第{i}种行为，制定本法。", own(i)[0], "第二章 法律责任", own(i)[1], "附　则",
                   "（一）情节严重的；", "第九条　本法自公布之日起施行。"])
        for i in range(60)
    ])  # fmt: skip
    assert cleaned(laws)["text"].equals(laws["text"])


def test_headings_and_code_in_the_middle_stay() -> None:
    recipes = frame(
        ["\n".join([own(i)[0], "必备原料和工具", own(i)[1], "操作", "}", "return 0;", own(i)[2]]) for i in range(60)]
    )
    assert cleaned(recipes)["text"].equals(recipes["text"])


def test_a_line_with_the_words_of_a_button_goes_from_the_middle_too() -> None:
    pages = frame(["\n".join([own(i)[0], "展开全文", own(i)[1], "阅读 128", own(i)[2]]) for i in range(40)])
    marked = cleaned(pages)
    assert marked["text"][3] == "\n".join([own(3)[0], own(3)[1], "阅读 128", own(3)[2]])


def test_what_stands_behind_a_line_that_stays_stays() -> None:
    pages = frame(["\n".join([*own(i, 2), "本文由编辑部整理", f"{own(i)[0]}完"]) for i in range(40)])
    assert cleaned(pages)["text"].equals(pages["text"])


def test_counters_count_as_one_line() -> None:
    pages = frame(["\n".join([*own(i), f"阅读次数 {i * 37} 次"]) for i in range(40)])
    assert "阅读次数" not in "".join(cleaned(pages)["text"])


def test_a_page_of_boilerplate_only_is_refused_with_its_text() -> None:
    pages = pl.concat([site(HEADS, TAILS), frame(["\n".join(HEADS + TAILS)])])
    marked = cleaned(pages)
    assert marked["reason"].to_list() == [None] * 40 + ["only_boilerplate"]
    assert marked["text"][40] == pages["text"][40]


def test_nothing_comes_of_nothing() -> None:
    empty = frame([])
    assert cleaned(empty).height == 0
    assert cleaned(frame([""] * 30))["text"].to_list() == [""] * 30
    nulls = pl.DataFrame(
        {"url": ["http://a.example/"] * 2, "text": [None, "一"]}, schema={"url": pl.String, "text": pl.String}
    )
    assert cleaned(nulls)["text"].to_list() == [None, "一"]


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("http://a.example/b", "a.example"), ("https://A.Example:8080?x", "a.example:8080"), ("http://me@a.example", "a.example"),
        ("file:a#1", None), ("", None),
    ],
)  # fmt: skip
def test_hosts(url: str, host: str | None) -> None:
    assert pl.select(site_lines.host_of(pl.lit(url))).item() == host


line = st.sampled_from([*HEADS, *TAILS, "", "第一章 总则", "其一", "某一行正文，很平常。", "另一行", "x = 1"])


def is_part_of(part: list[str], whole: list[str]) -> bool:
    """Whether all of `part` stands in `whole` in that order."""
    left = iter(whole)
    return all(each in left for each in part)


@given(st.lists(st.lists(line, min_size=1, max_size=8), min_size=20, max_size=40), st.randoms())
def test_every_line_is_kept_or_removed_in_order(texts: list[list[str]], random) -> None:
    documents = frame(["\n".join(lines) for lines in texts])
    marked = cleaned(documents, BoilerplateConfig(min_line_documents=2))
    for before, after, removed, reason in marked.select(
        pl.Series("before", documents["text"]), "text", "removed", "reason"
    ).rows():
        if reason:
            assert (after, before.split("\n")) == (before, removed)
            continue
        whole, left, rest = before.split("\n"), after.split("\n"), list(removed or [])
        assert sorted(left + rest) == sorted(whole)
        assert is_part_of(left, whole)
        assert is_part_of(rest, whole)
    order = list(range(documents.height))
    random.shuffle(order)
    again = cleaned(documents[order], BoilerplateConfig(min_line_documents=2))
    assert again["text"].equals(marked["text"][order])
