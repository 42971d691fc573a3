"""设备 devices: whether this machine has as many as a run asks for, said before any process of it starts."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import torch
import yaml

from data_contracts.errors import ConfigError
from lightning_modules.events import emit


def refuse_missing_devices(program: Sequence[str], processes: int) -> None:
    """Check the run file that a command line names with `--config`; one without is the trainer's own business."""
    if "--config" in program[:-1]:
        path = Path(program[program.index("--config") + 1])
        if path.is_file():
            trainer = yaml.safe_load(path.read_text(encoding="utf-8")).get("trainer", {})
            check_devices(str(trainer.get("accelerator", "auto")), processes)


def check_devices(accelerator: str, processes: int) -> None:
    """ConfigError for more processes than GPUs; a warning for more than cores, which only makes a CPU slower."""
    gpus = torch.cuda.device_count()
    if accelerator in ("gpu", "cuda") or (accelerator == "auto" and gpus):
        if processes > gpus:
            raise ConfigError(
                f"pretrain.devices {processes} is more than the {gpus} GPUs that this machine shows; lower it, set "
                "pretrain.accelerator: cpu, or look at CUDA_VISIBLE_DEVICES"
            )
        return
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if processes > cores:
        emit(
            "warning",
            kind="more_processes_than_cores",
            message=f"{processes} 个进程多于 {cores} 个核, 会互相等待 (more processes than cores: they will wait)",
        )
