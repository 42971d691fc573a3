"""命令行 command line: LightningCLI over a run file, which resumes, finishes, exports, and knows when it is done."""

from __future__ import annotations

import json
import logging
import os
import warnings
from pathlib import Path
from typing import Any, Literal

import lightning.pytorch as pl
import torch
import torch.distributed as dist
from lightning.pytorch.cli import LightningArgumentParser, LightningCLI
from transformers.utils.logging import disable_progress_bar

from data_contracts.errors import StoreError
from data_contracts.network import Objective
from lightning_modules.architectures import Cost
from lightning_modules.checkpointing import CheckpointFolder, write_durably
from lightning_modules.devices import check_devices, peak_bytes
from lightning_modules.events import emit
from lightning_modules.export import export_run
from lightning_modules.machine_plan import PLAN, check_memory, machine_plan
from lightning_modules.metrics import SPEED, VALIDATION, StepTable
from lightning_modules.precision import use_cores
from lightning_modules.resuming import refuse_another_model

RESULT = "result.json"


class AlreadyFinished(Exception):
    """The run reached its last step before; there is nothing to do."""

    def __init__(self, result: dict[str, Any]) -> None:
        super().__init__("already finished")
        self.result = result


class TrainingCLI(LightningCLI):
    """LightningCLI plus the `run` section of the run file."""

    def __init__(self) -> None:
        super().__init__(
            pl.LightningModule,
            pl.LightningDataModule,
            subclass_mode_model=True,
            subclass_mode_data=True,
            save_config_callback=None,  # the run file is the config, written by the caller
            auto_configure_optimizers=False,
            load_from_checkpoint_support=False,
        )

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """The `run` section: what is neither trainer, model nor data."""
        parser.add_argument("--run.folder", type=str, required=True, help="运行目录 (folder of the run)")
        parser.add_argument("--run.tokenizer", type=str, required=True, help="词表目录 (tokenizer folder)")
        parser.add_argument("--run.precision", type=str, default="auto", help="auto | 32 | bf16")
        parser.add_argument("--run.compile", type=bool | Literal["auto"], default="auto", help="torch.compile")
        parser.add_argument(
            "--run.find_blocks", type=bool, default=False, help="微批由实测决定 (measure micro-batches)"
        )
        parser.add_argument("--run.minutes", type=float | None, default=None, help="时长, 分钟 (instead of max_steps)")
        parser.add_argument("--run.mask_id", type=int | None, default=None, help="掩码词元 (the mask, if masked)")
        parser.add_argument("--run.export", type=str, default="last", help="last | best, 导出哪个检查点")
        parser.add_argument(
            "--run.averaged_checkpoints", type=int, default=1, help="导出几个检查点的平均 (mean of so many)"
        )
        parser.add_argument("--run.lineage", type=dict[str, Any], default={}, help="血缘, 写入模型卡 (for the card)")

    def before_instantiate_classes(self) -> None:
        """Settle what depends on the machine: precision, steps for minutes, compilation; and where to resume."""
        config = self.config[self.subcommand]
        if "LOCAL_RANK" not in os.environ:  # else the launcher looked before it started this process
            check_devices(config.trainer.accelerator, int(config.trainer.devices))
        device = _device(config.trainer.accelerator)
        plan = machine_plan(config, device)
        for part in (config.trainer, config.model.init_args, config.data.init_args):
            part.max_steps = plan["max_steps"]
        config.model.init_args.compile = plan["compile"] and self.subcommand == "fit"
        half = plan["precision"] == "bf16"
        if str(getattr(config.trainer.strategy, "class_path", "")).endswith("ModelParallelStrategy"):
            config.model.init_args.sharded_bf16 = half
        else:
            config.trainer.precision = "bf16-mixed" if half else "32-true"
        folder = Path(config.run.folder)
        result = finished_result(folder, config.trainer.max_steps)
        if self.subcommand == "fit" and result is not None:
            raise AlreadyFinished(result)
        if self.subcommand == "fit":
            check_memory(config, device, half)
        found = CheckpointFolder(folder / "checkpoints").newest()
        if self.subcommand != "fit":
            config.trainer.callbacks = []  # the tables of the run belong to `fit`
            warnings.filterwarnings("ignore", message="Be aware that when using `ckpt_path`, callbacks")
            if found is None:
                raise StoreError(f"no readable checkpoint in {folder / 'checkpoints'}; run fit first")
        elif not config.data.init_args.validation:
            message = "没有验证集, 只报告训练损失 (no validation split: raise encode.validation_ratio to have one)"
            emit("warning", kind="no_validation", message=message)
        if found is not None:
            refuse_another_model(found.path, config.model.init_args.as_dict())
            config.ckpt_path, config.weights_only = str(found.path), True
            emit("resume", step=found.step, path=str(found.path))

    def after_validate(self) -> None:
        """Tell the split's figures."""
        emit("end", split="validation", **self.model.held_out)

    def after_test(self) -> None:
        """Tell the split's figures."""
        emit("end", split="test", **self.model.held_out)

    def after_fit(self) -> None:
        """Validate if a crash came between the last step and its validation; export; write result.json."""
        run = self.config[self.subcommand].as_dict()
        folder, last = Path(run["run"]["folder"]), self.trainer.global_step
        missing = StepTable(folder / "validation.csv", VALIDATION).last().get("step") != last
        missing = self.trainer.strategy.broadcast(missing)  # rank 0 writes the table, so only rank 0 knows
        if run["data"]["init_args"]["validation"] and missing:
            self.trainer.validate(self.model, datamodule=self.datamodule, verbose=False)
        if dist.is_available() and dist.is_initialized():
            dist.barrier()
            dist.destroy_process_group()
        if self.trainer.global_rank == 0:
            finish(run, last, self.model.objective, self.model.cost)


