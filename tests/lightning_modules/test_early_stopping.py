from __future__ import annotations

import csv
import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_contracts.errors import ConfigError
from lightning_modules import callbacks
from lightning_modules.early_stopping import stalled
from tests.lightning_modules.tiny_runs import Trained, call, settings, write_run


def steps(path: Path) -> list[int]:
    with path.open(encoding="utf-8", newline="") as file:
        return [int(row["step"]) for row in csv.DictReader(file)]


@pytest.mark.parametrize(
    ("losses", "ends"),
    [
        ([], False),
        ([3.0], False),
        ([3, 2.9], False),
        ([3, 2, 2], False),
        ([3, 2, 2, 2], True),
        ([3, 2, 2.1, 1.8], False),
    ],
)
def test_two_validations_without_a_gain_end_a_run(losses: list[float], ends: bool) -> None:
    assert stalled(losses, 2, 0.0) is ends


@given(st.lists(st.floats(0, 10), max_size=20), st.integers(1, 5), st.floats(0, 1))
def test_a_rule_that_asks_for_more_ends_no_later(losses: list[float], validations: int, gain: float) -> None:
    def end(count: int, least: float) -> int:
        return next((i for i in range(len(losses) + 1) if stalled(losses[:i], count, least)), len(losses) + 1)

    assert end(validations, gain) <= end(validations, 0.0) <= end(validations + 1, 0.0)


def test_a_run_that_stalls_ends_with_an_export_and_says_so(corpus: Any, tmp_path: Path) -> None:
    rule = {"validations": 2, "min_gain": 100.0}
    run = write_run(corpus, tmp_path, duration="40 steps", steps_between_validations=3, early_stopping=rule)
    ended = call("fit", "--config", str(run))
    assert ended.code == 0
    assert [e["step"] for e in ended.of("early_stop")] == [9]
    assert steps(tmp_path / "validation.csv") == [3, 6, 9]
    assert steps(tmp_path / "metrics.csv") == list(range(1, 10))
    result = json.loads((tmp_path / "result.json").read_text(encoding="utf-8"))
    assert (result["step"], result["ended"]) == (9, "early")
    assert (tmp_path / "export/model.safetensors").exists()
    again = call("fit", "--config", str(run))
    assert again.of("end")[0]["already"] is True
    for left in ("result.json", "export/model.safetensors"):  # killed after the decision, before the export
        (tmp_path / left).unlink()
    made_up = call("fit", "--config", str(run))
    assert made_up.code == 0
    assert not made_up.of("progress")
    found = json.loads((tmp_path / "result.json").read_text(encoding="utf-8"))
    of_the_process = {"peak_memory_bytes": 0}  # which trained nothing this time
    assert found | of_the_process == result | of_the_process


def test_a_validation_that_a_kill_took_away_is_made_up(
    corpus: Any, trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = write_run(corpus, tmp_path)
    whole = callbacks.TrainingRecord.on_validation_start

    def interrupted(self: Any, trainer: Any, module: Any) -> None:
        if trainer.global_step == 6:
            os.kill(os.getpid(), signal.SIGTERM)
        whole(self, trainer, module)

    with monkeypatch.context() as patch:
        patch.setattr(callbacks.TrainingRecord, "on_validation_start", interrupted)
        assert call("fit", "--config", str(run)).code == 143
    assert steps(tmp_path / "validation.csv") == []
    assert call("fit", "--config", str(run)).code == 0
    for table in ("validation.csv", "metrics.csv"):
        assert (tmp_path / table).read_bytes() == (trained.folder / table).read_bytes()
    assert (tmp_path / "export/model.safetensors").read_bytes() == (
        trained.folder / "export/model.safetensors"
    ).read_bytes()


def test_without_a_validation_split_it_is_refused(corpus: Any, tmp_path: Path) -> None:
    bare = corpus._replace(shards=[s.model_copy(update={"validation": None}) for s in corpus.shards])
    with pytest.raises(ConfigError, match=r"early_stopping needs a validation split .* raise encode\.validation_ratio"):
        settings(bare, tmp_path, early_stopping={"validations": 2})
    callbacks_of = [c["class_path"] for c in settings(bare, tmp_path)["trainer"]["callbacks"]]
    assert not any("early_stopping" in c for c in callbacks_of)
