"""报告: what a run's facts become, on whole runs and on runs that lack parts."""

from __future__ import annotations

import base64
import importlib
import json
import math
import re
import sys
from html.parser import HTMLParser
from pathlib import Path

import polars as pl
import pytest

from tasks.report import markdown, render
from tasks.reporting import assessed, curves, pictures, signals
from tasks.reporting import chart as chart_module
from tasks.reporting.facts import Facts, Node
from tasks.reporting.page import headline, told
from tasks.reporting.page import page as whole_page
from tasks.reporting.road import road

sys.path.append(str(Path(__file__).parent))
told_run = importlib.import_module("told_run")
told_scores = importlib.import_module("told_scores")
SECTIONS = [
    "funnel",
    "stages",
    "quality",
    "scored",
    "redaction",
    "duplicates",
    "decontamination",
    "contracts",
    "words",
    "mixture",
    "training",
    "scores",
    "refused",
    "lineage",
    "config",
]

# pictures that a test does not look at
FEW = {"distributions": (), "scored": None, "training": None, "duplicates": None}


@pytest.fixture(scope="module")
def whole() -> str:
    return render(told_run.a_run())


class Page(HTMLParser):
    """Every tag's attributes, and the text outside of style."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self._open: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag == "style":
            self._open.append(tag)

    def handle_endtag(self, tag):
        if tag == "style":
            self._open.pop()

    def handle_data(self, data):
        if not self._open:
            self.text.append(data)


def test_the_page_asks_for_nothing_outside_itself(whole: str):
    page = Page(whole)
    for tag, attributes in page.tags:
        assert tag not in ("script", "link", "iframe", "object", "embed", "base")
        for name in ("src", "href", "xlink:href", "data", "action", "poster", "srcset"):
            value = attributes.get(name)
            assert value is None or value.startswith(("#", "data:")), (tag, name, value)
        assert not [name for name in attributes if name.startswith("on")]
    assert not re.search(r"@import|@font-face|url\((?!#)", whole)
    assert "default-src 'none'" in whole
    outside_of_text = re.sub(r">[^<]*<", "><", whole)
    assert "http://" not in outside_of_text
    assert "https://" not in outside_of_text


def test_every_section_has_its_content(whole: str):
    for section in SECTIONS:
        assert f'<h2 id="{section}">' in whole
    for part in (
        "最后留下 2,055 篇",
        "97 组重复",
        "优于全部基线",
        "第一条",
        "锟斤拷",
        "已缓存 Cached",
        "text.mean_chars",
        "train-9c1f",
        "AUC 0.9712",
        "质量十分位",
        "4-gram 6.31",
    ):
        assert part in whole
    assert whole.count("<svg") == len(pictures.pictures(told_run.a_run())) + 1  # the lineage is drawn, too
    assert "本次运行没有" not in whole
    ids = [a["id"] for _, a in Page(whole).tags if a.get("id") in SECTIONS]
    assert ids == SECTIONS


def test_a_failed_run_says_so_first():
    html = render(told_run.a_run(failing=True).model_copy(update=FEW))
    head = html[: html.index('id="funnel"')]
    assert "运行失败" in head
    assert "✗ 语料 corpus 不合格" in head
    assert html.count('class="mark bad"') == 1


def test_a_run_without_anything_says_what_is_missing():
    html = render(Facts(project="x", run="r", flow="corpus", started_at=""))
    for section in SECTIONS:
        assert f'id="{section}"' in html
    assert html.count('<p class="soft">') == 14
    assert "<svg" not in html
    assert markdown(Facts(project="x", run="r", flow="corpus", started_at="")).startswith("# 字流 x")


def test_text_from_the_web_stays_text():
    bad = '<script>alert(1)</script><img src="https://evil.example/x.png">'
    facts = told_run.a_run().model_copy(update=FEW)
    refused = tuple(r.model_copy(update={"excerpt": bad, "url": bad, "value": bad}) for r in facts.refused)
    facts = facts.model_copy(update={"refused": refused, "project": bad, "config": {"name": bad}, "failure": bad})
    score = facts.scores.model_copy(
        update={"pairs": tuple(p.model_copy(update={"phenomenon": bad}) for p in facts.scores.pairs)}
    )
    facts = facts.model_copy(
        update={"scores": score, "lineage": tuple(n.model_copy(update={"title": bad}) for n in facts.lineage)}
    )
    tags = [tag for tag, _ in Page(render(facts)).tags]
    assert "script" not in tags
    assert "img" not in tags


def test_every_benchmark_has_its_line_and_its_longest_passages(whole):
    text = " ".join(" ".join(Page(whole).text).split())
    assert "9 篇文档含有测试集的 31 道题目; 剪去 1,840 字, 隔离 2 篇" in text
    assert "quiz 5,664 4,005 31 0.5 % 9 statutes 8, news 1" in text
    assert "test/law.jsonl.gz#17 question 93 % · 52 字" in text
    none = told_run.a_run().model_copy(update={**FEW, "decontaminated": None})
    assert "No benchmark was configured" in render(none)


@pytest.mark.parametrize(("bits", "said"), [(5.4, "优于全部基线"), (6.99, "没有优于全部基线"), (None, "")])
def test_the_comparison_with_baselines_is_said_plainly(bits, said):
    facts = told_run.a_run()
    facts = facts.model_copy(update={"scores": facts.scores.model_copy(update={"bits_per_char": bits})})
    from tasks.reporting.page import compared

    assert said in compared(facts)
    assert bool(said) == bool(compared(facts))


@pytest.mark.parametrize("has_font", [True, False])
def test_markdown_holds_small_pictures_and_never_empty_boxes(monkeypatch, has_font: bool):
    from tasks.reporting import markdown_page

    drawn: list[dict] = []
    monkeypatch.setattr(markdown_page, "can_draw_chinese", lambda: has_font)
    monkeypatch.setattr(markdown_page, "png", lambda chart: drawn.append(chart.to_dict()) or chart_module.png(chart))
    text = markdown(told_run.a_run())
    found = re.findall(r"!\[[^\]]+\]\(data:image/png;base64,([^)]+)\)", text)
    assert len(found) == 5
    for picture in found:
        assert len(picture) <= chart_module.PNG_CHARS
        assert base64.b64decode(picture).startswith(b"\x89PNG")
    labels = json.dumps([{k: v for k, v in chart.items() if k != "config"} for chart in drawn], ensure_ascii=False)
    assert bool(re.search("[\u4e00-\u9fff]", labels)) == has_font
    assert "| 清洗 clean | 2,364 | 2,236 | 128 |" in text
    assert "| quiz | 5,664 | 4,005 | 31 | 9 |" in text
    assert "> **第一条**" in text


def test_whether_a_font_has_chinese_is_seen_in_the_drawing(monkeypatch):
    chart_module.can_draw_chinese.cache_clear()
    monkeypatch.setattr(chart_module.vlc, "svg_to_png", lambda svg: b"box")
    assert not chart_module.can_draw_chinese()
    chart_module.can_draw_chinese.cache_clear()
    monkeypatch.setattr(chart_module.vlc, "svg_to_png", lambda svg: svg.encode())
    assert chart_module.can_draw_chinese()
    chart_module.can_draw_chinese.cache_clear()


@pytest.mark.parametrize(
    ("text", "english"),
    [
        ("正文长度, 字 characters", ", characters"),
        ("清洗 clean", "clean"),
        ("篇", "-"),
        ("0.5 靠猜 chance", "0.5 chance"),
    ],
)
def test_the_english_half_of_a_label(text: str, english: str):
    assert chart_module.latin(text) == english


def test_curves_are_thinned_to_means_and_keep_their_end(tmp_path):
    lines = [
        "step,loss,bits_per_char",
        *(f"{i},{i * 2.0},{'' if i % 2 else 1.5}" for i in range(1, 1001)),
        "1001,nan,1",
        "10",
    ]
    (tmp_path / "metrics.csv").write_text("\n".join(lines))
    (tmp_path / "speed.csv").write_text("step,tokens_per_second,peak_share\n1,100,\n2,300,0.5\n")
    run = curves.training(tmp_path, {"steps": 1000})
    assert len(run.steps) <= curves.POINTS
    assert run.steps[-1]["step"] == 1001
    assert run.steps[0] == {"step": 3.0, "loss": 4.0, "bits_per_char": 1.5}
    assert run.figures == {"steps": 1000, "tokens_per_second": 200.0, "peak_share": 0.5}
    assert curves.training(tmp_path / "nowhere", {}) is None


def test_documents_of_skipped_steps_are_named_and_their_urls_escaped(tmp_path):
    (tmp_path / "metrics.csv").write_text("step,loss\n1,2.5\n", encoding="utf-8")
    rows = ["step,doc_id,source,url", "7,0123456789abcdef,law,https://example.org/<b>", "7,fedcba9876543210,poem,"]
    (tmp_path / "skipped_documents.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    run = curves.training(tmp_path, {"skipped_steps": 1})
    assert run.skipped == (
        ("7", "0123456789abcdef", "law", "https://example.org/<b>"),
        ("7", "fedcba9876543210", "poem", ""),
    )
    html = render(Facts(project="p", run="r", flow="pretraining", started_at="2026-01-01T00:00:00Z", training=run))
    assert "https://example.org/&lt;b&gt;" in html
    assert "fedcba9876543210" in html
    assert "跳过的尖峰步" in html
    assert "documents of skipped steps" not in render(told_run.a_run())


def test_scores_are_read_as_far_as_they_are_there():
    raw = {
        "model": {"parameters": 12},
        "bits_per_char": {"bits_per_char": 5.5, "chars": 10},
        "baselines": {"unigram": 9.5, "bigram": {"bits_per_char": 7.0}, "broken": None},
        "minimal_pairs": {
            "accuracy": 0.5,
            "pairs": 10,
            "interval": [0.2, 0.8],
            "by_phenomenon": {
                "量词": {"accuracy": 1.0, "pairs": 4, "low": 0.5, "high": 1.0},
                "空": {"accuracy": None, "pairs": 0},
            },
        },
        "samples": [{"prompt": "春", "text": "春眠不觉晓"}, {"prompt": "春", "text": "眠"}],
    }
    found = assessed.scores(raw)
    assert (found.bits_per_char, found.baselines, found.parameters) == (5.5, {"unigram": 9.5, "bigram": 7.0}, 12)
    assert [(p.phenomenon, p.pairs, p.low, p.high) for p in found.pairs] == [
        ("全部 all", 10, 0.2, 0.8),
        ("量词", 4, 0.5, 1.0),
    ]
    assert [s.text for s in found.samples] == ["眠不觉晓", "眠"]
    empty = assessed.scores({"bits_per_char": None, "minimal_pairs": None, "samples": None})
    assert (empty.bits_per_char, empty.pairs, empty.samples) == (None, (), ())


def test_everything_an_assessment_found_is_told():
    found = assessed.scores(told_scores.scores_json(), told_scores.SPEED)
    assert [s.source for s in found.sources][:2] == ["laws_cn", "poetry"]
    assert list(found.sources[0].baselines) == list(found.baselines) == ["unigram", "bigram", "fourgram"]
    assert {q.name: q.verdict.split()[0] for q in found.questions} == {
        "c3": "高于随机",
        "cmmlu": "与随机无异",
        "chid": "低于随机",
    }
    assert [(c.model, c.held_out) for c in found.generated][-3:] == [
        ("61", "24"),
        ("14.000", "9.000"),
        ("0.125", "0.000"),
    ]
    assert found.speed["内存峰值, MB peak memory"] == "812"
    html = whole_page(told_run.a_run().model_copy(update={"scores": found}))
    for words in (
        "按来源",
        "acc 0.27",
        "± 0.031",
        "javaguide",
        "高于随机 above chance",
        "35.1% – 41.2%",
        "逐字背出至少 30 字的占 6.2%",
        "9,120",
    ):
        assert words in html


def test_a_masked_model_is_said_to_have_no_scores():
    found = assessed.scores(
        {"not_scored": "not scored: a masked model has no left-to-right likelihood", "bits_per_char": None}
    )
    html = whole_page(told_run.a_run().model_copy(update={"scores": found}))
    assert "a masked model has no left-to-right likelihood" in html
    assert "按来源" not in html


def test_pairs_of_several_sets_are_told_by_set():
    one = {"accuracy": 0.5, "low": 0.2, "high": 0.8, "count": 10}
    sets = {name: {**one, "by_phenomenon": {"量词": one}} for name in ("climp", "zhoblimp")}
    found = assessed.scores({"minimal_pairs": {**one, "count": 20, "sets": sets}})
    assert [p.phenomenon for p in found.pairs] == [
        "全部 all",
        "climp 全部 all",
        "climp · 量词",
        "zhoblimp 全部 all",
        "zhoblimp · 量词",
    ]
    alone = assessed.scores({"minimal_pairs": {**one, "sets": {"climp": sets["climp"]}}})
    assert [p.phenomenon for p in alone.pairs] == ["全部 all", "量词"]


def test_histograms_count_every_document_once_and_know_the_limits():
    frame = pl.LazyFrame(
        {
            "reason": [None, "too_short", None, None],
            "chars": [10.0, 1.0, 1000.0, 0.0],
            "han_ratio": [0.5, math.nan, 0.5, 0.5],
        }
    )
    found = {
        d.signal: d for d in signals.distributions(frame, {"min_chars": 5, "min_han_ratio": 0.3, "max_chars": 900})
    }
    assert sum(b.kept for b in found["chars"].bins) == 3
    assert sum(b.quarantined for b in found["chars"].bins) == 1
    assert (found["chars"].low_limit, found["chars"].high_limit) == (5, 900)
    assert found["chars"].bins[-1].high == pytest.approx(1000)
    assert sum(b.kept + b.quarantined for b in found["han_ratio"].bins) == 3  # all equal: one bin, no division by zero
    assert signals.distributions(frame.head(0), {}) == []


def test_the_road_draws_every_box_below_its_parents():
    nodes = [
        Node(name="crawl/1", title="抓取", detail="", parents=()),
        Node(name="extract/1", title="提取", detail="", parents=("crawl/1",)),
        *(Node(name=f"ingest_files/{i}", title="读入", detail="", parents=()) for i in range(5)),
        Node(name="clean/1", title="清洗", detail="", parents=("extract/1", *(f"ingest_files/{i}" for i in range(5)))),
    ]
    drawing = road(nodes)
    assert drawing.count("<rect") == 5  # crawl, three of the row of six, clean
    assert "+3" in drawing
    assert drawing.index("抓取") < drawing.index("提取") < drawing.index("清洗")
    assert road([]) == ""


def test_what_went_by_its_url_and_repeated_paragraphs_is_said_where_there_is_any():
    facts = told_run.a_run()
    assert "网址" not in told(facts)["duplicates"]
    some = facts.duplicates.model_copy(update={"same_url": 7, "paragraphs": 1200})
    said = told(facts.model_copy(update={"duplicates": some}))["duplicates"]
    assert "7 more gave way to the same URL" in said
    assert "1,200 repeated paragraphs were taken out" in said


def test_a_comparison_of_corpora_says_its_verdict_and_no_figure_of_one_model():
    bare = Facts(project="p", run="r", flow="comparison", started_at="", verdict="语料 甲 <更好>。")
    assert "语料 甲 &lt;更好&gt;。" in whole_page(bare)
    assert "语料 甲 <更好>。" in markdown(bare)
    run = told_run.a_run()
    labels, compared = ([h[0] for h in headline(r)] for r in (run, run.model_copy(update={"verdict": "甲"})))
    assert set(labels) - set(compared) == {"每字比特数 bits per character"}


def test_nearest_words_are_told_where_vectors_were_learned():
    near = (("医生", "医师 0.91、护士 0.84"),)
    assert "医师 0.91、护士 0.84" in whole_page(
        Facts(project="p", run="r", flow="vectors", started_at="", neighbours=near)
    )
