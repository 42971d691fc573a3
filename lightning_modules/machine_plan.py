"""机器计划 machine plan: what a run takes from its machine by measuring, decided once and kept in RUN/plan.json.

    precision   fp32 or bf16, by timed matrix products
    max_steps   how many steps fit into a duration in minutes, by timed micro-batches
    largest_id  of all token files, which the vocabulary must hold: read once a run, at the speed of the disk

A run that resumes must compute as before, and a schedule must not change its last step, so every later start reads the
file instead of measuring again. Validation, checkpoints and other programs come on top of the minutes.
"""

from __future__ import annotations

import importlib
import json
import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from data_contracts.errors import ConfigError, TrainingError
from lightning_modules.block_files import BlockSource, batch_of
from lightning_modules.checkpointing import write_durably
from lightning_modules.events import emit
from lightning_modules.language_model import LanguageModel
from lightning_modules.precision import pick_precision

PLAN = "plan.json"
TIMED = 3
WAIT_SECONDS = 600.0


def machine_plan(config: Any, device: torch.device) -> dict[str, Any]:
    """`{"precision": "32" | "bf16", "max_steps": int}`; measured by rank 0 while the others wait."""
    path = Path(config.run.folder) / PLAN
    if os.environ.get("RANK", "0") == "0" and not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        write_durably(path, json.dumps(_measured(config, device)))
    deadline = time.monotonic() + WAIT_SECONDS
    while not path.exists():
        if time.monotonic() > deadline:
            raise TrainingError(f"{path} did not appear in {WAIT_SECONDS:.0f} s; see the log of rank 0")
        time.sleep(0.2)
    plan: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    if config.run.precision != "auto":
        plan["precision"] = config.run.precision
    if config.run.minutes is None:
        plan["max_steps"] = config.trainer.max_steps
    return plan


def _measured(config: Any, device: torch.device) -> dict[str, Any]:
    plan: dict[str, Any] = {"largest_id": _largest_id(config.data.init_args)}
    plan["precision"] = pick_precision(config.run.precision, device)
    if config.run.minutes is not None:
        micro = _micro_batch_seconds(config, device, plan["precision"] == "bf16")
        accumulation = config.trainer.accumulate_grad_batches
        plan["max_steps"] = max(1, int(config.run.minutes * 60 / (micro * accumulation)))
        emit("plan", minutes=config.run.minutes, micro_batch_seconds=micro, **plan)
    return plan


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


def _micro_batch_seconds(config: Any, device: torch.device, half: bool) -> float:
    model, data = config.model.init_args.as_dict(), config.data.init_args
    kind: type[LanguageModel] = getattr(*_named(config.model.class_path))
    best = float("inf")
    with torch.random.fork_rng():
        module = kind(**model)
        module.configure_model()
        module.to(device)
        tokens = np.random.default_rng(0).integers(
            model["vocab_size"], size=(data.blocks_per_device, data.block_tokens + 1)
        )
        batch = {n: t.to(device) for n, t in batch_of(tokens, model["separator_id"], model["pad_id"]).items()}
        for _ in range(1 + TIMED):
            start = time.perf_counter()
            with torch.autocast(device.type, torch.bfloat16, enabled=half):
                loss = module.training_step(batch, 0)
            loss.backward()
            if device.type == "cuda":
                torch.cuda.synchronize(device)
            best = min(best, time.perf_counter() - start)
    return best


def _named(class_path: str) -> tuple[Any, str]:
    module, _, name = class_path.rpartition(".")
    return importlib.import_module(module), name
