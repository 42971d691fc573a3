from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_contracts.budget import MICRO_BATCH_TOKENS, as_written, chosen, for_minutes, minutes_of, refuse_unfit
from data_contracts.errors import ConfigError
from data_contracts.network import NetworkConfig
from data_contracts.run_file import accumulation_of
from data_contracts.scaling import ladder, optimizer_for, tokens_per_step_for
from data_contracts.training import PretrainConfig

SMALL = ladder()[2]


@pytest.mark.parametrize(("text", "minutes"), [("60m", 60), ("90 minutes", 90), ("8h", 480), ("1.5 hours", 90)])
def test_a_time_is_read(text, minutes):
    assert minutes_of(text) == minutes


@pytest.mark.parametrize("text", ["", "60", "soon", "0m", "30s", "-5m"])
def test_what_is_no_time_is_said(text):
    with pytest.raises(ConfigError, match='write "60m"'):
        minutes_of(text)


@given(tokens=st.floats(1e5, 1e12), block_tokens=st.sampled_from([64, 100, 256, 1000, 4096]), devices=st.integers(1, 8))
def test_a_step_is_whole_micro_batches_for_any_time_and_any_devices(tokens, block_tokens, devices):
    made = chosen(PretrainConfig(devices=devices), SMALL, tokens, block_tokens)
    assert accumulation_of(made, block_tokens) >= 1  # refuses what does not divide
    assert made.blocks_per_device * block_tokens <= max(MICRO_BATCH_TOKENS, block_tokens)
    if tokens > 10 * made.tokens_per_step:
        assert made.duration.amount * made.tokens_per_step == pytest.approx(tokens, rel=0.1)


def test_what_is_written_down_is_what_was_chosen():
    made = chosen(PretrainConfig(), SMALL, 2e7, 256)
    assert PretrainConfig(**as_written(made)) == made


def test_what_the_user_decided_elsewhere_stays():
    made = chosen(PretrainConfig(seed=7, devices=2, strategy="ddp", precision="32"), SMALL, 2e7, 256)
    assert (made.seed, made.devices, made.strategy, made.precision) == (7, 2, "ddp", "32")


def test_a_micro_batch_that_is_to_be_found_stays_so():
    assert chosen(PretrainConfig(blocks_per_device="auto"), SMALL, 2e7, 256).blocks_per_device == "auto"


def test_the_rates_are_those_that_were_tried():
    few, many = optimizer_for(8e6, 4096), optimizer_for(2e7, 4096)
    assert (few.learning_rate, few.matrix_learning_rate) == (0.006, 0.02)
    assert (many.learning_rate, many.matrix_learning_rate) == (0.0038, 0.013)
    assert tokens_per_step_for(6e6, 256) == tokens_per_step_for(2e7, 256) == 4096
    assert tokens_per_step_for(1e10, 1024) == 131_072


def test_a_run_that_measures_lasts_a_time():
    assert str(for_minutes(chosen(PretrainConfig(), SMALL, 3e6, 256), 2.5).duration) == "2.5 minutes"


def test_validations_take_a_twentieth_of_the_time_at_most():
    few, many = (chosen(PretrainConfig(), SMALL, 2e7, 256, tokens) for tokens in (20_000, 600_000))
    assert few.steps_between_validations == few.duration.amount // 20
    assert many.steps_between_validations * many.tokens_per_step / 20 == pytest.approx(600_000 / 3, rel=0.01)
    assert for_minutes(many, 1.0).steps_between_validations > 10**6


@pytest.mark.parametrize(
    ("model", "others", "said"),
    [
        (NetworkConfig(folder="/models/base"), {}, "has its shape"),
        (NetworkConfig(architecture="bert"), {}, "causal"),
        (NetworkConfig(), {"strategy": "tp", "devices": 2}, "tp"),
    ],
)
def test_a_config_with_nothing_to_choose_is_refused(model, others, said):
    with pytest.raises(ConfigError, match=said):
        refuse_unfit(PretrainConfig(model=model, **others))
