from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_contracts.errors import ConfigError
from data_contracts.pace import Growth, Pace, WarmupConfig, growth, pace_of, steps_for

GROWTHS = st.builds(Growth, halvings=st.integers(0, 4), ratio=st.floats(0, 1))


def pace(max_steps: int, length: Growth, batch: Growth) -> Pace:
    return pace_of(64, 32, max_steps, length, batch)


@given(st.integers(1, 400), GROWTHS, GROWTHS)
def test_what_all_steps_before_took_is_the_sum_of_what_each_took(max_steps: int, length: Growth, batch: Growth) -> None:
    found = pace(max_steps, length, batch)
    total = 0
    for step in range(max_steps + 5):
        assert found.blocks_before(step) == total
        total += found.blocks(step)


@given(st.integers(1, 400), GROWTHS, GROWTHS)
def test_both_start_where_they_should_and_only_grow(max_steps: int, length: Growth, batch: Growth) -> None:
    found = pace(max_steps, length, batch)
    rows = [found.row_tokens(step) for step in range(max_steps + 1)]
    blocks = [found.blocks(step) for step in range(max_steps + 1)]
    assert rows == sorted(rows)
    assert blocks == sorted(blocks)
    assert rows[-1] == 64
    assert blocks[-1] == 32
    if round(length.ratio * max_steps):
        assert rows[0] == 64 >> length.halvings
    if round(batch.ratio * max_steps):
        assert blocks[0] == 32 >> batch.halvings


@given(st.integers(1, 300_000), GROWTHS)
def test_a_duration_in_tokens_gets_the_fewest_steps_that_reach_it(tokens: int, batch: Growth) -> None:
    steps = steps_for(tokens, 64, 32, batch)
    assert pace(steps, Growth(), batch).tokens_before(steps) >= tokens
    assert steps == 1 or pace(steps - 1, Growth(), batch).tokens_before(steps - 1) < tokens


def test_a_start_that_is_no_half_of_the_full_value_names_those_that_are() -> None:
    assert growth(WarmupConfig(start_tokens=32, ratio=0.2), 256, "k", "block_tokens") == Growth(halvings=3, ratio=0.2)
    assert growth(None, 256, "k", "block_tokens") == Growth()
    with pytest.raises(
        ConfigError, match=r"pretrain.x.start_tokens 100 is not block_tokens 96, .* may be 96, 48, 24, 12, 6, 3"
    ):
        growth(WarmupConfig(start_tokens=100), 96, "pretrain.x", "block_tokens")
