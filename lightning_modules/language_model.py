"""语言模型 language model: what every kind of it shares, from the network and the sums of a step to the optimizer.

Shapes: B blocks of a micro-batch, T tokens of a block, V tokens of the vocabulary.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, ClassVar

import lightning.pytorch as pl
import torch
from torch.nn import functional
from torch.nn.utils import clip_grad_norm_
from torch.optim import Optimizer
from transformers import PreTrainedModel

from data_contracts.block_sets import HeldOutSet
from data_contracts.network import NetworkConfig, Objective
from data_contracts.optimizers import OptimizerConfig, learning_rate_share
from lightning_modules.architectures import Cost, Tokens, built, cost_of, hugging_face_config, recompute_layers
from lightning_modules.block_files import IGNORED, Batch
from lightning_modules.cross_entropy import summed_nats
from lightning_modules.foreign import foreign_config, loaded, refuse_leak
from lightning_modules.optimizers import optimizer_of, schedule
from lightning_modules.strategies import shard, summed
from lightning_modules.tensor_parallel import divide


class LanguageModel(pl.LightningModule):
    """LightningModule of a language model, from random weights or a folder; what its loss is, each kind says."""

    objective: ClassVar[Objective]
    network: PreTrainedModel
    cost: Cost

    def __init__(
        self,
        vocab_size: int,
        separator_id: int,
        pad_id: int,
        block_tokens: int,
        max_steps: int,
        network: dict[str, Any],
        optimizer: dict[str, Any],
        seed: int,
        train_chars_per_token: float,
        validation_chars: int,
        held_out_sets: list[dict[str, Any]] | None = None,
        label_smoothing: float = 0.0,
        activation_checkpointing: bool = False,
        compile: bool = False,
        sharded_bf16: bool = False,
    ) -> None:
        """Nothing heavy happens here; `configure_model` builds the network.

        Args:
            network: a NetworkConfig as plain values.
            optimizer: an OptimizerConfig as plain values.
            train_chars_per_token: turns the training loss into bits per character.
            validation_chars: characters of the whole validation split.
            held_out_sets: HeldOutSets as plain values, in the order of their numbers; None: all is one.
            label_smoothing: share of the target that is spread over the vocabulary; of the gradient only.
            activation_checkpointing: run each layer again going backward instead of keeping what it made.
            sharded_bf16: compute in bf16 under FSDP2, whose precision is set where layers are sharded.
        """
        super().__init__()
        cfg, self.vocab_size = NetworkConfig(**network), vocab_size
        self.folder, self.extends = cfg.folder, cfg.extend_vocabulary
        tokens = Tokens(vocab_size, separator_id, pad_id, block_tokens)
        self.config = (
            hugging_face_config(cfg, tokens) if cfg.folder is None else foreign_config(cfg.folder, block_tokens)
        )
        self.optimizer_config = OptimizerConfig(**optimizer)
        self.separator_id, self.pad_id, self.block_tokens = separator_id, pad_id, block_tokens
        self.max_steps, self.seed = max_steps, seed
        self.train_chars_per_token, self.validation_chars = train_chars_per_token, validation_chars
        whole = {"name": "all", "chars": validation_chars, "main": True}
        self.held_out_sets = [HeldOutSet(**one) for one in held_out_sets or [whole]]
        self.label_smoothing = label_smoothing
        self.target_ratio = 1.0  # targets a position
        self.wants_compile, self.sharded_bf16, self.recomputes = compile, sharded_bf16, activation_checkpointing
        self.step_sums: torch.Tensor | None = None  # (2,) float64: summed loss in nats, targets counted; of one step
        self.held_out_sums = torch.zeros(len(self.held_out_sets), 2, dtype=torch.float64)  # the same of held-out sets
        self.gradient_norm: torch.Tensor | float = 0.0
        self.before_step: Callable[[], None] = lambda: None  # a callback may look at the step, and take its gradients
        self.held_out: dict[str, float] = {}
        self.held_out_by_set: dict[str, dict[str, float]] = {}

    def configure_model(self) -> None:
        """Build the network from the seed or the folder alone; shard it on a device mesh. Idempotent.

        On the CPU, wherever it will be trained: Lightning builds on the device, whose generator draws other weights.
        """
        if "network" in self._modules:
            return
        with torch.random.fork_rng(), torch.device("cpu"):
            torch.manual_seed(self.seed)
            if self.folder is None:
                self.network = built(self.config, self.objective)
            else:
                self.network = loaded(self.folder, self.config, self.objective, self.vocab_size, self.extends)
                refuse_leak(self)
                self.config = self.network.config
        self.cost = cost_of(self.network, self.objective, self.block_tokens, self.target_ratio)
        if self.recomputes:
            recompute_layers(self.network)
        if self._device_mesh is not None:
            divide(self.network, self._device_mesh["tensor_parallel"])
            shard(self.network, self._device_mesh, self.sharded_bf16)
        if self.wants_compile:
            self.network.compile()

    def logits(self, batch: Batch) -> torch.Tensor:
        """(B, T, V) scores of every position of a micro-batch, each from its own document alone."""
        raise NotImplementedError

    def predicted(self, batch: Batch) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor | slice]:
        """(N, V) scores and (N,) targets of the positions that are asked about, and which of the B*T those are."""
        return self.logits(batch).float().flatten(0, 1), batch["targets"].flatten(), slice(None)

    def _summed_loss(self, batch: Batch, smoothing: float = 0.0) -> tuple[torch.Tensor, torch.Tensor]:
        """() loss to be minimized, and (2,) sums: nats without smoothing, and targets counted."""
        logits, targets, _ = self.predicted(batch)  # (N, V), (N,)
        nats, loss = summed_nats(logits, targets, smoothing)
        return loss, torch.stack([nats.double(), (targets != IGNORED).sum().double()])

    def training_step(self, batch: Batch, batch_idx: int) -> torch.Tensor:
        """Loss in nats, divided by as many targets as the positions of the micro-batch have on average.

        Dividing by them, not by targets counted, makes the gradient of a step independent of how its blocks are
        cut into micro-batches and processes. The loss that is reported is divided by targets counted.
        """
        nats, sums = self._summed_loss(batch, self.label_smoothing)
        self.step_sums = sums if self.step_sums is None else self.step_sums + sums
        return nats / (batch["targets"].numel() * self.target_ratio)

    def take_step_sums(self) -> torch.Tensor:
        """(2,) sums of the step that just ended, this process's share of them; starts the next step."""
        sums, self.step_sums = self.step_sums, None
        if sums is None:
            raise RuntimeError("no training step ran since the last call")
        return sums / self.sharing

    @property
    def sharing(self) -> int:
        """Processes that share the layers, and so count the same targets."""
        return self._device_mesh["tensor_parallel"].size() if self._device_mesh is not None else 1

    def on_validation_epoch_start(self) -> None:
        """Start counting the split."""
        self.held_out_sums = torch.zeros(len(self.held_out_sets), 2, dtype=torch.float64, device=self.device)

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Add one micro-batch to the sums of its sets."""
        logits, targets, where = self.predicted(batch)  # (N, V), (N,)
        nats = functional.cross_entropy(logits, targets, ignore_index=IGNORED, reduction="none")  # (N,)
        sums = torch.stack([nats.double(), (targets != IGNORED).double()], dim=1)  # (N, 2)
        self.held_out_sums.index_add_(0, batch["groups"].flatten()[where], sums)

    def on_validation_epoch_end(self) -> None:
        """Loss and bits per character of the main sets together and of each: every target once, over all processes."""
        sums = summed(self.held_out_sums / self.sharing)  # (S, 2)
        mine = [i for i, one in enumerate(self.held_out_sets) if one.main]
        self.held_out = _figures(sums[mine].sum(0), self.validation_chars)
        self.held_out_by_set = {s.name: _figures(sums[i], s.chars) for i, s in enumerate(self.held_out_sets)}

    def configure_gradient_clipping(
        self, optimizer: Optimizer, gradient_clip_val: float | None = None, gradient_clip_algorithm: str | None = None
    ) -> None:
        """Clip by the global norm and keep the norm, which shows a diverging run one step before its loss does."""
        norm = clip_grad_norm_(self.network.parameters(), gradient_clip_val or math.inf)
        self.gradient_norm = norm.full_tensor() if hasattr(norm, "full_tensor") else norm
        self.before_step()

    def learning_rate_at(self, step: int) -> float:
        """Learning rate that the 0-based optimizer step uses."""
        cfg = self.optimizer_config
        return cfg.learning_rate * learning_rate_share(step, self.max_steps, cfg)

    def bits_per_char(self, loss: float) -> float | None:
        """Training loss in nats per token -> bits per character, by the split's characters per token."""
        return loss / math.log(2) / self.train_chars_per_token if self.train_chars_per_token else None

    def configure_optimizers(self) -> Any:
        """The optimizer and its schedule, stepped once an optimizer step."""
        optimizer = optimizer_of(self.network, self.optimizer_config)
        scheduler = schedule(optimizer, self.max_steps, self.optimizer_config)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """What rebuilds the network without the run file."""
        checkpoint["network"], checkpoint["objective"] = self.config.to_dict(), self.objective

    def on_test_epoch_start(self) -> None:
        """Start counting the split."""
        self.on_validation_epoch_start()

    def test_step(self, batch: Batch, batch_idx: int) -> None:
        """Add one micro-batch of the test split."""
        self.validation_step(batch, batch_idx)

    def on_test_epoch_end(self) -> None:
        """Loss of the test split; its characters are counted where it is assessed, so there are no bits per one."""
        self.held_out = _figures(summed(self.held_out_sums / self.sharing).sum(0), 0)


def _figures(sums: torch.Tensor, chars: int) -> dict[str, float]:
    """(2,) nats and targets -> loss, targets, and bits per character where characters are known."""
    nats, counted = sums.tolist()
    bits = {"bits_per_char": nats / math.log(2) / chars} if chars else {}
    return {"loss": nats / max(1.0, counted), "tokens": counted, **bits}
