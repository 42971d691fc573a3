from __future__ import annotations

import csv
import json
import math
from pathlib import Path
from typing import Any

import pytest

from lightning_modules.find_rate import suggestion
from tests.lightning_modules.tiny_runs import Trained, call, write_run

RATES = [10 ** (-6 + 6 * i / 99) for i in range(100)]


def curve(steepest: float, lowest: float) -> list[float]:
    """A loss that falls along a logistic around one rate and grows after another."""
    fall = [6 - 3 / (1 + math.exp(-4 * math.log10(r / steepest))) for r in RATES]
    return [f + max(0.0, math.log10(r / lowest)) ** 2 for f, r in zip(fall, RATES, strict=True)]


@pytest.mark.parametrize(("steepest", "lowest"), [(1e-3, 1e-1), (1e-4, 1e-2), (1e-2, 1e-2), (3e-2, 3e-2)])
def test_the_lower_of_the_steepest_fall_and_a_tenth_of_the_lowest_loss_is_suggested(
    steepest: float, lowest: float
) -> None:
    losses = curve(steepest, lowest)
    tenth = RATES[losses.index(min(losses))] / 10
    found = suggestion(RATES, losses)
    assert found["suggested"] == pytest.approx(min(steepest, tenth), rel=0.3)
    assert found["highest"] == pytest.approx(max(steepest, tenth), rel=0.3)
    assert found["suggested"] <= found["highest"]


def test_a_loss_that_never_falls_suggests_nothing() -> None:
    nothing = {"suggested": None, "highest": None}
    assert suggestion(RATES, [1.0 + i for i in range(100)]) == nothing
    assert suggestion(RATES[:2], [1.0, 2.0]) == nothing


def test_a_range_test_leaves_the_run_as_it_is(trained: Trained) -> None:
    """On a finished run: its files stay, and the loss of the test falls and grows again."""
    before = {p: p.read_bytes() for p in trained.folder.rglob("*") if p.is_file()}
    ended = call("find-lr", str(trained.folder / "run.yaml"), "--steps", "60", "--low", "1e-5", "--high", "100")
    assert ended.code == 0
    end = ended.of("end")[0]
    made = {"learning_rates.csv", "learning_rates.json"}
    after = {p: p.read_bytes() for p in trained.folder.rglob("*") if p.is_file() and p.name not in made}
    assert after == before
    with (trained.folder / "learning_rates.csv").open(encoding="utf-8", newline="") as file:
        rows = [{k: float(v) for k, v in row.items()} for row in csv.DictReader(file)]
    smoothed = [row["smoothed"] for row in rows]
    assert [row["step"] for row in rows] == list(range(1, len(rows) + 1))
    assert smoothed[0] == pytest.approx(rows[0]["loss"])
    assert min(smoothed) < smoothed[0] - 0.3
    assert smoothed[-1] > min(smoothed)
    told = json.loads((trained.folder / "learning_rates.json").read_text(encoding="utf-8"))
    assert told == {name: end[name] for name in told}
    assert 1e-5 < told["suggested"] < 1
    assert told["configured"] == 3e-3


@pytest.mark.parametrize(
    "changes",
    [{"optimizer": {"name": "muon"}}, {"model": {"architecture": "bert", "layers": 1, "heads": 2, "width": 32}}],
)
def test_other_optimizers_and_masked_models_are_tested_too(
    corpus: Any, tmp_path: Path, changes: dict[str, Any]
) -> None:
    run = write_run(corpus, tmp_path, **changes, batch_warmup={"start_tokens": 128, "ratio": 0.5})
    ended = call("find-lr", str(run), "--steps", "20")
    assert ended.code == 0
    assert ended.of("end")[0]["steps"] == 20


def test_a_range_that_tells_nothing_is_refused(trained: Trained) -> None:
    for words in (("--steps", "5"), ("--low", "1", "--high", "0.1")):
        ended = call("find-lr", str(trained.folder / "run.yaml"), *words)
        assert ended.code == 2
        assert "take 20 or more, from low to high" in ended.of("error")[0]["message"]
