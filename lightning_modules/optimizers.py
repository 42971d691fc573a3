"""优化器 optimizers: fused AdamW with decay for matrices only, and the warm-up, constant, decay schedule."""

from __future__ import annotations

import torch
from torch import nn
from torch.optim import AdamW, Optimizer

from data_contracts.training import OptimizerConfig


def warmup_constant_decay(step: int, max_steps: int, cfg: OptimizerConfig) -> float:
    """Learning rate of optimizer step `step` (0-based) as a share of the highest one.

    Linear up over the first warmup_ratio, constant, then linear down over the last decay_ratio to
    min_learning_rate_ratio, which the step after the last would have. Where both overlap the lower one holds.
    A pure function of max_steps: Lightning's estimated_stepping_batches would drop the loader's state.
    """
    warmup, decay = cfg.warmup_ratio * max_steps, cfg.decay_ratio * max_steps
    up = min(1.0, (step + 1) / warmup) if warmup >= 1 else 1.0
    left = max(0, max_steps - step)
    down = min(1.0, left / decay) if decay >= 1 else 1.0
    return min(up, cfg.min_learning_rate_ratio + (1.0 - cfg.min_learning_rate_ratio) * down)


def adamw(network: nn.Module, cfg: OptimizerConfig) -> Optimizer:
    """AdamW over two groups: matrices and embeddings decay, vectors (norms, biases) do not."""
    trained = [p for p in network.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in trained if p.dim() >= 2], "weight_decay": cfg.weight_decay},
        {"params": [p for p in trained if p.dim() < 2], "weight_decay": 0.0},
    ]
    return AdamW(groups, lr=cfg.learning_rate, betas=(cfg.beta1, cfg.beta2), eps=1e-8, fused=True)


def schedule(optimizer: Optimizer, max_steps: int, cfg: OptimizerConfig) -> torch.optim.lr_scheduler.LambdaLR:
    """The schedule as torch's scheduler; its state is one step count."""
    return torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: warmup_constant_decay(step, max_steps, cfg))
