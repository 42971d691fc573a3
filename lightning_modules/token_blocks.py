"""词元块 token blocks: BLOCKS -> batches. Batch k of a run is a pure function of (seed, k), on any number of processes.

State is one integer, the global samples consumed. It follows from the optimizer step, because checkpoints are only
taken between steps, so resuming costs O(1) and nothing inside a loader has to be saved.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import lightning.pytorch as pl
import numpy as np
from numpy.typing import NDArray

from data_contracts.errors import ConfigError
from lightning_modules.block_files import IGNORED, Batch, BlockSource, batch_of
from lightning_modules.permutation import GlobalOrder

HELD_OUT_SEED = 0  # whatever a run's seed: held-out figures of two runs are of the same batches


class TrainBatches:
    """Endless micro-batches of one process, from global sample `start` on.

    Step s consumes the global samples [s*G, (s+1)*G). Its micro-batches take them in order; within a micro-batch, rank
    r takes the r-th run of `blocks_per_device`. So the global batch is the same for every number of processes.
    """

    def __init__(self, data: TokenBlocks, rank: int, world: int, start: int) -> None:
        self.data, self.rank, self.world, self.start = data, rank, world, start
        self.order = GlobalOrder(len(data.train), data.seed)

    def __iter__(self) -> Iterator[Batch]:
        data, share = self.data, self.data.blocks_per_device
        at = self.start
        while True:
            mine = slice(self.rank * share, (self.rank + 1) * share)
            numbers = self.order.samples(at, share * self.world)[mine]
            yield data.batch(data.train, numbers, np.arange(at, at + share * self.world)[mine], data.seed)
            at += share * self.world


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
    ) -> None:
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
        self.separator_id, self.pad_id = separator_id, pad_id
        self.consumed = 0  # global samples whose gradients are in the weights

    def batch(self, source: BlockSource, numbers: NDArray[np.int64], samples: NDArray[np.int64], seed: int) -> Batch:
        """A micro-batch of the numbered blocks.

        Args:
            samples: a number for each row that names what is drawn at random for it, with the seed; here nothing is.
        """
        return batch_of(source.gather(numbers), self.separator_id, self.pad_id)

    def train_dataloader(self) -> TrainBatches:
        """Micro-batches of this process, from where the checkpoint stands."""
        rank, world = self._place()
        if self.blocks_per_step % (self.blocks_per_device * world):
            raise ConfigError(
                f"the run file's global batch of {self.blocks_per_step} blocks does not divide into {world} processes "
                f"of {self.blocks_per_device} blocks; start it with as many processes as trainer.devices says"
            )
        return TrainBatches(self, rank, world, self.consumed)

    def val_dataloader(self) -> HeldOutBatches:
        """The validation split."""
        return HeldOutBatches(self.validation, self, *self._place())

    def test_dataloader(self) -> HeldOutBatches:
        """The test split."""
        return HeldOutBatches(self.test, self, *self._place())

    def _place(self) -> tuple[int, int]:
        return (self.trainer.global_rank, self.trainer.world_size) if self.trainer else (0, 1)

    def state_dict(self) -> dict[str, Any]:
        """Samples consumed, and everything that would change which samples those were."""
        if self.trainer is not None:
            self.consumed = self.trainer.global_step * self.blocks_per_step
        return {"consumed": self.consumed, **self._identity()}

    def _identity(self) -> dict[str, Any]:
        return {
            "seed": self.seed,
            "data_hash": self.data_hash,
            "block_tokens": self.block_tokens,
            "blocks_per_step": self.blocks_per_step,
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue after the samples of the checkpoint; ConfigError when they would not be the same samples."""
        changed = [
            f"{name}: checkpoint {state_dict.get(name)!r}, run file {value!r}"
            for name, value in self._identity().items()
            if state_dict.get(name) != value
        ]
        if changed:
            raise ConfigError(
                f"the run file no longer fits its checkpoint ({'; '.join(changed)}): the order of the data would "
                "change unnoticed. Restore the old values, or start a new run folder"
            )
        self.consumed = int(state_dict["consumed"])
