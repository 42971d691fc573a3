"""机器计划 machine plan: what a run takes from its machine by measuring, decided once and kept in RUN/plan.json.

    precision   fp32 or bf16, by timed matrix products
    max_steps   how many steps fit into a duration in minutes, by timed micro-batches
    largest_id  of all token files, which the vocabulary must hold: read once a run, at the speed of the disk
    compile     torch.compile: on a GPU or in a run of five minutes and more, where timed micro-batches are faster by it

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
LONG_SECONDS = 300.0  # compiling takes 17 to 60 s on a CPU and makes steps about a tenth faster (measured, 2 cores)
WAIT_SECONDS = 600.0


def machine_plan(config: Any, device: torch.device) -> dict[str, Any]:
    """`{"precision": "32" | "bf16", "max_steps": int, "compile": bool}`; measured by rank 0 while the others wait."""
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
    plan.setdefault("compile", False)  # begun before there was a choice
    if config.run.compile != "auto":
        plan["compile"] = config.run.compile
    if config.run.precision != "auto":
        plan["precision"] = config.run.precision
    if config.run.minutes is None:
        plan["max_steps"] = config.trainer.max_steps
    return plan


def _measured(config: Any, device: torch.device) -> dict[str, Any]:
    run, accumulation = config.run, config.trainer.accumulate_grad_batches
    plan: dict[str, Any] = {"largest_id": _largest_id(config.data.init_args)}
    plan["precision"] = pick_precision(run.precision, device)
    batches = MicroBatches(config, device, plan["precision"] == "bf16")
    if run.minutes is not None:
        plan["micro_batch_seconds"] = batches.seconds()
    plan["compile"] = run.compile is True
    # Sharded layers are compiled otherwise, which was never measured, and a whole network need not fit on one device.
    sharded = str(getattr(config.trainer.strategy, "class_path", "")).endswith("ModelParallelStrategy")
    if run.compile == "auto" and not sharded and (device.type == "cuda" or _is_long(config, batches)):
        plan["micro_batch_seconds"] = batches.seconds()
        compiled = plan["compiled_micro_batch_seconds"] = batches.compiled_seconds()
        plan["compile"] = compiled is not None and compiled < plan["micro_batch_seconds"]
    if run.minutes is not None:
        best = "compiled_micro_batch_seconds" if plan["compile"] and run.compile == "auto" else "micro_batch_seconds"
        plan["max_steps"] = max(1, int(run.minutes * 60 / (plan[best] * accumulation)))
    if "micro_batch_seconds" in plan:  # something was timed
        emit("plan", minutes=run.minutes, **plan)
    return plan


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


class MicroBatches:
    """Times micro-batches of random tokens, forward and backward, on a network of its own; no random state changes."""

    def __init__(self, config: Any, device: torch.device, half: bool) -> None:
        self.config, self.device, self.half = config, device, half
        self._first: float | None = None
        self._best: float | None = None

    def first_seconds(self) -> float:
        """Of the first one, caches and allocations included."""
        if self._first is None:
            self._first = self._timed(compiled=False, count=1)[0]
        return self._first

    def seconds(self) -> float:
        """The best of a few."""
        if self._best is None:
            self._best = min(self._timed(compiled=False, count=1 + TIMED))
        return self._best

    def compiled_seconds(self) -> float | None:
        """The best of a few of a compiled network; None, with a warning, where none can be compiled."""
        try:
            return min(self._timed(compiled=True, count=1 + TIMED))
        except Exception as error:  # no compiler on this machine, or a network that it does not take
            message = (
                f"torch.compile 不可用, 不编译 (cannot compile, going on without): {type(error).__name__}: {error}"
            )
            emit("warning", kind="cannot_compile", message=message.splitlines()[0])
            return None

    def _timed(self, compiled: bool, count: int) -> list[float]:
        model, data = self.config.model.init_args.as_dict(), self.config.data.init_args
        kind: type[LanguageModel] = getattr(*_named(self.config.model.class_path))
        found = []
        with torch.random.fork_rng():
            module = kind(**{**model, "compile": compiled})
            module.configure_model()
            module.to(self.device)
            tokens = np.random.default_rng(0).integers(
                model["vocab_size"], size=(data.blocks_per_device, data.block_tokens + 1)
            )
            made = batch_of(tokens, model["separator_id"], model["pad_id"])
            batch = {name: tensor.to(self.device) for name, tensor in made.items()}
            for _ in range(count):
                start = time.perf_counter()
                with torch.autocast(self.device.type, torch.bfloat16, enabled=self.half):
                    loss = module.training_step(batch, 0)
                loss.backward()
                if self.device.type == "cuda":
                    torch.cuda.synchronize(self.device)
                found.append(time.perf_counter() - start)
        return found


def _named(class_path: str) -> tuple[Any, str]:
    module, _, name = class_path.rpartition(".")
    return importlib.import_module(module), name
