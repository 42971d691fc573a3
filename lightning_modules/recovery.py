"""恢复 recovery: the callback that writes checkpoints, carries every rank's random state, and ends on a signal."""

from __future__ import annotations

import random
import shutil
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import numpy as np
import torch
from lightning.pytorch.callbacks import Checkpoint
from lightning.pytorch.strategies import ModelParallelStrategy
from torch.distributed.checkpoint.api import CheckpointException

from lightning_modules.checkpointing import CheckpointFolder, replace_durably, unwritable
from lightning_modules.events import emit
from lightning_modules.metrics import VALIDATION, StepTable, losses_in
from lightning_modules.signals import STOP, Stopped
from lightning_modules.strategies import gathered, summed


def random_state() -> dict[str, Any]:
    """State of every generator that training may draw from, in types that torch.load(weights_only=True) reads."""
    name, keys, position, has_gauss, cached = np.random.get_state()
    version, words, gauss = random.getstate()
    return {
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state() if torch.cuda.is_available() else None,
        "numpy": [str(name), [int(k) for k in keys], int(position), int(has_gauss), float(cached)],
        "python": [version, list(words), gauss],
    }


def set_random_state(state: dict[str, Any]) -> None:
    """Undo everything drawn since `random_state`."""
    torch.set_rng_state(state["torch"].cpu())
    if state["cuda"] is not None and torch.cuda.is_available():
        torch.cuda.set_rng_state(state["cuda"].cpu())
    name, keys, *rest = state["numpy"]
    np.random.set_state((name, np.array(keys, dtype=np.uint32), *rest))
    version, words, gauss = state["python"]
    random.setstate((version, tuple(words), gauss))


def count_again(checkpoint: dict[str, Any], accumulation: int) -> None:
    """Count the micro-batches of a checkpoint as this run makes them, when it makes more or fewer of them a step.

    Lightning ends a step, and validates, when their number divides; a run on another number of processes would end its
    first step in the middle.
    """
    progress = checkpoint["loops"]["fit_loop"]["epoch_loop.batch_progress"]
    for count in (progress["total"], progress["current"]):
        count.update(dict.fromkeys(count, checkpoint["global_step"] * accumulation))


class Checkpoints(Checkpoint):
    """Write a checkpoint every `steps_between` steps, before each validation, at the end, and on SIGTERM."""

    def __init__(
        self,
        folder: str,
        steps_between: int,
        steps_between_validations: int | None,
        kept: int,
        seed: int,
        best_kept: int = 0,
    ) -> None:
        self.checkpoints = CheckpointFolder(folder, kept, best_kept)
        self.validation = StepTable(Path(folder).parent / "validation.csv", VALIDATION)
        self.steps_between, self.steps_between_validations, self.seed = steps_between, steps_between_validations, seed
        self._seen_step = 0
        self._random_states: list[dict[str, Any]] | None = None

    def on_save_checkpoint(self, trainer: pl.Trainer, pl_module: Any, checkpoint: dict[str, Any]) -> None:
        """Add every rank's random state, and the number of threads, on which the last bits of a sum depend."""
        checkpoint["random_states"] = gathered(random_state())
        checkpoint["threads"] = torch.get_num_threads()

    def on_load_checkpoint(self, trainer: pl.Trainer, pl_module: Any, checkpoint: dict[str, Any]) -> None:
        """Keep the random states until training starts: what Lightning does in between may draw numbers."""
        self._random_states = checkpoint["random_states"]
        count_again(checkpoint, trainer.accumulate_grad_batches)
        if checkpoint["threads"] != torch.get_num_threads():
            emit(
                "warning",
                kind="threads_changed",
                message=f"线程数由 {checkpoint['threads']} 变为 {torch.get_num_threads()}, 末位数字可能不同 "
                "(other number of threads: the last digits of the loss may differ)",
            )

    def on_train_start(self, trainer: pl.Trainer, pl_module: Any) -> None:
        """Restore the random state of this rank, or give each rank its own stream on a fresh start."""
        STOP.install()
        STOP.training = True
        self._seen_step = trainer.global_step
        states = self._random_states
        if states is not None and len(states) == trainer.world_size:
            set_random_state(states[trainer.global_rank])
        else:  # fresh, or resumed on another number of processes, where no old state fits
            torch.manual_seed(self.seed + 1_000_003 * trainer.global_rank + 7 * trainer.global_step)

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Save when it is time; runs after TrainingRecord, which has refused a loss that is not finite."""
        step = trainer.global_step
        if step == self._seen_step:  # in the middle of an accumulation
            return
        self._seen_step = step
        if STOP.agreed or self._is_due(step, pl_module.max_steps):
            self.save(trainer)
        if STOP.agreed and step < pl_module.max_steps:
            raise Stopped(STOP.agreed, step)

    def _is_due(self, step: int, max_steps: int) -> bool:
        intervals = [n for n in (self.steps_between, self.steps_between_validations) if n]
        return step >= max_steps or any(step % n == 0 for n in intervals)

    def on_validation_batch_end(
        self, trainer: pl.Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int, *_: Any
    ) -> None:
        """Leave a validation early on a signal; its checkpoint was written before it began."""
        flags = summed(torch.tensor(float(bool(STOP.received)), device=pl_module.device))
        if STOP.agree(float(flags)):
            raise Stopped(STOP.agreed, trainer.global_step)

    def on_validation_end(self, trainer: pl.Trainer, pl_module: Any) -> None:
        """Rate the checkpoint that was written before this validation; runs after TrainingRecord wrote its loss."""
        step = trainer.global_step
        if trainer.is_global_zero and self.checkpoints.best_kept and self.checkpoints.path(step).exists():
            self.checkpoints.record(step, losses_in(self.validation))

    def save(self, trainer: pl.Trainer) -> None:
        """Write and index the checkpoint of this step; every rank calls it."""
        step = trainer.global_step
        path = self.checkpoints.path(step)
        if isinstance(trainer.strategy, ModelParallelStrategy):
            self._save_folder(trainer, path)
        else:
            trainer.save_checkpoint(path)  # AtomicCheckpointIO
        if trainer.is_global_zero:
            self.checkpoints.record(step, losses_in(self.validation))
            emit("checkpoint", step=step, path=str(path))
        trainer.strategy.barrier("checkpoint")

    def _save_folder(self, trainer: pl.Trainer, path: Path) -> None:
        temporary = path.with_name(f".{path.name}.tmp")
        if trainer.is_global_zero:
            shutil.rmtree(temporary, ignore_errors=True)
        trainer.strategy.barrier("checkpoint folder")
        try:
            trainer.save_checkpoint(temporary)
        except (CheckpointException, OSError, RuntimeError) as error:  # the first is told on all ranks, of any of them
            shutil.rmtree(temporary, ignore_errors=True)
            raise unwritable(path, error) from error
        trainer.strategy.barrier("checkpoint written")
        if trainer.is_global_zero:
            replace_durably(temporary, path)

    def teardown(self, trainer: pl.Trainer, pl_module: Any, stage: str) -> None:
        """Outside of training a signal ends the process at once."""
        STOP.training = False
