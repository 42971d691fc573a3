"""The learning rates of a run are drawn before it trains, and the report draws what was planned."""

from __future__ import annotations

import pytest

from data_contracts.optimizers import OptimizerConfig
from tasks.planned import draw_schedule
from tasks.reporting import curves
from tasks.reporting.facts import Facts
from tasks.reporting.page import figures, page


@pytest.mark.parametrize(("name", "lines"), [("adamw", 1), ("muon", 2)])
def test_it_is_drawn_before_training_and_shown_in_the_report(tmp_path, name, lines):
    draw_schedule(OptimizerConfig(name=name), 400, tmp_path)
    drawn = (tmp_path / "schedule.svg").read_text(encoding="utf-8")
    assert drawn.startswith("<svg xmlns=")  # a browser shows it by itself
    assert drawn.count('aria-roledescription="line mark"') == lines
    (tmp_path / "metrics.csv").write_text("step,loss\n1,5\n2,4\n", encoding="utf-8")
    run = curves.training(tmp_path, {})
    assert run is not None
    assert (run.schedule[0]["step"], run.schedule[-1]["step"]) == (1, 400)
    assert "训练前定下的学习率" in page(Facts(project="p", run="r", flow="f", started_at="", training=run))


def test_minutes_are_drawn_in_thousandths(tmp_path):
    draw_schedule(OptimizerConfig(), -1, tmp_path)
    assert curves.table(tmp_path / "schedule.csv")[-1]["step"] == 1000


def test_held_out_sets_and_the_data_of_a_mixture_are_told(tmp_path):
    (tmp_path / "metrics.csv").write_text("step,loss\n1,5\n2,4\n", encoding="utf-8")
    table = "step,set,loss,bits_per_char,tokens\n1,law,6,,9\n2,law,5.5,4.25,9\n2,general,5,,9\n"
    (tmp_path / "validation_sets.csv").write_text(table, encoding="utf-8")
    data = [{"name": "blocks/general", "share": 0.25, "tokens": 2_000_000, "epochs": 1.5}]
    run = curves.training(tmp_path, {"data": data, "ended": "early"})
    told = dict(figures(Facts(project="p", run="r", flow="f", started_at="", training=run)))
    assert told["数据 data blocks/general"] == "25.0% · 2M 词元 tokens · 1.50 遍 epochs"
    assert told["验证 validation law"] == "5.5000 · 4.2500 比特/字 bits per character"
    assert told["验证 validation general"] == "5.0000"
    assert told["结束于 ended"] == "early"