def finish(run: dict[str, Any], step: int, objective: Objective, cost: Cost) -> dict[str, Any]:
    """Export the run's last checkpoints and write result.json, which marks the run as finished."""
    folder = Path(run["run"]["folder"])
    emit("phase", name="export", step=step)
    exported = export_run(run)
    speed = StepTable(folder / "speed.csv", SPEED).last()
    result = {
        **exported.figures,
        **cost._asdict(),
        "objective": objective,
        "step": step,
        "ended": "early" if step < run["trainer"]["max_steps"] else "last step",
        "tokens_per_second": speed.get("tokens_per_second"),
        "peak_share": speed.get("peak_share"),
        **_memory(folder),
        "export": str(exported.folder),
    }
    write_durably(folder / RESULT, json.dumps(result, ensure_ascii=False, indent=1))
    emit("end", finished=True, **result)
    return result


def _memory(folder: Path) -> dict[str, Any]:
    """What was estimated, and the most that this process had; what was tried to find the micro-batch."""
    plan = json.loads((folder / PLAN).read_text(encoding="utf-8"))
    told = plan["memory"]
    return {
        "blocks_per_device": told["blocks_per_device"],
        "estimated_memory_bytes": told["total"],
        "peak_memory_bytes": peak_bytes(torch.device(told["device"])),
    }


def finished_result(folder: Path, max_steps: int) -> dict[str, Any] | None:
    """result.json of a run that reached `max_steps` or stopped early, and whose export is there; None otherwise."""
    path = folder / RESULT
    if not path.exists():
        return None
    result: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    done = (result["step"] >= max_steps or result["ended"] == "early") and Path(
        result["export"], "model.safetensors"
    ).exists()
    return result if done else None


def fit() -> None:
    """Run LightningCLI on sys.argv; does nothing, and says so, when the run is finished."""
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)  # advertisements and restated settings
    disable_progress_bar()
    use_cores()
    try:
        TrainingCLI()
    except AlreadyFinished as done:
        emit("end", finished=True, already=True, message="训练已完成, 无事可做 (already finished)", **done.result)


def _device(accelerator: str) -> torch.device:
    cuda = accelerator in ("auto", "gpu", "cuda") and torch.cuda.is_available()
    return torch.device("cuda" if cuda else "cpu")
