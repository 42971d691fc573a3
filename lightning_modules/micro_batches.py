"""微批 micro-batches: how long one takes, and how many blocks of it make a run fastest in the memory that is free.

The global batch stays: a micro-batch of twice the blocks means half as many of them in a step. Speed is measured with
random tokens on a network of its own, from the fewest blocks upward, until it falls or the estimate of memory says
stop. Where layers are sharded, one device cannot hold the network for that: then the most that fit are taken.
"""

from __future__ import annotations

import gc
import importlib
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from lightning_modules.block_files import batch_of
from lightning_modules.events import emit
from lightning_modules.language_model import LanguageModel

TIMED = 3
MIN_GAIN = 1.02  # more blocks must be faster by this: timings differ by as much
FALLS = 2  # so many sizes in a row that are not faster end the search


def candidates(config: Any) -> list[int]:
    """How many blocks a micro-batch may have, fewest first: what divides a process's share of a step."""
    start = _fewest(config)
    share = config.data.init_args.blocks_per_device * config.trainer.accumulate_grad_batches
    return [rows for rows in range(start, share + 1, start) if share % rows == 0]


def _fewest(config: Any) -> int:
    """A growing step is halved so often, and its micro-batches with it."""
    return 1 << int((config.data.init_args.batch or {}).get("halvings", 0))


def with_blocks(config: Any, rows: int) -> None:
    """Let a run file take so many blocks a micro-batch, and as many fewer micro-batches a step."""
    trainer, data = config.trainer, config.data.init_args
    share = data.blocks_per_device * trainer.accumulate_grad_batches
    steps_between = trainer.val_check_interval // trainer.accumulate_grad_batches
    data.blocks_per_device, trainer.accumulate_grad_batches = rows, share // rows
    trainer.val_check_interval = steps_between * trainer.accumulate_grad_batches


def fastest(
    config: Any, device: torch.device, half: bool, fits: Callable[[int], bool]
) -> tuple[int, list[dict[str, float]]]:
    """The number of blocks with the most tokens a second, and what every size that was tried gave."""
    tried: list[dict[str, float]] = []
    best, best_speed, falls = 0, 0.0, 0
    for rows in candidates(config):
        if tried and (falls >= FALLS or not fits(rows)):
            break
        try:
            seconds = MicroBatches(config, device, half, rows).seconds()
        except (torch.OutOfMemoryError, MemoryError) as error:
            if not tried:
                raise
            emit("warning", kind="out_of_memory", message=f"{rows} blocks: {error}".splitlines()[0])
            break
        finally:
            gc.collect()
            if device.type == "cuda":
                torch.cuda.empty_cache()  # pieces of one size would stand in the way of the next
        speed = rows * config.data.init_args.block_tokens / seconds
        tried.append({"blocks_per_device": rows, "tokens_per_second": speed})
        emit("micro_batch", **tried[-1])
        falls = 0 if speed > best_speed * MIN_GAIN else falls + 1
        if speed > best_speed * MIN_GAIN:
            best, best_speed = rows, speed
    return best, tried


class MicroBatches:
    """Times micro-batches of random tokens, forward and backward, on a network of its own; no random state changes."""

    def __init__(self, config: Any, device: torch.device, half: bool, rows: int) -> None:
        self.config, self.device, self.half, self.rows = config, device, half, rows
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
        found = []
        with torch.random.fork_rng():
            module = module_of(self.config, compiled)
            module.configure_model()
            module.to(self.device)
            tokens = np.random.default_rng(0).integers(module.vocab_size, size=(self.rows, module.block_tokens + 1))
            made = batch_of(tokens, module.separator_id, module.pad_id)
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


def module_of(config: Any, compiled: bool = False) -> LanguageModel:
    """The module of a run file, its network not built yet."""
    package, _, name = config.model.class_path.rpartition(".")
    kind: type[LanguageModel] = getattr(importlib.import_module(package), name)
    return kind(**{**config.model.init_args.as_dict(), "compile": compiled})
