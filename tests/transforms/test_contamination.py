"""What convicts, what does not, what is cut: frame in, frame out, on invented evaluation texts."""

from __future__ import annotations

import opencc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_contracts.decontamination import DecontaminateConfig
from tasks.transforms.contamination import cleanse, contaminated
from tasks.transforms.cuts import widened, without
from tasks.transforms.flat_text import flat_text
from tasks.transforms.fold import fold
from tasks.transforms.gram_index import GramIndex, build

QUESTION = "小明把盛有水的玻璃杯放在窗台上，三天以后水面下降了两厘米，其中的主要原因是下列哪一种现象"
PASSAGE = (
    "村口的老槐树据说已经有四百多岁了，树干要五个人才能合抱，夏天的傍晚全村的老人都搬着竹椅坐在树下说古。"
    "去年一场雷雨劈断了最粗的那根枝条，县里派来的技术员用水泥补好了树洞，又在周围砌了一圈石栏。"
)
BEFORE = "今天的天气很好，我们一起去公园散步。路上遇到了很多老朋友，大家都非常高兴。"
AFTER = "回家以后他们做了一顿丰盛的晚饭。饭后又看了一会儿电视，很晚才睡觉。"
CFG = DecontaminateConfig(margin_chars=0)


def index_of(units: list[str], cfg: DecontaminateConfig = CFG) -> GramIndex:
    return build(fold(units, cfg.fold_script), cfg.ngram_chars, cfg.max_units_per_ngram)


LAW, NAME = "《中华人民共和国民族区域自治法》颁布于", "关于 Latent Dirichlet Allocation 错误的是"
INDEX = index_of([QUESTION, PASSAGE, "太短的题目", LAW, NAME])


def units_in(text: str, cfg: DecontaminateConfig = CFG) -> list[int]:
    return contaminated([text], INDEX, cfg)["unit"].to_list()


