"""优化器 optimizers: one of torch's by name, with weight decay for matrices only, and the schedule that all share."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.optim import SGD, Adafactor, AdamW, Muon, Optimizer, RMSprop
from torch.optim.lr_scheduler import LambdaLR

from data_contracts.optimizers import OptimizerConfig, OptimizerName, learning_rate_share
from lightning_modules.architectures import layers_of

Groups = list[dict[str, Any]]


def _groups(parameters: list[nn.Parameter], cfg: OptimizerConfig) -> Groups:
    """Matrices and embeddings decay, vectors (norms, biases) do not."""
    return [
        {"params": [p for p in parameters if p.dim() >= 2], "weight_decay": cfg.weight_decay},
        {"params": [p for p in parameters if p.dim() < 2], "weight_decay": 0.0},
    ]


def adamw(groups: Groups, cfg: OptimizerConfig) -> Optimizer:
    """Fused AdamW (Loshchilov and Hutter 2019)."""
    return AdamW(groups, lr=cfg.learning_rate, betas=(cfg.beta1, cfg.beta2), eps=1e-8, fused=True)


def sgd(groups: Groups, cfg: OptimizerConfig) -> Optimizer:
    """Stochastic gradient descent with momentum."""
    return SGD(groups, lr=cfg.learning_rate, momentum=cfg.momentum)  # fused: not on the shards of FSDP2


def adafactor(groups: Groups, cfg: OptimizerConfig) -> Optimizer:
    """Adafactor (Shazeer and Stern 2018): its rate is relative to the size of each weight; no momentum."""
    return Adafactor(groups, lr=cfg.learning_rate)


def rmsprop(groups: Groups, cfg: OptimizerConfig) -> Optimizer:
    """RMSprop (Hinton 2012)."""
    return RMSprop(groups, lr=cfg.learning_rate, alpha=cfg.beta2, momentum=cfg.momentum)


class MatrixMuon(Muon):
    """torch's Muon, except that a CPU orthogonalizes in fp32.

    torch does it in bf16 on every device, which a CPU without bf16 units does 20 to 25 times as slowly as fp32: on
    AVX2 0.52 s against 0.021 s for a matrix of 384 x 384.
    """

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """One step of every group."""
        if any(p.device.type != "cpu" for group in self.param_groups for p in group["params"]):
            return super().step(closure)
        loss = closure() if closure is not None else None
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None:
                    self._turn(p, p.grad, group)
        return loss

    def _turn(self, p: nn.Parameter, gradient: torch.Tensor, group: dict[str, Any]) -> None:
        state = self.state[p]
        if "momentum_buffer" not in state:
            state["momentum_buffer"] = torch.zeros_like(gradient)
        momentum = state["momentum_buffer"].lerp_(gradient, 1 - group["momentum"])
        wanted = gradient.lerp(momentum, group["momentum"])  # Nesterov's
        wide = math.sqrt(max(1.0, p.shape[0] / p.shape[1]))
        p.mul_(1 - group["lr"] * group["weight_decay"])
        p.add_(orthogonal(wanted, group["ns_coefficients"], group["ns_steps"]), alpha=-group["lr"] * wide)


def orthogonal(matrix: torch.Tensor, coefficients: tuple[float, float, float], steps: int) -> torch.Tensor:
    """U V^T of a matrix U S V^T, roughly, by a quintic Newton-Schulz iteration (Jordan et al. 2024)."""
    a, b, c = coefficients
    tall = matrix.shape[0] > matrix.shape[1]
    found = matrix.T if tall else matrix
    found = found / found.norm().clamp(min=1e-7)
    for _ in range(steps):
        gram = found @ found.T
        found = a * found + (b * gram + c * gram @ gram) @ found
    return found.T if tall else found


class MuonAdamW(Optimizer):
    """One optimizer of two rules: Muon for the matrices of the layers, AdamW for embeddings, head and vectors.

    Lightning, the schedule and the checkpoint see one list of groups and one state; both rules work on them.
    """

    def __init__(self, matrices: list[nn.Parameter], others: list[nn.Parameter], cfg: OptimizerConfig) -> None:
        rate, decay = cfg.matrix_learning_rate, cfg.weight_decay
        muon = [MatrixMuon(matrices, lr=rate, momentum=cfg.momentum, weight_decay=decay)] if matrices else []
        self._rules: list[Optimizer] = [*muon, adamw(_groups(others, cfg), cfg)]
        groups = [group | {"rule": i} for i, rule in enumerate(self._rules) for group in rule.param_groups]
        super().__init__(groups, {})

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """One step of both rules."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for i, rule in enumerate(self._rules):  # a checkpoint that was loaded has brought other groups
            rule.param_groups = [group for group in self.param_groups if group["rule"] == i]
            rule.state = self.state
            rule.step()
        return loss


RULES: dict[OptimizerName, Callable[[Groups, OptimizerConfig], Optimizer]] = {
    "adamw": adamw,
    "sgd": sgd,
    "adafactor": adafactor,
    "rmsprop": rmsprop,
}


def optimizer_of(network: nn.Module, cfg: OptimizerConfig) -> Optimizer:
    """The optimizer of a config over every parameter that is trained."""
    trained = [p for p in network.parameters() if p.requires_grad]
    if cfg.name != "muon":
        return RULES[cfg.name](_groups(trained, cfg), cfg)
    inner = {p for layer in layers_of(network) for p in layer.parameters() if p.dim() == 2}
    return MuonAdamW([p for p in trained if p in inner], [p for p in trained if p not in inner], cfg)


def schedule(optimizer: Optimizer, max_steps: int, cfg: OptimizerConfig) -> LambdaLR:
    """The schedule as torch's scheduler; its state is one step count."""
    return LambdaLR(optimizer, lambda step: learning_rate_share(step, max_steps, cfg))
