"""设备 devices: whether this machine has as many as a run asks for, and what memory they have left."""

from __future__ import annotations

import os
import resource
import sys
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


def free_bytes(device: torch.device, processes: int) -> int | None:
    """What each of `processes` processes of this machine may still take of its device; None where nothing tells."""
    if device.type == "cuda":
        kept = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(
            device
        )  # by torch, for its next tensors
        return int(torch.cuda.mem_get_info(device)[0]) + kept
    found = [size for size in (_available(), _of_group()) if size is not None]
    return min(found) // processes if found else None


def _available() -> int | None:
    """MemAvailable: what programs can take without swapping (proc_meminfo(5)); in all, where there is no /proc."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))
    except (OSError, StopIteration):
        pages = "SC_PHYS_PAGES" in os.sysconf_names
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") if pages else None


def _of_group(folder: Path = Path("/sys/fs/cgroup")) -> int | None:
    """What is left of the limit of this process's control group (cgroup v2), as a container or SLURM sets it."""
    try:
        limit, used = ((folder / name).read_text(encoding="ascii").strip() for name in ("memory.max", "memory.current"))
    except OSError:
        return None
    return None if limit == "max" else max(0, int(limit) - int(used))


def peak_bytes(device: torch.device) -> int:
    """The most so far: of the device for a GPU, else of this process, libraries included (getrusage: KiB on Linux)."""
    if device.type == "cuda":
        return int(torch.cuda.max_memory_allocated(device))
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
