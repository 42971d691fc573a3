"""曲线 curves: a run's figures as they appear, to TensorBoard files, and to MLflow where its user has one.

MLflow is an extra (`pip install '.[mlflow]'`) and is written to when MLFLOW_TRACKING_URI, MLflow's own variable, names
a store on this machine: `sqlite:////data/mlflow.db`, or `file:///data/mlruns`, which MLflow 3 wants allowed by
MLFLOW_ALLOW_FILE_STORE=true. A server elsewhere is not used: a run does not hang on one. RUN/mlflow.json says which run
of MLflow's a run is, so that a resumed one goes on in it; what MLflow has up to a step is not written again.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lightning_modules.checkpointing import write_durably
from lightning_modules.events import emit

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient
    from torch.utils.tensorboard import SummaryWriter

URI = "MLFLOW_TRACKING_URI"
LOCAL = ("sqlite:", "file:", "/", ".")
EXPERIMENT = "ziliu"


class Curves:
    """What TrainingRecord writes figures to."""

    def __init__(self, folder: Path, step: int) -> None:
        """Open the writers; what TensorBoard has after `step` is dropped."""
        from torch.utils.tensorboard import SummaryWriter  # a second of imports, on rank 0 only

        self.board: SummaryWriter = SummaryWriter(str(folder / "tensorboard"), purge_step=step + 1)
        self.tracked = Tracked.of(folder)

    def add(self, name: str, value: float, step: int) -> None:
        """One figure of one step."""
        self.board.add_scalar(name, value, step)
        if self.tracked is not None:
            self.tracked.add(name, value, step)

    def close(self, finished: bool) -> None:
        """Write what waits; tell whether the run reached its end."""
        self.board.close()
        if self.tracked is not None:
            self.tracked.close(finished)


class Tracked:
    """One run of MLflow's. A fault of it is told once and ends the tracking, never the training."""

    def __init__(self, client: MlflowClient, run_id: str) -> None:
        self.client: MlflowClient | None = client
        self.run_id = run_id
        self._last: dict[str, int] = {}  # step up to which MLflow has a figure

    @classmethod
    def of(cls, folder: Path) -> Tracked | None:
        """The run of a run folder; None, with a warning where one was wished for, when there is no MLflow."""
        uri = os.environ.get(URI, "")
        if not uri:
            return None
        if not uri.startswith(LOCAL):
            _warn(f"{URI} {uri}: 只写本机的 MLflow (only a store on this machine is written to)")
            return None
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        try:
            from mlflow.tracking import MlflowClient

            client = MlflowClient(tracking_uri=uri)
            return cls(client, _run_of(client, folder))
        except ImportError:
            _warn(f"没有安装 MLflow (not installed, and {URI} is set): pip install '.[mlflow]'")
        except Exception as error:  # whatever database or file system says
            _warn(f"MLflow: {type(error).__name__}: {error}")
        return None

    def add(self, name: str, value: float, step: int) -> None:
        """One figure of one step, unless it is there already."""
        if self.client is None:
            return
        try:
            if name not in self._last:
                history = self.client.get_metric_history(self.run_id, name)
                self._last[name] = max((m.step for m in history), default=-1)
            if step > self._last[name]:
                self.client.log_metric(self.run_id, name, value, step=step)
                self._last[name] = step
        except Exception as error:
            _warn(f"MLflow, 不再写入 (no longer written): {type(error).__name__}: {error}")
            self.client = None

    def close(self, finished: bool) -> None:
        """Tell how the run ended."""
        if self.client is not None:
            self.client.set_terminated(self.run_id, "FINISHED" if finished else "KILLED")


def _run_of(client: MlflowClient, folder: Path) -> str:
    """The id of the run in RUN/mlflow.json while MLflow knows it, else of a new one with the settings of the run."""
    path = folder / "mlflow.json"
    known = json.loads(path.read_text(encoding="utf-8"))["run_id"] if path.exists() else None
    experiment = client.get_experiment_by_name(EXPERIMENT)
    place = experiment.experiment_id if experiment else client.create_experiment(EXPERIMENT)
    if known and any(run.info.run_id == known for run in client.search_runs([place])):
        client.update_run(known, status="RUNNING")
        return str(known)
    run = client.create_run(place, run_name=folder.name, tags={"ziliu.run": str(folder)})
    for name, value in _settings(folder).items():
        client.log_param(run.info.run_id, name, value)
    write_durably(path, json.dumps({"run_id": run.info.run_id}))
    return str(run.info.run_id)


def _settings(folder: Path) -> dict[str, Any]:
    """What a run is told apart by: network, optimizer, global batch, data, seed."""
    import yaml

    said = yaml.safe_load((folder / "run.yaml").read_text(encoding="utf-8"))
    model, data = said["model"]["init_args"], said["data"]["init_args"]
    parts = {f"{part}.{name}": v for part in ("network", "optimizer") for name, v in model[part].items()}
    tokens = data["blocks_per_step"] * data["block_tokens"]
    return {**parts, "tokens_per_step": tokens, "data_hash": data["data_hash"], "seed": data["seed"]}


def _warn(message: str) -> None:
    emit("warning", kind="mlflow", message=message)
