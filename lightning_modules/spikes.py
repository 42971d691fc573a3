"""损失尖峰 loss spikes: a step whose loss or gradient norm stands far above those before it does not move the weights.

    skipped.jsonl    step, loss, gradient_norm, the limits they were over; blocks of the step, by file and number

A figure is a spike when it is above median + sigmas x spread of the last `window` steps, where spread is 1.4826 x the
median distance from the median (the standard deviation of a normal distribution, Rousseeuw and Croux 1993) and at least
one hundredth of the median. Window and sigmas are those of OLMo 2 (SkipStepOptimizer, arXiv 2501.00656); median and
spread take the place of its mean and deviation, which one spike moves by itself. Nothing is judged until half the
window is full.

What is skipped counts in the window too: a lasting change is therefore accepted after half a window, and a run never
skips for ever. It is decided before the step, so weights, momenta and weight decay stay what they were and there is
nothing to roll back; the schedule goes on. Every process decides by the same sums, and a run that resumes by the same
window. Off unless asked for: a step of a few blocks differs from others that much by what they say, and whether a
rare text is learnt from should not hang on two numbers unasked.
"""

from __future__ import annotations

import json
import math
from collections import deque
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import numpy as np
from lightning.pytorch.callbacks import Callback

from lightning_modules.events import emit
from lightning_modules.strategies import summed
from lightning_modules.token_blocks import TokenBlocks

SKIPPED = "skipped.jsonl"
NORMAL = 1.4826  # 1 / the 75 % quantile of the normal distribution
LEAST = 0.01  # of the median: losses that hardly differ are no reason to call a hundredth more a spike


class Level:
    """The last figures of one kind, and what is too far above them."""

    def __init__(self, window: int, sigmas: float) -> None:
        self.values: deque[float] = deque(maxlen=window)
        self.sigmas = sigmas

    def limit(self) -> float:
        """Above this is a spike; infinite until half the window is full."""
        if 2 * len(self.values) < (self.values.maxlen or 0):
            return math.inf
        values = np.array(self.values)
        median = float(np.median(values))
        spread = NORMAL * float(np.median(np.abs(values - median)))
        return median + self.sigmas * max(spread, LEAST * abs(median))


class SkipSpikes(Callback):
    """Asked by the module once an optimizer step, when the gradients are there and nothing has moved yet."""

    def __init__(self, folder: str, window: int, sigmas: float) -> None:
        self.path = Path(folder) / SKIPPED
        self.levels = {name: Level(window, sigmas) for name in ("loss", "gradient_norm")}

    def state_dict(self) -> dict[str, Any]:
        """The figures of the window."""
        return {name: list(level.values) for name, level in self.levels.items()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Judge as if there had been no restart."""
        for name, level in self.levels.items():
            level.values.extend(state_dict[name])

    def on_train_start(self, trainer: pl.Trainer, pl_module: Any) -> None:
        """Drop what was skipped after the resumed step, and let the module ask."""
        pl_module.before_step = lambda: self.judge(trainer, pl_module)
        if trainer.is_global_zero and self.path.exists():
            lines = self.path.read_text(encoding="utf-8").splitlines(keepends=True)
            kept = [line for line in lines if line.endswith("\n") and json.loads(line)["step"] <= trainer.global_step]
            self.path.write_text("".join(kept), encoding="utf-8")

    def judge(self, trainer: pl.Trainer, module: Any) -> None:
        """Take the gradients away if this step is a spike: an optimizer leaves weights without one as they are."""
        nats, tokens = summed(module.step_sums.clone()).tolist()
        found = {"loss": nats / max(1.0, tokens), "gradient_norm": float(module.gradient_norm)}
        if not all(map(math.isfinite, found.values())):
            return  # no spike but an end: TrainingRecord refuses it
        limits = {name: level.limit() for name, level in self.levels.items()}
        for name, value in found.items():
            self.levels[name].values.append(value)
        over = [name for name, value in found.items() if value > limits[name]]
        if not over:
            return
        for parameter in module.network.parameters():
            parameter.grad = None
        if trainer.is_global_zero:
            self._tell(trainer, found, limits, over)

    def _tell(self, trainer: Any, found: dict[str, float], limits: dict[str, float], over: list[str]) -> None:
        step = trainer.global_step + 1
        told = {"step": step, **found, **{f"{n}_limit": limits[n] for n in limits}, "over": over}
        blocks = blocks_of_step(trainer.datamodule, step)
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({**told, "blocks": blocks}, ensure_ascii=False) + "\n")
        emit(
            "skipped_step",
            **told,
            blocks=len(blocks),
            message=f"第 {step} 步是尖峰, 不更新权重 (a spike: the weights stay; {SKIPPED} names its blocks)",
        )


def blocks_of_step(data: TokenBlocks, step: int) -> list[tuple[str, int]]:
    """File and number of every block that the step (from 1 on) took, over all processes."""
    first, count = data.shift + data.pace.blocks_before(step - 1), data.pace.blocks(step - 1)
    return data.train.places(data.order().samples(first, count))
