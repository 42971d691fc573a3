"""机器计划 machine plan: what a run takes from its machine by measuring, decided once and kept in RUN/plan.json.

    precision   fp32 or bf16, by timed matrix products
    blocks_per_device   of a micro-batch, where the run file leaves it open (micro_batches.py)
    memory      what a step will hold on each device (memory.py), and what is free: a run that cannot fit is refused
    max_steps   how many steps fit into a duration in minutes, by timed micro-batches
    largest_id  of all token files, which the vocabulary must hold: read once a run, at the speed of the disk
    compile     torch.compile: on a GPU or in a run of five minutes and more, where timed micro-batches are faster by it

A run that resumes must compute as before, and a schedule must not change its last step, so every later start reads the
file instead of measuring again. Validation, checkpoints and other programs come on top of the minutes.
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import torch

from data_contracts.errors import ConfigError, TrainingError
from lightning_modules.block_files import BlockSource
from lightning_modules.checkpointing import write_durably
from lightning_modules.events import emit
from lightning_modules.fitting import Fitting, spread_of
from lightning_modules.micro_batches import MicroBatches, candidates, fastest, with_blocks
from lightning_modules.precision import pick_precision

PLAN = "plan.json"
LONG_SECONDS = 300.0  # compiling takes 17 to 60 s on a CPU and makes steps about a tenth faster (measured, 2 cores)
WAIT_SECONDS = 600.0


def machine_plan(config: Any, device: torch.device) -> dict[str, Any]:
    """`{"precision": "32" | "bf16", "max_steps": int, "compile": bool, ...}`; rank 0 measures while the others wait.

    Where the plan says how many blocks a micro-batch has, the config is changed to it.

    Raises:
        ConfigError: ids beyond the vocabulary, or a run that does not fit into the memory that is free.
    """
    path = Path(config.run.folder) / PLAN
    if os.environ.get("RANK", "0") == "0":
        path.parent.mkdir(parents=True, exist_ok=True)
        plan = _read(path) or _measured(config, device)
        if config.run.find_blocks:
            _take_blocks(config, device, plan)
        _write(path, plan)
    deadline = time.monotonic() + WAIT_SECONDS
    while (plan := _read(path)) is None:
        if time.monotonic() > deadline:
            raise TrainingError(f"{path} did not appear in {WAIT_SECONDS:.0f} s; see the log of rank 0")
        time.sleep(0.2)
    if config.run.find_blocks:
        with_blocks(config, plan["blocks_per_device"])
    plan.setdefault("compile", False)  # begun before there was a choice
    if config.run.compile != "auto":
        plan["compile"] = config.run.compile
    plan["precision"] = _precision(config, plan)
    if config.run.minutes is None:
        plan["max_steps"] = config.trainer.max_steps
    return plan


def check_memory(config: Any, device: torch.device, half: bool) -> None:
    """Let rank 0 put what the run will hold into its plan; ConfigError when that is more than what is free."""
    path = Path(config.run.folder) / PLAN
    plan = _read(path)
    if os.environ.get("RANK", "0") == "0" and plan is not None:
        plan["memory"] = Fitting(config, device, half).checked(plan.get("memory"))
        _write(path, plan)


def _take_blocks(config: Any, device: torch.device, plan: dict[str, Any]) -> None:
    """Take what the plan says; find it anew for a run that resumes on a number of processes that it does not divide."""
    if plan.get("blocks_per_device") in candidates(config):
        with_blocks(config, plan["blocks_per_device"])
    else:
        plan |= found_blocks(config, device, _precision(config, plan) == "bf16")


def _write(path: Path, plan: dict[str, Any]) -> None:
    if _read(path) != plan:
        write_durably(path, json.dumps(plan))


def _read(path: Path) -> dict[str, Any] | None:
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else None


def _precision(config: Any, plan: dict[str, Any]) -> str:
    return str(plan["precision"] if config.run.precision == "auto" else config.run.precision)


def _measured(config: Any, device: torch.device) -> dict[str, Any]:
    run = config.run
    plan: dict[str, Any] = {"largest_id": _largest_id(config.data.init_args)}
    plan["precision"] = pick_precision(run.precision, device)
    half = plan["precision"] == "bf16"
    if run.find_blocks:
        plan |= found_blocks(config, device, half)
    plan["memory"] = Fitting(config, device, half).checked(None)  # before anything of this size is timed
    batches = MicroBatches(config, device, half, config.data.init_args.blocks_per_device)
    if run.minutes is not None:
        plan["micro_batch_seconds"] = batches.seconds()
    plan["compile"] = run.compile is True
    # Sharded layers are compiled otherwise, which was never measured.
    sharded = spread_of(config).splits_layers
    if run.compile == "auto" and not sharded and (device.type == "cuda" or _is_long(config, batches)):
        plan["micro_batch_seconds"] = batches.seconds()
        compiled = plan["compiled_micro_batch_seconds"] = batches.compiled_seconds()
        plan["compile"] = compiled is not None and compiled < plan["micro_batch_seconds"]
    if run.minutes is not None:
        best = "compiled_micro_batch_seconds" if plan["compile"] and run.compile == "auto" else "micro_batch_seconds"
        plan["max_steps"] = max(1, int(run.minutes * 60 / (plan[best] * config.trainer.accumulate_grad_batches)))
    if "micro_batch_seconds" in plan or "tried" in plan:  # something was timed
        emit("plan", minutes=run.minutes, **plan)
    return plan


def found_blocks(config: Any, device: torch.device, half: bool) -> dict[str, Any]:
    """`blocks_per_device` and what was tried; the config takes it."""
    fitting = Fitting(config, device, half)
    if fitting.spread.splits_layers:
        possible = [rows for rows in candidates(config) if fitting.fits(rows)]
        found: dict[str, Any] = {"blocks_per_device": max(possible, default=candidates(config)[0])}
    else:
        best, tried = fastest(config, device, half, fitting.fits)
        found = {"blocks_per_device": best, "tried": tried}
    with_blocks(config, found["blocks_per_device"])
    return found


def _is_long(config: Any, batches: MicroBatches) -> bool:
    """Whether the run will take long enough for a compiled network to pay for its compilation."""
    if config.run.minutes is not None:
        return bool(config.run.minutes * 60 >= LONG_SECONDS)
    count = config.trainer.max_steps * config.trainer.accumulate_grad_batches
    # The first micro-batch is the slowest: a run that is short by it is short, and nothing more needs timing.
    return batches.first_seconds() * count >= LONG_SECONDS and batches.seconds() * count >= LONG_SECONDS


def _largest_id(data: Any) -> int:
    """ConfigError when a token file holds an id that the vocabulary does not have."""
    files = [*data.train, *data.validation, *data.test]
    largest, path = BlockSource(files, data.block_tokens, data.vocab_size).largest_id()
    if largest >= data.vocab_size:
        raise ConfigError(
            f"{path} holds the token id {largest} and the vocabulary ends at {data.vocab_size - 1}: the blocks were "
            "made with another tokenizer. Encode them with the run's, or train with theirs"
        )
    return largest
