"""张量并行 tensor parallel: the matrices of every layer are dealt out to neighbouring processes.

Which matrix by columns and which by rows, the network of Hugging Face says itself (`base_model_tp_plan`): queries,
keys, values and the first half of the feed-forward layer by columns, so that a process has whole heads, and what
follows by rows, whose products are summed over the processes. Embedding and output head are dealt out by the tokens
of the vocabulary, also where both are one matrix; the logits are gathered, so that the loss is that of one process.
Norms are whole everywhere. Every parameter becomes a DTensor of the same mesh, which clipping and optimizers need.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.tensor import DTensor, Placement, Replicate, Shard, distribute_module
from torch.distributed.tensor.parallel import (
    ColwiseParallel,
    ParallelStyle,
    RowwiseParallel,
    parallelize_module,
)
from transformers import PreTrainedModel

from data_contracts.errors import ConfigError

HEADS = 2  # dimension of the heads in (B, T, heads, head width)


class Whole(ParallelStyle):
    """A module whose parameters every process has; in and out go plain tensors, whole or a share of the heads."""

    def __init__(self, place: Placement | None = None) -> None:
        super().__init__()
        self.place = place or Replicate()

    def _apply(self, module: nn.Module, device_mesh: DeviceMesh) -> nn.Module:
        def entering(module: nn.Module, inputs: tuple[Any, ...], mesh: DeviceMesh) -> Any:
            return (DTensor.from_local(inputs[0], mesh, (self.place,), run_check=False), *inputs[1:])

        def leaving(module: nn.Module, output: DTensor, mesh: DeviceMesh) -> torch.Tensor:
            return output.redistribute(placements=(self.place,)).to_local()

        return distribute_module(module, device_mesh, None, entering, leaving)


STYLES: dict[str, Callable[[], ParallelStyle]] = {  # by their names in transformers
    "colwise": ColwiseParallel,
    "rowwise": RowwiseParallel,
    "replicated_with_grad_allreduce": partial(Whole, Shard(HEADS)),  # norms of queries and keys, a head at a time
}


def divide(network: PreTrainedModel, mesh: DeviceMesh) -> None:
    """Deal out a network over the mesh's tensor dimension, if that has more than one process.

    Raises:
        ConfigError: the network does not say how it is divided.
    """
    if mesh.size() == 1:
        return
    words, head = network.get_input_embeddings(), network.get_output_embeddings()
    ends = {words: RowwiseParallel(input_layouts=Replicate()), head: ColwiseParallel(output_layouts=Replicate())}
    shared = head.weight is words.weight
    for name, module in list(network.named_modules()):
        if any(True for _ in module.parameters(recurse=False)):
            parallelize_module(module, mesh, ends.get(module) or _style(network, name, module))
    if shared:
        head.weight = words.weight


def _style(network: PreTrainedModel, name: str, module: nn.Module) -> ParallelStyle:
    """What the network's plan says of a module; `model.layers.3.mlp.up_proj` is there `layers.*.mlp.up_proj`."""
    said: dict[str, str] = network.config.get_text_config().base_model_tp_plan or {}
    pattern = ".".join("*" if part.isdigit() else part for part in name.split("."))
    style = next((style for key, style in said.items() if pattern.endswith(key)), None)
    if style in STYLES:
        return STYLES[style]()
    if style is not None or any(p.dim() > 1 for p in module.parameters(recurse=False)):
        raise ConfigError(
            f"pretrain.strategy tp: a model of the type {network.config.model_type} does not say how its {name} is "
            "divided; use fsdp, or a llama or qwen3"
        )
    return Whole()
