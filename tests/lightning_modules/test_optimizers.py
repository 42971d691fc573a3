from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from data_contracts.training import OptimizerConfig
from lightning_modules.optimizers import adamw, schedule, warmup_constant_decay


def test_warm_up_constant_decay() -> None:
    cfg = OptimizerConfig(warmup_ratio=0.1, decay_ratio=0.5)
    shape = [warmup_constant_decay(step, 100, cfg) for step in range(100)]
    assert shape[:10] == pytest.approx([(i + 1) / 10 for i in range(10)])
    assert set(shape[9:51]) == {1.0}
    assert shape[99] == pytest.approx(1 / 50)
    assert warmup_constant_decay(100, 100, cfg) == 0.0


def test_the_end_of_the_decay_is_the_lowest_rate() -> None:
    cfg = OptimizerConfig(min_learning_rate_ratio=0.1)
    assert warmup_constant_decay(1000, 1000, cfg) == pytest.approx(0.1)


@given(st.integers(1, 2000), st.floats(0, 1), st.floats(0, 1), st.floats(0, 1))
def test_a_rate_is_a_share_and_never_nothing_while_training(
    max_steps: int, warmup: float, decay: float, lowest: float
) -> None:
    cfg = OptimizerConfig(warmup_ratio=warmup, decay_ratio=decay, min_learning_rate_ratio=lowest)
    rates = [warmup_constant_decay(step, max_steps, cfg) for step in range(max_steps)]
    assert all(0 < rate <= 1 for rate in rates)


def test_torch_steps_through_the_same_schedule() -> None:
    cfg = OptimizerConfig(learning_rate=0.5)
    layer = torch.nn.Linear(2, 2)
    optimizer = adamw(layer, cfg)
    scheduler = schedule(optimizer, 20, cfg)
    for step in range(20):
        assert optimizer.param_groups[0]["lr"] == 0.5 * warmup_constant_decay(step, 20, cfg)
        optimizer.step()
        scheduler.step()


def test_only_matrices_decay() -> None:
    layer = torch.nn.Linear(3, 4)
    decayed, free = adamw(layer, OptimizerConfig(weight_decay=0.2)).param_groups
    assert [tuple(p.shape) for p in decayed["params"]] == [(4, 3)]
    assert decayed["weight_decay"] == 0.2
    assert [tuple(p.shape) for p in free["params"]] == [(4,)]
    assert free["weight_decay"] == 0.0
    assert decayed["fused"] is True
