"""The comparison page is one file, holds every figure, and asks for nothing."""

from __future__ import annotations

import importlib
import re
import sys
from pathlib import Path

import pytest

from tasks.contest import contest
from tasks.reporting.chart import KEPT, QUIET, REFUSED
from tasks.reporting.contest_page import Verdict, page, teams, winner
from tasks.reporting.contest_pictures import colour, learning

sys.path.append(str(Path(__file__).parent))
told = importlib.import_module("told_contest")


@pytest.fixture(scope="module")
def found():
    three = [told.entrant("旧 old"), told.entrant("新 new", 0.09, 0.2, seed=8), told.entrant("坏 <bad>", -0.1, seed=9)]
    return contest(three, resamples=1000)


@pytest.fixture(scope="module")
def html(found):
    said = Verdict(zh="语料 A 更好。", en="Corpus A is better.", noise="种子间的标准差 0.01。")
    settings = [("clean.min_chars", "100", "<5>")]
    return page(found, at="2026-11-26T02:00:00Z", verdict=said, settings=settings, notes=["两篇被略去。"])


def test_the_page_holds_what_was_found_and_asks_for_nothing(found, html):
    bits = found.table("headline")[0]
    for value in (f.value for f in bits.figures):
        assert f"{value:.3f}" in html
    for against in bits.contrasts:
        assert f"{against.difference:+.3f}" in html
    for word in ("更好 better", "更差 worse", "zhoblimp · 量词", "laws_cn", "靠猜 chance 25.0%", "240", "Holm"):
        assert word in html
    assert "坏 &lt;bad&gt;" in html
    assert "<bad>" not in html
    assert re.findall(r"""(?:src|href)\s*=\s*["'](?!#|data:)""", html) == []
    assert "<script" not in html
    assert "://" not in html
    assert winner(bits) == 1


def test_every_model_has_its_curves_against_tokens_and_seconds(found, html):
    assert html.count('aria-label="学习曲线 learning curve"') == 4
    drawn = learning(found, "validation", "seconds", *teams(found, found.table("headline")[0])).to_dict()
    assert [layer["mark"]["type"] for layer in drawn["layer"]] == ["line", "text", "text"]
    data = drawn["layer"][0]["data"]
    values = data["values"] if "values" in data else drawn["datasets"][data["name"]]
    assert {v["model"]: v["colour"] for v in values} == {m.model: c for m, c in zip(found.models, (REFUSED, KEPT, QUIET), strict=True)}  # fmt: skip
    assert max(v["x"] for v in values) == pytest.approx(0.21 * 240 * 1.09)


def test_losses_of_other_units_are_not_drawn_on_one_axis():
    two = [told.entrant("a"), told.entrant("b", unit="loss")]
    assert learning(contest(two, resamples=100), "train", "tokens", "a", "b") is None


def test_colours_say_better_worse_or_not_told_apart(found):
    bits, pairs = found.table("headline")[:2]
    assert [colour(bits, d, p) for d, p in ((-0.1, 0.01), (0.1, 0.01), (-0.1, 0.2))] == [KEPT, REFUSED, QUIET]
    assert [colour(pairs, d, 0.01) for d in (0.1, -0.1)] == [KEPT, REFUSED]


def test_a_verdict_stands_first_and_settings_that_differ_last(html):
    assert html.index("语料 A 更好。") < html.index("旧 old") < html.index("clean.min_chars")
    for word in ("Corpus A is better.", "种子间的标准差", "clean.min_chars", "&lt;5&gt;", "两篇被略去。"):
        assert word in html


def test_one_source_and_no_questions_make_a_short_page():
    one = told.documents().filter(source="poetry")
    none = told.outcomes(0.1).clear()
    two = [told.entrant(n, documents=one, outcomes=none, curves={}) for n in ("a", "b")]
    html = page(contest(two, resamples=100))
    assert 'id="sources"' not in html
    assert 'id="groups"' not in html
    assert 'id="learning"' not in html


def test_two_curves_stand_out_also_where_the_reference_is_best(found):
    best_first = contest([told.entrant("好 good", 0.2), told.entrant("b", seed=8), told.entrant("c", -0.2, seed=9)], resamples=100)  # fmt: skip
    assert teams(found, found.table("headline")[0]) == ("新 new", "旧 old")
    assert teams(best_first, best_first.table("headline")[0]) == ("好 good", "b")
