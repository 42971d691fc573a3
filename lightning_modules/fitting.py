"""装得下吗 fitting: the memory that a run will hold beside the memory that is free, before anything is allocated.

A run whose estimate is more than what is free is refused, with the figures and the micro-batch that would fit. The
search for a micro-batch stays well below: on a CPU the C library keeps up to half as much again of what was freed.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import torch

from data_contracts.errors import ConfigError
from data_contracts.units import human
from lightning_modules.devices import free_bytes
from lightning_modules.memory import Estimate, Spread, estimate
from lightning_modules.micro_batches import candidates, module_of

SHARE = {"cuda": 0.9, "cpu": 0.6}  # of the free memory, that the search for a micro-batch may take


class Fitting:
    """Estimates of one run on one machine."""

    def __init__(self, config: Any, device: torch.device, half: bool) -> None:
        self.config, self.device, self.half, self.spread = config, device, half, spread_of(config)
        self.free = free_bytes(device, 1 if device.type == "cuda" else int(config.trainer.devices))
        self.estimate = cache(self._estimate)

    def _estimate(self, rows: int) -> Estimate:
        share = self.config.data.init_args.blocks_per_device * self.config.trainer.accumulate_grad_batches
        module = module_of(self.config)
        return estimate(module, rows, self.spread, self.device, self.half, micro_batches=share // rows)

    def fits(self, rows: int) -> bool:
        """Whether so many blocks a micro-batch leave room."""
        return self.free is None or self.estimate(rows).total <= SHARE[self.device.type] * self.free

    def checked(self, known: dict[str, Any] | None) -> dict[str, Any]:
        """The figures of this run, from those of an earlier start where they still hold.

        Raises:
            ConfigError: they are more than what is free.
        """
        rows = self.config.data.init_args.blocks_per_device
        asked = {"blocks_per_device": rows, "precision": "bf16" if self.half else "32", **self.spread._asdict()}
        if known is None or any(known.get(name) != value for name, value in asked.items()):
            made = self.estimate(rows)
            known = {**asked, "device": self.device.type, **made._asdict(), "total": made.total, "free": self.free}
        if self.free is not None and known["total"] > self.free:
            raise ConfigError(self._refusal(known, self.free))
        return known

    def _refusal(self, told: dict[str, Any], free: int) -> str:
        parts = ", ".join(f"{name} {human(told[name])}B" for name in Estimate._fields)
        smaller = [rows for rows in candidates(self.config) if rows < told["blocks_per_device"]]
        fitting = next((rows for rows in reversed(smaller) if self.estimate(rows).total <= free), None)
        advice = f"set pretrain.blocks_per_device: {fitting}, with the same global batch"
        if fitting is None:
            ways = ["a smaller model", "strategy fsdp or deepspeed on more devices"]
            if not self.config.model.init_args.activation_checkpointing:
                ways.insert(0, "pretrain.activation_checkpointing: full")
            advice = f"no micro-batch fits; take {', or '.join(ways)}"
        return (
            f"the run would hold {human(told['total'])}B on each device ({parts}) and {human(free)}B are free: {advice}"
        )


def spread_of(config: Any) -> Spread:
    """How a run file spreads its run."""
    strategy = config.trainer.strategy
    if str(getattr(strategy, "class_path", "")).endswith("ModelParallelStrategy"):
        sizes = strategy.init_args
        return Spread("sharded", int(sizes["data_parallel_size"]), int(sizes["tensor_parallel_size"]))
    count = int(config.trainer.devices) * int(config.trainer.num_nodes)
    if str(getattr(strategy, "class_path", "")).endswith("ZeroStrategy"):
        return Spread("zero", count, stage=int(strategy.init_args.stage))
    return Spread("ddp", count) if count > 1 else Spread("single")
