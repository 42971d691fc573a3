"""A seed is one network, whatever device a run is built for; and speeds are of time that passed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from data_contracts.network import NetworkConfig
from lightning_modules import callbacks
from lightning_modules.callbacks import TrainingRecord
from lightning_modules.causal_language_model import CausalLanguageModel


def built(seed: int) -> CausalLanguageModel:
    network = NetworkConfig(layers=1, heads=2, width=16).model_dump()
    facts = {"vocab_size": 50, "separator_id": 0, "pad_id": 1, "block_tokens": 8, "max_steps": 1, "optimizer": {}}
    return CausalLanguageModel(**facts, network=network, seed=seed, train_chars_per_token=1.0, validation_chars=1)


def test_weights_are_drawn_on_the_cpu_where_lightning_would_build_on_another_device() -> None:
    here, there = built(3), built(3)
    here.configure_model()
    with torch.device("meta"):  # Lightning does so with the device of the run
        there.configure_model()
    for ours, theirs in zip(here.parameters(), there.parameters(), strict=True):
        assert theirs.device.type == "cpu"
        assert torch.equal(ours, theirs)


def test_a_report_that_no_time_has_passed_for_tells_the_speed_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[dict[str, Any]] = []
    monkeypatch.setattr(callbacks, "emit", lambda kind, **figures: told.append(figures))
    record = TrainingRecord(str(tmp_path))
    record._peak, record._token_flops = 1e9, 1e3
    record._tokens_before = lambda step: 1000 * step
    record._start_clock(0)
    record._report(10, 11, {}, elapsed=2.0)
    record._report(11, 11, {}, elapsed=1e-5)
    assert [figures["tokens_per_second"] for figures in told] == [5000, 5000]
    assert told[-1]["peak_share"] == pytest.approx(5000 * 1e3 / 1e9)
