"""词元块 token blocks: BLOCKS -> batches. Batch k of a run is a pure function of (seed, k), on any number of processes.

State is one integer, the global samples consumed. It follows from the optimizer step, because checkpoints are only
taken between steps, so resuming costs O(1) and nothing inside a loader has to be saved. That holds for blocks of one
dataset and of several, mixed by shares, and while rows or steps are still growing.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import Any

import lightning.pytorch as pl
import numpy as np
import torch
from numpy.typing import NDArray

from data_contracts.errors import ConfigError
from data_contracts.pace import Growth, pace_of
from lightning_modules.block_files import IGNORED, Batch, BlockSource, batch_of, cut
from lightning_modules.events import emit
from lightning_modules.permutation import GlobalOrder
from lightning_modules.strategies import data_place

HELD_OUT_SEED = 0  # whatever a run's seed: held-out figures of two runs are of the same batches


class TrainBatches:
    """Endless micro-batches of one process, from step `step` on.

    A step takes the global samples from `shift` + pace.blocks_before(step) on, as many as its pace says. Its
    micro-batches take them in order; within a micro-batch, rank r takes the r-th run of rows. So the global batch is
    the same for every number of processes.
    """

    def __init__(self, data: TokenBlocks, rank: int, world: int, step: int = 0, shift: int = 0) -> None:
        self.data, self.rank, self.world, self.step, self.shift = data, rank, world, step, shift
        self.order = data.order()

    def __iter__(self) -> Iterator[Batch]:
        data, pace = self.data, self.data.pace
        for step in itertools.count(self.step):
            share = data.blocks_per_device >> pace.batch.left(step)
            first = self.shift + pace.blocks_before(step)
            mine = slice(self.rank * share, (self.rank + 1) * share)
            for at in range(first, first + pace.blocks(step), share * self.world):
                numbers = self.order.samples(at, share * self.world)[mine]
                samples = np.arange(at, at + share * self.world)[mine]
                yield cut(data.batch(data.train, numbers, samples, data.seed), pace.row_tokens(step))


class HeldOutBatches:
    """Every block of a split exactly once over all processes; every process gets the same number of batches.

    Blocks are dealt out in turn. Rows that are missing from the last batches are filled with ignored targets, so that
    processes that must call the network together do, and nothing is counted twice.
    """

    def __init__(self, source: BlockSource, data: TokenBlocks, rank: int, world: int) -> None:
        self.source, self.data, self.rank, self.world = source, data, rank, world

    def __len__(self) -> int:
        return math.ceil(len(self.source) / (self.data.blocks_per_device * self.world))

    def __iter__(self) -> Iterator[Batch]:
        data, rows = self.data, self.data.blocks_per_device
        mine = np.arange(self.rank, len(self.source), self.world, dtype=np.int64)
        for i in range(len(self)):
            numbers = mine[i * rows : (i + 1) * rows]
            filled = np.concatenate([numbers, np.zeros(rows - len(numbers), dtype=np.int64)])
            batch = data.batch(self.source, filled, filled, HELD_OUT_SEED)
            batch["targets"][len(numbers) :] = IGNORED
            batch["groups"] = torch.from_numpy(self.source.gather_groups(filled))
            yield batch


class TokenBlocks(pl.LightningDataModule):
    """LightningDataModule over the token files of a run file."""

    def __init__(
        self,
        train: list[dict[str, Any]],
        validation: list[dict[str, Any]],
        test: list[dict[str, Any]],
        data_hash: str,
        vocab_size: int,
        separator_id: int,
        pad_id: int,
        block_tokens: int,
        blocks_per_device: int,
        blocks_per_step: int,
        seed: int,
        sets: list[dict[str, Any]] | None = None,
        max_steps: int = 0,
        length: dict[str, Any] | None = None,
        batch: dict[str, Any] | None = None,
        accept_changed: list[str] | None = None,
    ) -> None:
        """Opens the files; reads none of them.

        Args:
            sets: datasets that the training blocks are of, in order: `blocks` and `share` of each; None: of one.
            length, batch: how rows and steps grow, each a Growth as plain values; None: they do not.
            accept_changed: names of _identity() that may differ from those of the checkpoint that is resumed.
        """
        super().__init__()
        self.train = BlockSource(train, block_tokens, vocab_size)
        self.validation = BlockSource(validation, block_tokens, vocab_size)
        self.test = BlockSource(test, block_tokens, vocab_size)
        self.data_hash, self.seed = data_hash, seed
        self.block_tokens, self.blocks_per_device, self.blocks_per_step = (
            block_tokens,
            blocks_per_device,
            blocks_per_step,
        )
        self.separator_id, self.pad_id, self.vocab_size = separator_id, pad_id, vocab_size
        self.sets = sets or [{"blocks": len(self.train), "share": 1.0}]
        grow = Growth(**(length or {})), Growth(**(batch or {}))
        self.pace = pace_of(block_tokens, blocks_per_step, max_steps, *grow)
        self.accept_changed = set(accept_changed or ())
        self.step = 0  # of the checkpoint that was resumed
        self.shift = 0  # samples consumed beyond what this pace takes: another pace came before, and was accepted

    def order(self) -> GlobalOrder:
        """The order of the training blocks."""
        return GlobalOrder([s["blocks"] for s in self.sets], self.seed, [s["share"] for s in self.sets])

    def batch(self, source: BlockSource, numbers: NDArray[np.int64], samples: NDArray[np.int64], seed: int) -> Batch:
        """A micro-batch of the numbered blocks.

        Args:
            samples: a number for each row that names what is drawn at random for it, with the seed; here nothing is.
        """
        return batch_of(source.gather(numbers), self.separator_id, self.pad_id)

    def train_dataloader(self) -> TrainBatches:
        """Micro-batches of this process, from where the checkpoint stands."""
        rank, world = data_place(self.trainer)
        if self.blocks_per_step % (self.blocks_per_device * world):
            raise ConfigError(
                f"the run file's global batch of {self.blocks_per_step} blocks does not divide into {world} processes "
                f"of {self.blocks_per_device} blocks; start it with as many processes as trainer.devices says"
            )
        return TrainBatches(self, rank, world, self.step, self.shift)

    def val_dataloader(self) -> HeldOutBatches:
        """The validation split."""
        return HeldOutBatches(self.validation, self, *data_place(self.trainer))

    def test_dataloader(self) -> HeldOutBatches:
        """The test split."""
        return HeldOutBatches(self.test, self, *data_place(self.trainer))

    def state_dict(self) -> dict[str, Any]:
        """Samples consumed, and everything that would change which samples those were."""
        step = self.trainer.global_step if self.trainer is not None else self.step
        return {"step": step, "consumed": self.shift + self.pace.blocks_before(step), **self._identity()}

    def _identity(self) -> dict[str, Any]:
        return {
            "seed": self.seed,
            "data_hash": self.data_hash,
            "vocab_size": self.vocab_size,
            "block_tokens": self.block_tokens,
            "blocks_per_step": self.blocks_per_step,
            "length": self.pace.length.model_dump(),
            "batch": self.pace.batch.model_dump(),
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue after the samples of the checkpoint; ConfigError when they would not be the same samples."""
        changed = {
            name: f"{name}: checkpoint {state_dict.get(name)!r}, run file {value!r}"
            for name, value in self._identity().items()
            if state_dict.get(name) != value
        }
        if "vocab_size" in changed:
            raise ConfigError(
                f"the run file no longer fits its checkpoint ({changed['vocab_size']}): the weights have one row for "
                "each token, so this cannot be accepted. Restore the old tokenizer, or start a new run folder"
            )
        refused = [name for name in changed if name not in self.accept_changed]
        if refused:
            raise ConfigError(
                f"the run file no longer fits its checkpoint ({'; '.join(changed[n] for n in refused)}): the order of "
                "the data would change unnoticed. Restore the old values, start a new run folder, or accept it with "
                f"--data.init_args.accept_changed=[{','.join(refused)}]"
            )
        if changed:
            emit("warning", kind="accepted_change", message=f"接受改动 accepted: {'; '.join(changed.values())}")
        self.step = int(state_dict["step"])
        self.shift = int(state_dict["consumed"]) - self.pace.blocks_before(self.step)
