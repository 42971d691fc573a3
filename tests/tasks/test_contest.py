"""Models are compared on what all were asked, and never on anything else."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import polars as pl
import pytest

from data_contracts.errors import ConfigError
from tasks.contest import Contest, Round, contest

sys.path.append(str(Path(__file__).parent))
told = importlib.import_module("told_contest")
DRAWS = {"resamples": 2000}


def round_of(found: Contest, table: str, name: str = "") -> Round:
    [one] = [r for r in found.table(table) if r.name == name]
    return one


def test_the_better_model_wins_by_what_it_is_better():
    found = contest([told.entrant("a"), told.entrant("b", 0.08, 0.2, seed=8)], **DRAWS)
    bits = round_of(found, "headline")
    [against] = bits.contrasts
    assert (bits.units, bits.asked, bits.less_is_better) == (240, (240, 240), True)
    assert against.difference == pytest.approx(-0.08, abs=0.03)
    assert against.low < -0.08 < against.high < 0
    assert against.p < 0.01
    assert against.corrected >= against.p
    assert against.difference == pytest.approx(bits.figures[1].value - bits.figures[0].value)
    pairs = round_of(found, "headline", "zhoblimp")
    assert (pairs.chance, pairs.units, pairs.less_is_better) == (0.5, 300, False)
    assert pairs.contrasts[0].difference == pytest.approx(0.1, abs=0.01)
    assert round_of(found, "headline", "c3").chance == 0.25


def test_sources_and_phenomena_have_rounds_of_their_own():
    found = contest([told.entrant("a"), told.entrant("b", 0.08)], **DRAWS)
    assert [r.name for r in found.table("sources")] == sorted(told.SOURCES)
    assert sum(r.units for r in found.table("sources")) == 240
    assert sum(r.chars for r in found.table("sources")) == round_of(found, "headline").chars
    assert {r.name for r in found.table("groups")} == {f"zhoblimp · {name}" for name in told.PHENOMENA}


def test_only_what_all_were_asked_counts():
    found = contest([told.entrant("a"), told.entrant("b", documents=told.documents(0.1, start=200))], **DRAWS)
    bits = round_of(found, "headline")
    assert (bits.units, bits.asked) == (40, (240, 240))
    whole = contest([told.entrant("a"), told.entrant("b", documents=told.documents(0.1, count=440))], **DRAWS)
    assert round_of(whole, "headline").units == 240


def test_texts_that_only_share_their_name_are_not_the_same():
    """A document with another text has another digest, whatever its source and length."""
    other = told.documents().with_columns(digest=pl.col("digest").str.replace("^0", "f"))
    with pytest.raises(ConfigError, match="b: no held-out text in common with a"):
        contest([told.entrant("a"), told.entrant("b", documents=other)], **DRAWS)


def test_models_that_only_share_in_pairs_are_refused():
    three = [told.entrant("a"), told.entrant("b", documents=told.documents(count=100)), told.entrant("c", documents=told.documents(start=150, count=60))]  # fmt: skip
    with pytest.raises(ConfigError, match="common to all"):
        contest(three, **DRAWS)


def test_another_question_set_of_the_same_name_is_left_out_and_said():
    found = contest([told.entrant("a"), told.entrant("b", outcomes=told.outcomes(0.2, start=5000))], **DRAWS)
    assert [r.name for r in found.table("headline")] == [""]
    assert len(found.left_out) == 2
    assert found.left_out[0].startswith("b: zhoblimp: ")


def test_who_lacks_a_set_has_no_figure_in_its_round():
    without = told.outcomes(0.2).filter(pl.col("set") != "c3")
    found = contest([told.entrant("a"), told.entrant("b", outcomes=without), told.entrant("c", seed=9)], **DRAWS)
    c3 = round_of(found, "headline", "c3")
    assert [f is None for f in c3.figures] == [False, True, False]
    assert [c.model for c in c3.contrasts] == [2]
    assert found.left_out == ()


def test_the_reference_may_be_any_and_turns_the_signs():
    two = [told.entrant("a"), told.entrant("b", 0.08)]
    one, other = (round_of(contest(two, i, **DRAWS), "headline").contrasts[0] for i in (0, 1))
    assert (one.model, other.model) == (1, 0)
    assert one.difference == pytest.approx(-other.difference)
    assert one.low == pytest.approx(-other.high)


def test_equal_models_are_not_told_apart():
    found = contest([told.entrant("a"), told.entrant("b")], **DRAWS)
    assert {c.p for r in found.rounds for c in r.contrasts} == {1.0}


def test_many_comparisons_are_corrected_together():
    few = contest([told.entrant("a"), told.entrant("b", 0.06, seed=8)], **DRAWS)
    more = [told.entrant(str(i), seed=20 + i) for i in range(6)]
    many = contest([told.entrant("a"), told.entrant("b", 0.06, seed=8), *more], **DRAWS)
    first, then = (round_of(each, "headline").contrasts[0] for each in (few, many))
    assert first.p == then.p
    assert then.corrected > first.corrected


def test_the_same_draws_every_time_and_a_whole_result_as_json():
    two = [told.entrant("a"), told.entrant("b", 0.05, seed=8)]
    found = contest(two, **DRAWS)
    assert contest(two, **DRAWS) == found
    assert Contest.model_validate_json(found.model_dump_json()) == found
    assert contest(two, seed=2, **DRAWS) != found


def test_a_handful_of_documents_gives_no_p_value():
    few = [told.entrant(n, better, documents=told.documents(better, count=6)) for n, better in (("a", 0.0), ("b", 1.0))]
    found = contest(few, **DRAWS)
    bits = round_of(found, "headline")
    assert bits.too_few
    assert (bits.contrasts[0].p, bits.contrasts[0].corrected) == (1.0, 1.0)
    assert bits.contrasts[0].difference == pytest.approx(-1.0, abs=0.2)
    assert not round_of(found, "headline", "c3").too_few


def test_other_texts_stand_beside_with_rounds_of_their_own():
    other = [told.documents(better, count=50, start=500) for better in (0.0, 0.3)]
    found = contest([told.entrant("a"), told.entrant("b")], beside={"only a": other}, **DRAWS)
    [one] = found.table("beside")
    assert (one.name, one.units) == ("only a", 50)
    assert one.contrasts[0].difference == pytest.approx(-0.3, abs=0.1)
    assert round_of(found, "headline").contrasts[0].difference == 0
