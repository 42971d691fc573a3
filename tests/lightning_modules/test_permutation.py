from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightning_modules.permutation import GlobalOrder, permuted


@given(st.integers(1, 3000), st.integers(0, 2**40))
def test_a_permutation_is_a_bijection(count: int, key: int) -> None:
    assert sorted(permuted(np.arange(count), count, key).tolist()) == list(range(count))


def test_keys_give_unrelated_orders() -> None:
    first, second = (permuted(np.arange(4000), 4000, key) for key in (1, 2))
    assert (first == second).mean() < 0.01
    assert abs(np.corrcoef(first, second)[0, 1]) < 0.1
    assert abs(np.corrcoef(first, np.arange(4000))[0, 1]) < 0.1


@pytest.mark.parametrize("count", [1, 2, 7, 100])
def test_any_position_is_reached_without_the_ones_before(count: int) -> None:
    whole = GlobalOrder(count, seed=5).samples(0, 5 * count)
    for first in (0, 1, count, 3 * count - 1):
        assert GlobalOrder(count, seed=5).samples(first, count).tolist() == whole[first : first + count].tolist()
    late = GlobalOrder(count, seed=5).samples(10**12, 3)  # O(1): no run through what comes before
    assert ((late >= 0) & (late < count)).all()


def test_every_epoch_is_a_permutation_and_they_differ() -> None:
    order = GlobalOrder(200, seed=3)
    epochs = [order.samples(e * 200, 200).tolist() for e in range(3)]
    assert all(sorted(e) == list(range(200)) for e in epochs)
    assert epochs[0] != epochs[1] != epochs[2]


def test_samples_do_not_depend_on_how_they_are_asked_for() -> None:
    whole = GlobalOrder(1000, seed=9).samples(0, 70_000)  # longer than one computed chunk
    stepwise = GlobalOrder(1000, seed=9)
    assert np.concatenate([stepwise.samples(i, 100) for i in range(0, 70_000, 100)]).tolist() == whole.tolist()
