from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from scipy import stats

from tasks.transforms.paired_bootstrap import Estimate, draws, estimate, holm, resampled, with_training_noise


def test_every_draw_takes_as_many_as_there_are_and_the_seed_decides():
    first = np.concatenate(list(draws(7, 50, 1)))
    assert first.shape == (50, 7)
    assert (first.sum(axis=1) == 7).all()
    assert (first == np.concatenate(list(draws(7, 50, 1)))).all()
    assert (first != np.concatenate(list(draws(7, 50, 2)))).any()


def test_batches_change_nothing_of_what_a_draw_is(monkeypatch):
    monkeypatch.setattr("tasks.transforms.paired_bootstrap._CELLS", 20)
    assert [len(batch) for batch in draws(7, 5, 1)] == [2, 2, 1]


def test_the_interval_is_that_of_the_formula_of_the_mean():
    values = np.random.default_rng(3).normal(0.1, 1, 400)
    found = estimate(values.mean(), resampled(values[:, None], np.ones(400), 20_000, 1)[:, 0])
    known = stats.t.interval(0.95, 399, values.mean(), stats.sem(values))
    assert (found.low, found.high) == pytest.approx(known, abs=0.006)
    assert found.p == pytest.approx(stats.ttest_1samp(values, 0).pvalue, abs=0.01)


def test_what_makes_documents_hard_falls_out_of_a_paired_difference():
    dice = np.random.default_rng(1)
    hard, chars = dice.uniform(2, 12, 200), dice.integers(50, 2000, 200).astype(float)
    bits = np.column_stack([hard, hard + 0.05 + dice.normal(0, 0.02, 200)]) * chars[:, None]
    drawn = resampled(bits, chars, 4000, 1)
    alone = drawn.std(axis=0)
    together = (drawn[:, 1] - drawn[:, 0]).std()
    assert together < alone.min() / 20
    assert estimate(0.05, drawn[:, 1] - drawn[:, 0]).p < 0.001


def test_a_difference_that_is_none_is_rarely_called_one():
    """Of 200 comparisons of equal models about 5 % fall below 0.05."""
    dice = np.random.default_rng(9)
    hits = 0
    for _ in range(200):
        values = dice.normal(0, 1, 80)
        hits += estimate(0.0, resampled(values[:, None], np.ones(80), 1000, 1)[:, 0]).p < 0.05
    assert 2 <= hits <= 22


def test_no_common_unit_is_an_error():
    with pytest.raises(ValueError, match="nothing to draw from"):
        resampled(np.zeros((0, 2)), np.zeros(0), 10, 1)


def test_holm_is_the_worked_example_of_its_procedure():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([]) == []


@given(some.lists(some.floats(0, 1), max_size=12))
@settings(deadline=None)
def test_holm_never_makes_a_p_smaller_and_keeps_their_order(values: list[float]):
    told = holm(values)
    assert all(a >= b for a, b in zip(told, values, strict=True))
    assert all(told[i] <= told[j] for i in range(len(values)) for j in range(len(values)) if values[i] < values[j])


def test_noise_between_seeds_widens_the_interval():
    drawn = np.random.default_rng(1).normal(0.1, 0.01, 5000)
    calm = with_training_noise(np.array([5.1, 5.1001]), np.array([5.0, 5.0001]), drawn, 100)
    wild = with_training_noise(np.array([5.05, 5.15]), np.array([4.95, 5.05]), drawn, 100)
    assert calm.estimate.value == wild.estimate.value == pytest.approx(0.1)
    assert calm.estimate.p < 0.001
    assert calm.seed_deviation < 0.001
    assert wild.seed_deviation == pytest.approx(0.0707, abs=0.001)
    assert (wild.freedom, wild.estimate.p > 0.05) == (pytest.approx(2.1, abs=0.1), True)
    assert wild.estimate.low < 0 < wild.estimate.high


def test_noise_of_training_alone_is_students_test():
    first, second = np.array([5.0, 5.2, 5.1]), np.array([4.8, 4.9, 5.05])
    found = with_training_noise(first, second, np.zeros(10), 10**9).estimate
    assert found.p == pytest.approx(stats.ttest_ind(first, second).pvalue)
    assert isinstance(found, Estimate)


def test_one_run_a_side_tells_nothing_of_noise():
    with pytest.raises(ValueError, match="one training run"):
        with_training_noise(np.ones(1), np.zeros(1), np.zeros(3), 10)
