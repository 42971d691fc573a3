from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from data_contracts.optimizers import SCHEDULES, OptimizerConfig, learning_rate_share, planned
from data_contracts.training import PretrainConfig

NAMES = sorted(SCHEDULES)


def shape(steps: int, **settings: Any) -> list[float]:
    cfg = OptimizerConfig(**settings)
    return [learning_rate_share(step, steps, cfg) for step in range(steps + 1)]


def test_warm_up_constant_decay() -> None:
    found = shape(100, warmup_ratio=0.1, decay_ratio=0.5)
    assert found[:10] == pytest.approx([(i + 1) / 10 for i in range(10)])
    assert set(found[9:51]) == {1.0}
    assert found[99] == pytest.approx(1 / 50)
    assert found[100] == 0.0


def test_cosine_goes_half_way_down_in_the_middle() -> None:
    found = shape(110, schedule="cosine", warmup_steps=10, min_learning_rate_ratio=0.2)
    assert found[9] == found[10] == 1.0
    assert found[60] == pytest.approx(0.6)
    assert found[35] == pytest.approx(0.2 + 0.8 * (0.5 + 0.5 * math.cos(math.pi / 4)))
    assert found[110] == pytest.approx(0.2)


def test_linear_and_constant() -> None:
    line = shape(110, schedule="linear", warmup_steps=10)
    assert line[10:] == pytest.approx([1 - i / 100 for i in range(101)])
    flat = shape(110, schedule="constant", warmup_ratio=0.1)
    assert flat[:11] == pytest.approx([(i + 1) / 11 for i in range(11)])
    assert set(flat[10:]) == {1.0}


@given(
    st.sampled_from(NAMES),
    st.integers(1, 2000),
    st.floats(0, 1),
    st.floats(0, 1),
    st.floats(0, 1),
    st.integers(0, 3000),
)
def test_a_rate_is_a_share_and_never_nothing_while_training(
    name: str, max_steps: int, warmup: float, decay: float, lowest: float, steps: int
) -> None:
    every = {"schedule": name, "decay_ratio": decay, "min_learning_rate_ratio": lowest}
    for warm in ({"warmup_ratio": warmup}, {"warmup_steps": steps}):
        rates = shape(max_steps, **every, **warm)[:-1]
        assert all(0 < rate <= 1 for rate in rates)


@given(st.sampled_from(NAMES), st.integers(1, 500), st.floats(0, 1))
def test_it_rises_once_and_falls_once(name: str, max_steps: int, warmup: float) -> None:
    rates = shape(max_steps, schedule=name, warmup_ratio=warmup)
    top = rates.index(max(rates))
    assert rates[: top + 1] == sorted(rates[: top + 1])
    assert rates[top:] == sorted(rates[top:], reverse=True)


def test_every_optimizer_has_a_rate_of_its_own() -> None:
    assert OptimizerConfig().learning_rate == 1e-3
    assert OptimizerConfig(name="sgd").learning_rate == 0.1
    assert OptimizerConfig(name="sgd").momentum == 0.9
    assert OptimizerConfig(name="sgd", learning_rate=0.3, momentum=0).learning_rate == 0.3
    assert OptimizerConfig(name="muon").momentum == 0.95


def test_adafactor_is_refused_where_weights_lie_in_shards() -> None:
    with pytest.raises(ValidationError, match="adafactor takes means over rows and columns"):
        PretrainConfig(optimizer={"name": "adafactor"}, strategy="fsdp", devices=2)
    assert PretrainConfig(optimizer={"name": "muon"}, strategy="fsdp", devices=2).optimizer.name == "muon"


def test_what_is_planned_is_what_the_run_will_use() -> None:
    cfg = OptimizerConfig(name="muon", schedule="cosine", learning_rate=0.002, matrix_learning_rate=0.03)
    rows = planned(cfg, 5000, points=50)
    assert (len(rows), rows[0]["step"], rows[-1]["step"]) == (50, 1, 5000)
    for row in rows:
        share = learning_rate_share(int(row["step"]) - 1, 5000, cfg)
        assert row["learning_rate"] == 0.002 * share
        assert row["matrix_learning_rate"] == 0.03 * share
    assert [r["step"] for r in planned(OptimizerConfig(), 3)] == [1, 2, 3]
    assert set(planned(OptimizerConfig(), 1)[0]) == {"step", "learning_rate"}