@pytest.mark.parametrize(
    "change",
    [
        lambda t: t,
        lambda t: t.translate(str.maketrans("，。", ",.")),  # width
        lambda t: opencc.OpenCC("s2t").convert(t),  # script
        lambda t: " ".join(t),  # spaces between characters
        lambda t: "\n".join(t[i : i + 9] for i in range(0, len(t), 9)),  # broken lines
        lambda t: f"**{t[:20]}**{t[20:]}",  # markup
        lambda t: t.replace("三天", "五天").replace("四百", "三百"),  # a number changed
        lambda t: t[: len(t) * 9 // 10],  # its greater part
    ],
)
@pytest.mark.parametrize(("unit", "text"), [(0, QUESTION), (1, PASSAGE)])
def test_copies_and_edited_copies_convict(unit, text, change):
    copy = change(text)
    for around in (copy, BEFORE + copy + AFTER):
        assert units_in(around) == [unit]


@pytest.mark.parametrize(
    "text",
    [
        "",
        BEFORE + AFTER,
        BEFORE + QUESTION[:15] + AFTER,  # a run, but a short one
        BEFORE + QUESTION[:26] + AFTER,  # a longer one, but no more than a quotation
        BEFORE + PASSAGE[:30] + AFTER,  # longer, but a small part of a long text
        "最早见于《中华人民共和国民族区域自治法》，后来又改过",  # the name of a law
        "主题模型 latent Dirichlet allocation 常用于文本",  # a name of many letters
        "他说：太短的题目，太短的题目，太短的题目",  # of an item too short to be judged
        "水面下降的主要原因是蒸发。小明把玻璃杯放在窗台上。",  # the same matter in other words
    ],
)
def test_what_is_alike_by_chance_does_not(text):
    assert units_in(text) == []


def test_a_long_stretch_of_a_longer_text_convicts():
    text = BEFORE + PASSAGE[:55] + AFTER
    assert units_in(text) == [1], "two fifths of it, and forty characters"
    strict = CFG.model_copy(update={"min_part_ratio": 0.9})
    assert units_in(text, strict) == []
    assert units_in(text, strict.model_copy(update={"min_long_chars": 50})) == [1]


def test_a_formula_of_the_test_itself_does_not_convict():
    formula = "阅读下面的材料并且根据材料的内容回答问题"
    items = [f"{formula}第{n}题" for n in "一二三四五六七八九"]
    assert contaminated([formula], index_of(items), CFG).height == len(items)
    few = CFG.model_copy(update={"max_units_per_ngram": 8})
    assert contaminated([formula], index_of(items, few), few).is_empty()


def test_findings_say_what_and_where():
    text = BEFORE + QUESTION + AFTER
    [found] = contaminated([BEFORE, text], INDEX, CFG).to_dicts()
    assert text[found["start"] : found["stop"]] == QUESTION
    assert found["overlap"] == 1.0
    assert found["chars"] == found["run_chars"] == len(fold([QUESTION], True).codes)
    assert (found["row"], found["unit"], found["excerpt"]) == (1, 0, QUESTION[:80])


def test_only_the_mode_span_cuts():
    text = BEFORE + QUESTION + AFTER
    for remove in ("document", "none"):
        cleansed = cleanse([text], INDEX, CFG.model_copy(update={"remove": remove}))
        assert cleansed.texts == [text]
        assert cleansed.findings.height == 1
    cut = cleanse([BEFORE, text], INDEX, CFG)
    assert cut.texts == [BEFORE, BEFORE + AFTER]


def test_two_passages_of_one_text_go_and_what_lies_between_stays():
    middle = "这里是中间的一段话。" * 9
    assert cleanse([BEFORE + QUESTION + middle + PASSAGE + AFTER], INDEX, CFG).texts == [BEFORE + middle + AFTER]


def test_the_halves_of_an_item_around_another_go_in_a_second_look():
    """Once the inner item is cut, what stood before and after it reads as one item."""
    text = BEFORE + QUESTION[:14] + PASSAGE + QUESTION[14:] + AFTER
    cfg = CFG.model_copy(update={"min_item_ratio": 0.8})
    assert cleanse([text], INDEX, cfg).texts == [BEFORE + AFTER]
    assert cleanse([text], INDEX, cfg).findings["unit"].to_list() == [1, 0]


pieces = st.lists(
    st.sampled_from(
        [BEFORE, AFTER, QUESTION, PASSAGE, QUESTION[:20], QUESTION[20:], PASSAGE[:40], PASSAGE[40:], "。", "换"]
    ),
    max_size=7,
)


@given(st.lists(pieces.map("".join), max_size=4), st.integers(0, 30))
def test_what_is_cut_once_is_not_cut_again(texts, margin):
    cfg = CFG.model_copy(update={"margin_chars": margin})
    cleansed = cleanse(texts, INDEX, cfg)
    assert contaminated(cleansed.texts, INDEX, cfg).is_empty()
    assert cleanse(cleansed.texts, INDEX, cfg).texts == cleansed.texts
    touched = set(cleansed.findings["row"])
    for row, (before, after) in enumerate(zip(texts, cleansed.texts, strict=True)):
        assert (before == after) == (row not in touched)
        rest = iter(before)
        assert all(c in rest for c in after), "nothing is added, nothing changes its place"


@given(st.lists(pieces.map("".join), max_size=5), st.randoms())
def test_a_text_is_judged_by_itself(texts, rng):
    alone = [contaminated([t], INDEX, CFG).drop("row").rows() for t in texts]
    order = list(range(len(texts)))
    rng.shuffle(order)
    together = contaminated([texts[i] for i in order], INDEX, CFG)
    for row, i in enumerate(order):
        assert together.filter(row=row).drop("row").rows() == alone[i]


# cuts -------------------------------------------------------------------------------------------------------------------


def test_a_cut_widens_to_whole_sentences_within_its_margin():
    text = "第一句话在这里。第二句话里有题目原文，然后结束。第三句话在最后。"
    start = text.index("题目")
    assert widened(text, [(start, start + 4)], 0) == [(start, start + 4)]
    [(a, b)] = widened(text, [(start, start + 4)], 5)
    assert text[a:b] == "第二句话里有题目原文，然后结束。"
    assert without(text, [(a, b)]) == "第一句话在这里。第三句话在最后。"
    assert widened(text, [(start, start + 4)], 99) == [(0, len(text))]


def test_cuts_that_touch_are_one():
    text = "甲" * 30
    assert widened(text, [(20, 22), (2, 4), (3, 8)], 1) == [(0, 10), (18, 24)]
    assert without(text, []) == text
    assert flat_text([without(text, [(0, 10), (18, 24)])]).offsets.tolist() == [0, 14]
