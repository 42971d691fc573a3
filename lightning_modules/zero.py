"""ZeRO by DeepSpeed (Rajbhandari et al. 2020): what a run keeps of every weight is spread over its processes.

    stage 1    the optimizer's state
    stage 2    and the gradients, summed a bucket at a time
    stage 3    and the weights, gathered a layer at a time

DeepSpeed's engine runs forward, backward, clipping and step; everything else stays as it is under ddp, checkpoints
included. DeepSpeed writes pickled shards that fit one number of processes. Here weights and optimizer state are put
together parameter by parameter, so that a checkpoint is the one file that one process would have written: read with
weights_only, and continued by any number of processes and by ddp.

Lightning has a strategy of this name, which refuses every device but CUDA. This one runs on CPUs too.
"""

from __future__ import annotations

import copy
import logging
import os
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from typing import Any

import lightning.pytorch as pl
import torch
from lightning.pytorch.strategies import DDPStrategy
from lightning.pytorch.trainer.states import TrainerFn
from torch import Tensor, nn
from torch.optim import Optimizer

from lightning_modules.strategies import BUCKET, SHARED_WEIGHTS


class ZeroStrategy(DDPStrategy):
    """DDPStrategy whose model and optimizer are DeepSpeed's."""

    def __init__(self, stage: int = 2, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.stage = stage
        self.engine: Any = None
        self._trained: list[nn.Parameter] = []  # in the order of the optimizer's state
        self._sizes: list[int] = []  # how many of them each group of the optimizer has

    @property
    def shares_weights(self) -> bool:
        """Whether a forward pass needs every process."""
        return self.stage >= SHARED_WEIGHTS

    def setup(self, trainer: pl.Trainer) -> None:
        """Hand model and optimizer to DeepSpeed, where they are trained; elsewhere they are whole, as under ddp."""
        super().setup(trainer)
        if trainer.state.fn == TrainerFn.FITTING:
            self._begin(trainer)

    def configure_ddp(self) -> None:
        """Nothing: the engine takes its place, when there is an optimizer."""

    def model_to_device(self) -> None:
        """Leave a model whose weights will be spread where it was built: it may not fit on one device."""
        if not (self.shares_weights and self.lightning_module.trainer.state.fn == TrainerFn.FITTING):
            super().model_to_device()

    def _begin(self, trainer: pl.Trainer) -> None:
        os.environ.setdefault("DS_ACCELERATOR", self.root_device.type)  # read when deepspeed is imported
        os.environ.setdefault("LOCAL_RANK", str(self.local_rank))  # the engine refuses to begin without
        import deepspeed

        deepspeed.utils.logger.setLevel(logging.WARNING)
        # On a CPU it would compile an operation for inference, which needs a C++ compiler and is not used here.
        deepspeed.ops.__compatible_ops__["deepspeed_shm_comm"] = False
        module, optimizer = self.lightning_module, self.optimizers[0]
        self._sizes = [len(group["params"]) for group in optimizer.param_groups]
        self._trained = [p for group in optimizer.param_groups for p in group["params"]]
        settings = self._settings(trainer)
        if self.shares_weights:
            deepspeed.zero.Init(module=module, config_dict_or_path=settings)
            for owner in module.modules():
                for name, buffer in owner.named_buffers(recurse=False):
                    owner._buffers[name] = buffer.to(self.root_device)
        self.engine, *_ = deepspeed.initialize(
            model=module, optimizer=optimizer, config=settings, dist_init_required=False
        )
        self.model = self.engine

    def _settings(self, trainer: pl.Trainer) -> dict[str, Any]:
        """DeepSpeed's configuration: https://www.deepspeed.ai/docs/config-json/."""
        half = {"enabled": True, "dtype": "bfloat16", "lower_precision_safe_modules": []}  # gradients are sent in fp32
        return {
            "train_micro_batch_size_per_gpu": trainer.datamodule.blocks_per_device,
            "gradient_accumulation_steps": 1,  # Lightning says when a step ends, and divides the loss
            "gradient_clipping": trainer.gradient_clip_val or 0.0,
            "zero_optimization": {
                "stage": self.stage,
                "reduce_bucket_size": BUCKET,
                "allgather_bucket_size": BUCKET,
                "stage3_prefetch_bucket_size": BUCKET,
            },
            "zero_allow_untested_optimizer": True,  # ours are torch's, and work element by element
            "steps_per_print": 10**9,
            **({"torch_autocast": half} if "bf16" in str(self.precision_plugin.precision) else {}),
        }

    @contextmanager
    def block_backward_sync(self) -> Generator[None]:
        """Micro-batches that do not end a step."""
        self.engine.set_gradient_accumulation_boundary(False)
        yield
        self.engine.set_gradient_accumulation_boundary(True)

    def backward(self, closure_loss: Tensor, optimizer: Optimizer | None, *args: Any, **kwargs: Any) -> Tensor:
        """Backward by the engine, which sums over processes at the end of a step."""
        self.engine.backward(closure_loss, scale_wrt_gas=False)
        return closure_loss

    def optimizer_step(self, optimizer: Optimizer, closure: Callable[[], Any], model: Any = None, **kwargs: Any) -> Any:
        """The step's last micro-batch, then clipping and step by the engine."""
        loss = closure()
        self.engine.step()
        # After a gradient that is not finite the engine leaves the weights, and says inf here: TrainingRecord refuses.
        self.lightning_module.gradient_norm = self.engine.get_global_grad_norm()
        return loss

    def lightning_module_state_dict(self) -> dict[str, Any]:
        """Whole weights; where they are spread, on rank 0 only."""
        if self.engine is None or not self.shares_weights:
            return super().lightning_module_state_dict()
        from deepspeed.utils import safe_get_full_fp32_param

        whole: dict[int, Tensor | None] = {}
        for parameter in self._trained:  # every process takes part in every one of them
            whole[id(parameter)] = self._on_rank_zero(safe_get_full_fp32_param(parameter))
        named = self.lightning_module.state_dict(keep_vars=True)
        return {name: whole.get(id(value), value.detach()) for name, value in named.items()}

    def optimizer_state(self, optimizer: Optimizer) -> dict[str, Any]:
        """The state dict that the optimizer would have over whole parameters; its tensors on rank 0 only."""
        from deepspeed.utils import safe_get_full_optimizer_state

        flat = self._partitions()[0]
        mine: dict[str, Any] = self.optimizers[0].state.get(flat, {})  # empty before the first step
        if mine:
            self._link()
        states: dict[int, dict[str, Any]] = {i: {} for i in range(len(self._trained) if mine else 0)}
        for i, parameter in enumerate(self._trained):
            for name, value in mine.items():
                spread = _is_of(value, flat.shape)
                found = safe_get_full_optimizer_state(parameter, name) if spread else value
                states[i][name] = self._on_rank_zero(found)
        first = [sum(self._sizes[:i]) for i in range(len(self._sizes))]
        groups = [
            {**group, "params": list(range(start, start + size))}
            for group, start, size in zip(self.optimizers[0].param_groups, first, self._sizes, strict=True)
        ]
        return {"state": states, "param_groups": groups}

    def load_optimizer_state_dict(self, checkpoint: Mapping[str, Any]) -> None:
        """Spread a state dict over whole parameters, whatever strategy and number of processes it is from."""
        saved, base = checkpoint["optimizer_states"][0], self.optimizers[0]
        for group, was in zip(base.param_groups, saved["param_groups"], strict=True):
            group.update({name: value for name, value in was.items() if name != "params"})
        if not saved["state"]:
            return
        shape = getattr(self._trained[0], "ds_shape", self._trained[0].shape)
        for flat in self._partitions():
            base.state[flat] = {
                name: torch.zeros_like(flat) if _is_of(value, shape) else copy.deepcopy(value)
                for name, value in saved["state"][0].items()
            }
        self._link()
        for i, parameter in enumerate(self._trained):
            for name, value in saved["state"][i].items():
                if _is_of(value, getattr(parameter, "ds_shape", parameter.shape)):
                    self._spread(parameter, name, value.to(self.root_device))

    def _spread(self, parameter: nn.Parameter, name: str, whole: Tensor) -> None:
        """Keep this process's part of one parameter's state."""
        from deepspeed.utils import safe_get_local_optimizer_state, safe_set_full_optimizer_state

        if not self.shares_weights:
            safe_set_full_optimizer_state(parameter, whole, name)
            return
        part = safe_get_local_optimizer_state(parameter, name)  # of equal size on every process: the last is padded
        start = self.global_rank * part.numel()
        found = whole.flatten()[start : start + part.numel()]
        part[: found.numel()].copy_(found)

    def _link(self) -> None:
        """Tell parameters where their state lies. DeepSpeed does it when only the first group has any."""
        if not self.shares_weights:
            self.engine.optimizer._hp_optimizer_states_linked = False
            self.engine.optimizer._lazy_init_hp_params_optimizer_state()

    def _partitions(self) -> list[Tensor]:
        """This process's parts of the weights in fp32, one for every group or part of one, each a flat tensor."""
        name = "fp32_partitioned_groups_flat" if self.shares_weights else "single_partition_of_fp32_groups"
        return list(getattr(self.engine.optimizer, name))

    def _on_rank_zero(self, value: Any) -> Any:
        """A copy in the memory of rank 0; nothing on the others."""
        if not isinstance(value, Tensor):
            return value
        return value.detach().to("cpu", copy=True) if self.is_global_zero else None


def _is_of(value: Any, shape: torch.Size) -> bool:
    """Whether a value of an optimizer's state has an element for each weight; else it is a count."""
    return isinstance(value, Tensor) and value.shape == shape
