"""内存估计 memory estimate: what a run will hold on each device, before anything of it is allocated.

Forward and backward of one micro-batch (two where a step has more) run on fake tensors of the network itself: every
operation says what it would make, nothing is computed, and what is alive is counted. So the activations of any
architecture are counted, with or without recomputation, in fp32 or under autocast, with the fp32 logits, which
are most of it for a large vocabulary. The optimizer's state follows from its name.

What is shared is divided: by all processes under fsdp (but for the layers that are gathered), and under tp the fake
network has as many heads as one process has. ddp keeps every gradient a second time, in the buckets that it sums;
DeepSpeed sums in one bucket and keeps its part of the weights twice. A compiled network holds less. Not counted:
libraries, workspaces of the device's own products, fragmentation.
"""

from __future__ import annotations

import copy
import weakref
from typing import Any, NamedTuple

import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from transformers import PreTrainedConfig
from transformers.initialization import no_init_weights

from data_contracts.optimizers import OptimizerConfig
from lightning_modules.architectures import built, layers_of, recompute_layers
from lightning_modules.language_model import LanguageModel
from lightning_modules.strategies import BUCKET, SHARED_WEIGHTS

FP32 = 4


class Estimate(NamedTuple):
    """Bytes on one device, at the moment of a step that holds most."""

    parameters: int
    gradients: int
    optimizer: int
    activations: int  # and what lives for a moment, as the gradient of the logits
    communication: int  # buckets of ddp, gathered layers of fsdp

    @property
    def total(self) -> int:
        """All of it."""
        return sum(self)


class Spread(NamedTuple):
    """How a run is spread over processes."""

    kind: str  # single, ddp, sharded, zero
    data: int = 1
    tensor: int = 1
    stage: int = 0  # of zero

    @property
    def splits_layers(self) -> bool:
        """Whether no process has all layers."""
        return self.kind == "sharded" or self.stage == SHARED_WEIGHTS


class _Living(TorchDispatchMode):
    """Bytes of all storages that operations under it made and that are still alive."""

    def __init__(self) -> None:
        super().__init__()
        self.now = self.peak = 0
        self._known: set[int] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(made):
            if isinstance(leaf, torch.Tensor):
                self._count(leaf.untyped_storage())
        return made

    def _count(self, storage: torch.UntypedStorage) -> None:
        key = storage._cdata
        if key in self._known:
            return
        size = storage.nbytes()
        self._known.add(key)
        self.now += size
        self.peak = max(self.peak, self.now)
        weakref.finalize(storage, self._forget, key, size).atexit = False

    def _forget(self, key: int, size: int) -> None:
        self._known.discard(key)
        self.now -= size


def estimate(
    module: LanguageModel, rows: int, spread: Spread, device: torch.device, half: bool, micro_batches: int = 2
) -> Estimate:
    """What a step of `rows` blocks a micro-batch holds on one device.

    Args:
        module: one whose network was not built; it gets a fake one, and is of no use for anything else.
        half: computed in bf16.
        micro_batches: of a step; with more than one the gradients of the first lie beside the second.
    """
    living = _Living()
    with FakeTensorMode(allow_non_fake_inputs=True), torch.random.fork_rng(devices=[]), torch.device(device):
        with living:
            with no_init_weights():  # which would read what it draws
                module.network = network = built(_share_of(module, spread.tensor), module.objective)
            network.tie_weights()
            if module.recomputes:
                recompute_layers(network)
            for _ in range(min(2, micro_batches)):
                _micro_batch(module, rows, device, half)
        layers = [sum(p.numel() for p in part.parameters()) * FP32 for part in layers_of(network)]
        weights = sum(p.numel() for p in network.parameters()) * FP32
        state = optimizer_bytes(network, module.optimizer_config)
    zero, part = spread.kind == "zero", weights // spread.data
    # The ends of the network, the weights of two layers (one is gathered ahead) and the gradients of one.
    gathered = weights - sum(layers) + 3 * max(layers, default=0) if spread.splits_layers and spread.data > 1 else 0
    bucket = min(FP32 * BUCKET, weights) if zero else 0
    twice = 2 if zero and spread.splits_layers else 1  # DeepSpeed's third stage: for sending and for the step
    return Estimate(
        parameters=(part if spread.splits_layers else weights) + part * zero,
        gradients=twice * part if spread.splits_layers or spread.stage > 1 else weights,
        optimizer=state // spread.data if spread.splits_layers or zero else state,
        activations=max(0, living.peak - 2 * weights),
        communication=weights if spread.kind == "ddp" else gathered + twice * bucket,
    )


def _share_of(module: LanguageModel, tensor: int) -> PreTrainedConfig:
    """The config of what one of `tensor` processes computes of every layer."""
    config = copy.deepcopy(module.config)
    config.vocab_size = max(config.vocab_size, module.vocab_size)
    if tensor > 1:
        config.head_dim = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
        for name in ("num_attention_heads", "num_key_value_heads", "intermediate_size"):
            setattr(config, name, getattr(config, name) // tensor)
    return config


def _micro_batch(module: LanguageModel, rows: int, device: torch.device, half: bool) -> None:
    batch = {
        name: torch.zeros(rows, module.block_tokens, dtype=torch.int64) for name in ("inputs", "targets", "positions")
    }
    asked = round(
        rows * module.block_tokens * module.target_ratio
    )  # of a masked model: how many, fake targets cannot say
    module.places = lambda targets: torch.arange(asked)
    with torch.autocast(device.type, torch.bfloat16, enabled=half):
        loss = module.training_step(batch, 0)
    loss.backward()


def optimizer_bytes(network: nn.Module, cfg: OptimizerConfig) -> int:
    """What the optimizer keeps of every parameter, in fp32."""
    inner = {id(p) for layer in layers_of(network) for p in layer.parameters() if p.dim() == 2}
    return FP32 * sum(_kept(p, cfg, id(p) in inner) for p in network.parameters() if p.requires_grad)


def _kept(p: torch.Tensor, cfg: OptimizerConfig, inner: bool) -> int:
    match cfg.name:
        case "adamw":
            return 2 * p.numel()
        case "muon":
            return p.numel() if inner else 2 * p.numel()
        case "sgd":
            return p.numel() if cfg.momentum else 0
        case "rmsprop":
            return p.numel() * (2 if cfg.momentum else 1)
        case "adafactor":  # means over rows and over columns
            return p.numel() // p.shape[-1] + p.numel() // p.shape[-2] if p.dim() > 1 else p.numel()
