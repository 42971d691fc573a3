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
    whole = GlobalOrder([count], seed=5).samples(0, 5 * count)
    for first in (0, 1, count, 3 * count - 1):
        assert GlobalOrder([count], seed=5).samples(first, count).tolist() == whole[first : first + count].tolist()
    late = GlobalOrder([count], seed=5).samples(10**12, 3)  # O(1): no run through what comes before
    assert ((late >= 0) & (late < count)).all()


def test_every_epoch_is_a_permutation_and_they_differ() -> None:
    order = GlobalOrder([200], seed=3)
    epochs = [order.samples(e * 200, 200).tolist() for e in range(3)]
    assert all(sorted(e) == list(range(200)) for e in epochs)
    assert epochs[0] != epochs[1] != epochs[2]


def test_samples_do_not_depend_on_how_they_are_asked_for() -> None:
    whole = GlobalOrder([1000], seed=9).samples(0, 70_000)  # longer than one computed chunk
    stepwise = GlobalOrder([1000], seed=9)
    assert np.concatenate([stepwise.samples(i, 100) for i in range(0, 70_000, 100)]).tolist() == whole.tolist()


MIXES = st.lists(st.tuples(st.integers(1, 300), st.floats(0.01, 1)), min_size=1, max_size=5)


def mixed(mix: list[tuple[int, float]], seed: int = 1) -> tuple[GlobalOrder, list[float], np.ndarray]:
    whole = sum(weight for _, weight in mix)
    shares = [weight / whole for _, weight in mix]
    ends = np.cumsum([count for count, _ in mix])
    return GlobalOrder([count for count, _ in mix], seed, shares), shares, ends


@given(MIXES, st.integers(0, 10**9), st.integers(1, 2000))
def test_any_stretch_of_samples_has_the_shares_of_the_datasets(
    mix: list[tuple[int, float]], first: int, count: int
) -> None:
    order, shares, ends = mixed(mix)
    dataset = np.searchsorted(ends, order.samples(first, count), side="right")
    found = np.bincount(dataset, minlength=len(mix))
    assert np.abs(found - count * np.array(shares)).max() <= len(mix) + count * 2.0**-17
    taken = np.array(order.taken(first + count)) - np.array(order.taken(first))
    assert taken.tolist() == found.tolist()


@given(MIXES, st.integers(0, 10**6), st.integers(1, 300), st.integers(1, 300))
def test_a_mixture_does_not_depend_on_where_reading_begins(
    mix: list[tuple[int, float]], first: int, skipped: int, count: int
) -> None:
    whole = mixed(mix)[0].samples(first, skipped + count)
    assert mixed(mix)[0].samples(first + skipped, count).tolist() == whole[skipped:].tolist()


def test_each_dataset_has_its_own_epochs() -> None:
    order, _, ends = mixed([(50, 0.2), (300, 0.8)])
    blocks = order.samples(0, 4000)
    small = blocks[blocks < ends[0]]
    assert all(sorted(small[i : i + 50].tolist()) == list(range(50)) for i in range(0, 750, 50))
    large = blocks[blocks >= ends[0]]
    assert sorted(large[:300].tolist()) == list(range(50, 350))
    assert small[:50].tolist() != small[50:100].tolist()


def test_one_dataset_alone_has_the_order_that_it_always_had() -> None:
    assert GlobalOrder([9], seed=1).samples(0, 9).tolist() == permuted(np.arange(9), 9, 1_000_003).tolist()
    assert GlobalOrder([9], seed=1).samples(9, 9).tolist() == permuted(np.arange(9), 9, 1_000_004).tolist()
