from __future__ import annotations

import itertools
from pathlib import Path

import polars as pl
import pytest

from data_contracts.network import flops_per_token
from data_contracts.scaling import REFERENCE, ScalingCurve, ladder
from tasks.transforms.scaling import TRAINING_SHARE, WORTHY_EPOCHS, Trained, best, candidates, fitted

RUNS = Path(__file__).resolve().parents[1] / "fixtures" / "scaling_runs.csv"
KNOWN = ScalingCurve(floor=3.0, size_term=0.5, data_term=0.7)


def runs() -> list[Trained]:
    return [Trained(*row) for row in pl.read_csv(RUNS).iter_rows()]


def asked(seconds: float, train_tokens: int = 10**9, speeds: dict | None = None) -> list:
    speeds = speeds or {ladder()[1]: 10_000.0}
    return candidates(REFERENCE, speeds, seconds, 8000, 256, train_tokens)


def test_a_known_curve_is_found_again():
    exact = [
        Trained("one", n, d, KNOWN.bits_per_char(n, d)) for n, d in itertools.product((2e6, 4e6, 9e6), (1e6, 3e6, 2e7))
    ]
    other = [Trained("two", n, d, 1.1 * KNOWN.bits_per_char(n, d)) for n, d in ((3e6, 5e6), (8e6, 2e6))]
    found = fitted([*exact, *other], "one")
    for n, d in ((1e6, 1e6), (2e7, 5e7)):
        assert found.bits_per_char(n, d) == pytest.approx(KNOWN.bits_per_char(n, d), rel=1e-3)


def test_the_reference_is_the_curve_of_the_runs_in_the_table():
    found = fitted(runs(), "qwen3")
    for n, d in itertools.product((1.9e6, 5e6, 13.7e6), (1e6, 3e6, 2e7)):
        assert REFERENCE.bits_per_char(n, d) == pytest.approx(found.bits_per_char(n, d), rel=2e-3)


def test_the_reference_tells_what_its_own_recipe_reached():
    own = [run for run in runs() if run.recipe == "qwen3"]
    assert len(own) >= 5
    for run in own:
        assert REFERENCE.bits_per_char(run.parameters, run.tokens) == pytest.approx(run.bits_per_char, rel=0.01)


def test_too_few_runs_are_refused():
    with pytest.raises(ValueError, match="do not determine"):
        fitted(runs()[:2], "qwen3")


def test_more_time_pays_for_a_larger_network():
    sizes = [best(asked(minutes * 60)).parameters for minutes in (10, 60, 600, 6000)]
    assert sizes == sorted(sizes)
    assert sizes[0] < sizes[-1]


def test_a_network_that_was_timed_has_its_own_speed_and_others_lie_between():
    small, large = ladder()[1], ladder()[5]
    found = {one.network: one for one in asked(3600, speeds={small: 9000.0, large: 1500.0})}
    assert found[small].tokens_per_second == 9000.0
    assert found[small].tokens == pytest.approx(9000 * 3600 * TRAINING_SHARE)
    assert found[small].measured
    assert not found[ladder()[3]].measured

    def flops(network, speed):
        return speed * flops_per_token(network, 8000, 256)

    between = flops(ladder()[3], found[ladder()[3]].tokens_per_second)
    assert flops(small, 9000.0) < between < flops(large, 1500.0)
    assert flops(ladder()[9], found[ladder()[9]].tokens_per_second) == pytest.approx(flops(large, 1500.0))


def test_text_is_repeated_only_so_often_and_a_larger_network_takes_the_rest_of_the_time():
    plenty, little = best(asked(36_000)), best(asked(36_000, train_tokens=5_000_000))
    assert max(one.tokens for one in asked(36_000, train_tokens=5_000_000)) == WORTHY_EPOCHS * 5_000_000
    assert little.parameters > plenty.parameters
