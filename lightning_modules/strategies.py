"""并行 strategies: FSDP2 sharding over a device mesh, and sums over processes.

auto   one process, or DDP when there are several devices
ddp    DistributedDataParallel, gloo on CPU and nccl on GPU
fsdp   FSDP2 (`fully_shard`) through Lightning's ModelParallelStrategy; also on CPU with gloo
tp     the same, after the matrices of each layer are dealt out to neighbours (tensor_parallel.py)
deepspeed  ZeRO by DeepSpeed's engine, which is an extra (zero.py)
"""

from __future__ import annotations

from typing import Any

import lightning.pytorch as pl
import torch
import torch.distributed as dist
from lightning.pytorch.strategies import ModelParallelStrategy
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard
from transformers import PreTrainedModel

from lightning_modules.architectures import layers_of

BUCKET = 20_000_000  # of ZeRO: gradients and weights that are sent together, in elements; 80 MB
SHARED_WEIGHTS = 3  # the stage of ZeRO from which on no process has whole weights


def shard(network: PreTrainedModel, mesh: DeviceMesh, half: bool) -> None:
    """Shard parameters, gradients and optimizer state over the mesh's data dimension, a layer at a time.

    Args:
        half: compute and gather parameters in bf16, reduce gradients in fp32; master weights stay fp32.
    """
    options: dict[str, Any] = {"mesh": mesh["data_parallel"]}
    if half:
        options["mp_policy"] = MixedPrecisionPolicy(param_dtype=torch.bfloat16, reduce_dtype=torch.float32)
    for layer in layers_of(network):
        fully_shard(layer, **options)
    fully_shard(network, **options)


def together(trainer: pl.Trainer) -> bool:
    """Whether every process is needed for a forward pass, because each holds only a part of the weights."""
    return isinstance(trainer.strategy, ModelParallelStrategy) or getattr(trainer.strategy, "shares_weights", False)


def data_place(trainer: pl.Trainer | None) -> tuple[int, int]:
    """Which of how many groups of processes that see blocks of their own this process is in."""
    said: dict[str, int] = getattr(trainer.strategy, "distributed_sampler_kwargs", None) or {} if trainer else {}
    return said.get("rank", 0), said.get("num_replicas", 1)


def world_size() -> int:
    """Processes in this run."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def summed(values: torch.Tensor) -> torch.Tensor:
    """The sum of a small tensor over all processes; the tensor itself when there is one."""
    if world_size() > 1:
        dist.all_reduce(values)
    return values


def gathered(value: Any) -> list[Any]:
    """One object of every process, in rank order."""
    if world_size() == 1:
        return [value]
    everyone: list[Any] = [None] * world_size()
    dist.all_gather_object(everyone, value)
    return everyone
