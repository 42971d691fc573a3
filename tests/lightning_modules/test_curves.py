from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from lightning_modules import callbacks, curves
from tests.lightning_modules.tiny_runs import call, write_run


def test_a_store_elsewhere_and_a_missing_package_are_told_and_the_run_goes_on(
    corpus: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(curves.URI, "http://mlflow.example:5000")
    ended = call("fit", "--config", str(write_run(corpus, tmp_path / "far", duration="2 steps")))
    assert (ended.code, [e["kind"] for e in ended.of("warning")]) == (0, ["mlflow"])
    assert "only a store on this machine" in ended.of("warning")[0]["message"]
    monkeypatch.setenv(curves.URI, f"sqlite:///{tmp_path}/mlflow.db")
    monkeypatch.setitem(sys.modules, "mlflow", None)  # what an environment without the package does
    monkeypatch.setitem(sys.modules, "mlflow.tracking", None)
    ended = call("fit", "--config", str(write_run(corpus, tmp_path / "without", duration="2 steps")))
    assert ended.code == 0
    assert "pip install '.[mlflow]'" in ended.of("warning")[0]["message"]
    assert not (tmp_path / "without/mlflow.json").exists()


@pytest.mark.filterwarnings("default")  # MLflow's own imports
def test_a_run_and_its_resumption_are_one_run_of_mlflow(
    corpus: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the package itself, in a database of its own."""
    tracking = pytest.importorskip("mlflow.tracking", reason="the extra mlflow is not installed")
    monkeypatch.setenv(curves.URI, f"sqlite:///{tmp_path}/mlflow.db")
    monkeypatch.setattr(callbacks, "REPORT_SECONDS", 0.0)
    run = write_run(corpus, tmp_path / "run")
    whole = callbacks.TrainingRecord.on_train_batch_end

    def interrupted(self: Any, trainer: Any, *rest: Any) -> None:
        if trainer.global_step == 7 and self._seen_step == 6:
            os.kill(os.getpid(), signal.SIGTERM)
        whole(self, trainer, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(callbacks.TrainingRecord, "on_train_batch_end", interrupted)
        assert call("fit", "--config", str(run)).code == 143
    client = tracking.MlflowClient(tracking_uri=os.environ[curves.URI])
    place = client.get_experiment_by_name(curves.EXPERIMENT).experiment_id
    assert [r.info.status for r in client.search_runs([place])] == ["KILLED"]
    ended = call("fit", "--config", str(run))
    assert (ended.code, ended.of("warning")) == (0, [])
    [one] = client.search_runs([place])
    assert (one.info.status, one.info.run_name) == ("FINISHED", "run")
    history = client.get_metric_history(one.info.run_id, "train/loss")
    lines = (tmp_path / "run/metrics.csv").read_text(encoding="utf-8").splitlines()[1:]
    told = [(int(line.split(",")[0]), float(line.split(",")[1])) for line in lines]
    assert [(m.step, m.value) for m in history] == told, "every step once, to the last digit"
    assert [m.step for m in client.get_metric_history(one.info.run_id, "validation/loss")] == [6, 12]
    assert client.get_metric_history(one.info.run_id, "train/tokens_per_second")[0].value > 0
    assert one.data.params["network.width"] == "32"
    assert one.data.params["optimizer.name"] == "adamw"
