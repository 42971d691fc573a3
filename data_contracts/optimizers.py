"""优化器与学习率 optimizers: settings, and every schedule as a pure function of (step, max_steps)."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Literal

from pydantic import Field

from data_contracts.model import Model

OptimizerName = Literal["adamw", "muon", "sgd", "adafactor", "rmsprop"]
ScheduleName = Literal["wsd", "cosine", "linear", "constant"]
# AdamW's is that of small Llamas; the others are the values of torch's own documentation (SGD: of its examples).
LEARNING_RATES: dict[OptimizerName, float] = {
    "adamw": 1e-3,
    "muon": 1e-3,
    "sgd": 0.1,
    "adafactor": 1e-2,
    "rmsprop": 1e-3,
}
MOMENTA: dict[OptimizerName, float] = {"muon": 0.95, "sgd": 0.9}


def _rate(data: dict[str, Any]) -> float:
    return LEARNING_RATES[data.get("name", "adamw")]


def _momentum(data: dict[str, Any]) -> float:
    return MOMENTA.get(data.get("name", "adamw"), 0.0)


class OptimizerConfig(Model):
    """优化器: which one, how fast, and by which schedule."""

    name: OptimizerName = Field(
        "adamw", description="优化器: adamw, muon (各层矩阵用 Muon, 其余用 AdamW), sgd, adafactor, rmsprop"
    )
    learning_rate: float = Field(
        default_factory=_rate,
        gt=0,
        description="最高学习率; 空则 adamw, muon, rmsprop 0.001, adafactor 0.01, sgd 0.1 (peak)",
    )
    matrix_learning_rate: float = Field(
        0.02, gt=0, description="muon: 各层矩阵的最高学习率 (of the matrices; Jordan et al. 2024)"
    )
    schedule: ScheduleName = Field(
        "wsd", description="学习率曲线: wsd 升温, 保持, 降温; cosine 余弦; linear 线性; constant 不变; 都先升温"
    )
    min_learning_rate_ratio: float = Field(0.0, ge=0, le=1, description="末尾学习率与最高值之比")
    warmup_ratio: float = Field(0.02, ge=0, le=1, description="升温步数占比")
    warmup_steps: int | None = Field(None, ge=0, description="升温步数, 代替 warmup_ratio (instead of the ratio)")
    decay_ratio: float = Field(0.3, ge=0, le=1, description="wsd: 降温步数占比")
    weight_decay: float = Field(0.1, ge=0, description="权重衰减, 只用于矩阵; sgd, rmsprop 中为 L2 (matrices only)")
    beta1: float = Field(0.9, ge=0, lt=1, description="AdamW beta1")
    beta2: float = Field(0.95, ge=0, lt=1, description="AdamW beta2; rmsprop alpha")
    momentum: float = Field(
        default_factory=_momentum, ge=0, lt=1, description="动量; 空则 muon 0.95, sgd 0.9, rmsprop 0"
    )
    max_gradient_norm: float = Field(1.0, gt=0, description="梯度裁剪范数")


def warmup_constant_decay(step: int, max_steps: int, cfg: OptimizerConfig) -> float:
    """WSD: constant, then linear down over the last decay_ratio (Hu et al. 2024, MiniCPM)."""
    decay = cfg.decay_ratio * max_steps
    return min(1.0, max(0, max_steps - step) / decay) if decay >= 1 else 1.0


def cosine(step: int, max_steps: int, cfg: OptimizerConfig) -> float:
    """Half a cosine from the end of the warm-up to the end (Loshchilov and Hutter 2017)."""
    return 0.5 + 0.5 * math.cos(math.pi * _progress(step, max_steps, cfg))


def linear(step: int, max_steps: int, cfg: OptimizerConfig) -> float:
    """A straight line from the end of the warm-up to the end."""
    return 1.0 - _progress(step, max_steps, cfg)


def constant(step: int, max_steps: int, cfg: OptimizerConfig) -> float:
    """The highest rate after the warm-up."""
    return 1.0


SCHEDULES: dict[ScheduleName, Callable[[int, int, OptimizerConfig], float]] = {
    "wsd": warmup_constant_decay,
    "cosine": cosine,
    "linear": linear,
    "constant": constant,
}


def learning_rate_share(step: int, max_steps: int, cfg: OptimizerConfig) -> float:
    """Learning rate of optimizer step `step` (0-based) as a share of the highest one, in (0, 1] while training.

    Linear up over the warm-up, then down by the schedule to min_learning_rate_ratio, which the step after the last
    would have. Where both overlap the lower one holds. A pure function of max_steps: Lightning's
    estimated_stepping_batches would drop the loader's state.
    """
    warmup = _warmup(max_steps, cfg)
    up = min(1.0, (step + 1) / warmup) if warmup >= 1 else 1.0
    down = SCHEDULES[cfg.schedule](step, max_steps, cfg)
    return min(up, cfg.min_learning_rate_ratio + (1.0 - cfg.min_learning_rate_ratio) * down)


def _warmup(max_steps: int, cfg: OptimizerConfig) -> float:
    return cfg.warmup_ratio * max_steps if cfg.warmup_steps is None else float(cfg.warmup_steps)


def _progress(step: int, max_steps: int, cfg: OptimizerConfig) -> float:
    """How much of the way from the end of the warm-up to the end is done, in [0, 1]."""
    warmup = min(_warmup(max_steps, cfg), max_steps - 1)
    return min(1.0, max(0.0, (step - warmup) / (max_steps - warmup)))


def planned(cfg: OptimizerConfig, max_steps: int, points: int = 200) -> list[dict[str, float]]:
    """Learning rates of at most `points` steps of a run, the first and the last among them; steps count from 1."""
    count = min(points, max_steps)
    steps = [round(i * (max_steps - 1) / max(1, count - 1)) for i in range(count)]
    rates = {"learning_rate": cfg.learning_rate}
    if cfg.name == "muon":
        rates["matrix_learning_rate"] = cfg.matrix_learning_rate
    shares = [learning_rate_share(step, max_steps, cfg) for step in steps]
    return [
        {"step": float(step + 1), **{name: rate * share for name, rate in rates.items()}}
        for step, share in zip(steps, shares, strict=True)
    ]
