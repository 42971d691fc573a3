"""提前停止 early stopping: a run ends when its validation loss no longer falls; and no validation is ever missing.

What is decided hangs on validation.csv alone, so a run that was killed decides as if it had not been: a validation that
the kill took away is made up before the next step.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
from lightning.pytorch.callbacks import Callback

from lightning_modules.events import emit
from lightning_modules.metrics import VALIDATION, StepTable


def stalled(losses: Sequence[float], validations: int, min_gain: float) -> bool:
    """Whether none of the last `validations` is lower by more than `min_gain` than the best before them."""
    earlier, last = losses[:-validations], losses[-validations:]
    return bool(earlier) and min(last) >= min(earlier) - min_gain


class EarlyStopping(Callback):
    """Stands after TrainingRecord, which writes the table that this one reads."""

    def __init__(
        self, folder: str, steps_between_validations: int, validations: int | None = None, min_gain: float = 0.0
    ) -> None:
        """Nothing is read yet.

        Args:
            validations: so many without a gain end the run; None: the run goes on to its last step.
            min_gain: nats per token.
        """
        self.table = StepTable(Path(folder) / "validation.csv", VALIDATION)
        self.steps_between_validations = steps_between_validations
        self.validations, self.min_gain = validations, min_gain

    def on_train_start(self, trainer: pl.Trainer, pl_module: Any) -> None:
        """Make up for a validation during which the run was killed; end at once if it had decided to end."""
        step = trainer.global_step
        if not step or step % self.steps_between_validations:
            return
        if trainer.strategy.broadcast(self.table.last().get("step") != step):
            loop = trainer.fit_loop.epoch_loop.val_loop
            loop.restarting = False
            trainer.validating = True
            loop.run()  # which ends in on_validation_end
            trainer.training = True
        else:
            self._decide(trainer)

    def on_validation_end(self, trainer: pl.Trainer, pl_module: Any) -> None:
        """End the run when the loss has stalled; its checkpoint was written before this validation."""
        self._decide(trainer)

    def _decide(self, trainer: pl.Trainer) -> None:
        if self.validations is None or trainer.fit_loop.done:
            return
        losses = self.table.column("loss")
        if not trainer.strategy.broadcast(stalled(losses, self.validations, self.min_gain)):
            return
        trainer.should_stop = True
        if trainer.is_global_zero:
            emit(
                "early_stop",
                step=trainer.global_step,
                best_loss=min(losses),
                message=f"验证损失已 {self.validations} 次没有下降, 提前结束 "
                f"(no gain in {self.validations} validations: the run ends here, as if it were the last step)",
            )
