"""定长块文件 block files: memory-mapped token streams, gathered a batch at a time.

A file is a raw little-endian stream of ids, uint16 for vocabularies up to 65,536 tokens, else uint32, whose length is
n_blocks * block_tokens + 1. Block i is tokens[i*T : i*T+T+1]: T inputs and, shifted by one, T targets.

Beside it lies a file of one bit an id, eight to a byte, the first in the lowest: set where a word begins, so that whole
words can be masked. The tokens from one bit to the next are whole words; separators and padding begin one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from data_contracts.block_sets import BlockFile
from data_contracts.errors import DatasetDamaged, DatasetMissing

IGNORED = -100  # torch's cross_entropy skips this target
Batch = dict[str, torch.Tensor]


def token_type(vocab_size: int) -> np.dtype[np.uint16] | np.dtype[np.uint32]:
    """The type of the ids in a token file."""
    return np.dtype("<u2") if vocab_size <= 1 << 16 else np.dtype("<u4")


class BlockSource:
    """The blocks of one split, over all shards, numbered 0 .. len - 1 in manifest order."""

    def __init__(self, files: Sequence[BlockFile | Mapping[str, object]], block_tokens: int, vocab_size: int) -> None:
        self.files = [f if isinstance(f, BlockFile) else BlockFile.model_validate(f) for f in files]
        self.block_tokens = block_tokens
        self.streams = [_opened(f, token_type(vocab_size)) for f in self.files]
        counts = [f.blocks(block_tokens) for f in self.files]
        self.ends = np.cumsum(counts, dtype=np.int64)
        self._windows = [_windows(stream, block_tokens) for stream in self.streams]
        self._offsets = np.arange(block_tokens + 1, dtype=np.int64)
        self._opened_bits: dict[int, NDArray[np.uint8]] = {}  # when asked for: a causal model never does

    def __len__(self) -> int:
        return int(self.ends[-1]) if len(self.ends) else 0

    @property
    def has_words(self) -> bool:
        """Whether every file has its word bits; blocks that were made before BLOCKS@2 have none."""
        return all(f.words for f in self.files)

    def gather(self, numbers: NDArray[np.int64]) -> NDArray[np.int64]:
        """Tokens of the numbered blocks, shape (len(numbers), block_tokens + 1): one fancy index per file touched."""
        tokens = np.empty((len(numbers), self.block_tokens + 1), dtype=np.int64)
        for one, rows, blocks in self._blocks(numbers):
            tokens[rows] = self._windows[one][blocks]
        return tokens

    def gather_words(self, numbers: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Whether a word begins with each token of the numbered blocks, shape (len(numbers), block_tokens + 1).

        DatasetMissing for blocks without word bits, DatasetDamaged when a file of bits does not fit its tokens.
        """
        begins = np.empty((len(numbers), self.block_tokens + 1), dtype=np.bool_)
        for one, rows, blocks in self._blocks(numbers):
            places = blocks[:, None] * self.block_tokens + self._offsets
            bits = self._bits(one)
            begins[rows] = (bits[places >> 3] >> (places & 7).astype(np.uint8)) & 1
        return begins

    def gather_groups(self, numbers: NDArray[np.int64]) -> NDArray[np.int64]:
        """Held-out set of each input of the numbered blocks, (len(numbers), block_tokens); 0 where a file says none.

        What is learnt of a token belongs to the document of the input, which the target follows.
        """
        groups = np.zeros((len(numbers), self.block_tokens), dtype=np.int64)
        for one, rows, blocks in self._blocks(numbers):
            named = self.files[one].groups
            if named:
                starts, sets = np.load(named)
                places = blocks[:, None] * self.block_tokens + self._offsets[:-1]
                groups[rows] = sets[np.maximum(np.searchsorted(starts, places, side="right") - 1, 0)]
        return groups

    def places(self, numbers: NDArray[np.int64]) -> list[tuple[str, int]]:
        """File of each numbered block, and its number there."""
        found: list[tuple[str, int]] = [("", 0)] * len(numbers)
        for one, rows, blocks in self._blocks(numbers):
            for row, block in zip(np.flatnonzero(rows).tolist(), blocks.tolist(), strict=True):
                found[row] = self.files[one].path, block
        return found

    def largest_id(self) -> tuple[int, str]:
        """The largest id of all files, and a file that it stands in; (-1, "") without a file. Reads everything once."""
        return max(((int(s.max()), f.path) for s, f in zip(self.streams, self.files, strict=True)), default=(-1, ""))

    def _bits(self, one: int) -> NDArray[np.uint8]:
        if one not in self._opened_bits:
            self._opened_bits[one] = _opened_words(self.files[one])
        return self._opened_bits[one]

    def _blocks(self, numbers: NDArray[np.int64]) -> Iterator[tuple[int, NDArray[np.bool_], NDArray[np.int64]]]:
        """For each file touched: its number, which rows lie in it, and their blocks in the file's own numbers."""
        shard = np.searchsorted(self.ends, numbers, side="right")
        within = numbers - np.where(shard > 0, self.ends[shard - 1], 0)
        for one in set(shard.tolist()):
            rows = shard == one
            yield one, rows, within[rows]


def _windows(stream: NDArray[np.unsignedinteger], block_tokens: int) -> NDArray[np.unsignedinteger]:
    """Every block of a stream as a row, (n_blocks, T + 1), without a copy: a block is read as one piece of memory."""
    if len(stream) <= block_tokens:
        return np.empty((0, block_tokens + 1), dtype=stream.dtype)
    return np.lib.stride_tricks.sliding_window_view(stream, block_tokens + 1)[::block_tokens]


def _opened(file: BlockFile, dtype: np.dtype[np.uint16] | np.dtype[np.uint32]) -> NDArray[np.unsignedinteger]:
    path = Path(file.path)
    if not path.is_file():
        raise DatasetMissing(f"token file {path} is missing; verify the store, or run the encode stage again")
    if path.stat().st_size != file.tokens * dtype.itemsize:
        raise DatasetDamaged(
            f"token file {path} has {path.stat().st_size} bytes, its record says {file.tokens} ids of "
            f"{dtype.itemsize} bytes; verify the store, or run the encode stage again"
        )
    return np.memmap(path, dtype=dtype, mode="r")


def _opened_words(file: BlockFile) -> NDArray[np.uint8]:
    if file.words is None or not Path(file.words).is_file():
        raise DatasetMissing(f"token file {file.path} has no word bits beside it; run the encode stage again")
    size = Path(file.words).stat().st_size
    if size != -(-file.tokens // 8):
        raise DatasetDamaged(
            f"word bits {file.words} have {size} bytes for {file.tokens} ids; verify the store, or run the encode stage"
        )
    return np.memmap(file.words, dtype=np.uint8, mode="r")


def positions_in_documents(inputs: NDArray[np.int64], separator_id: int) -> NDArray[np.int64]:
    """Position of each token in its own document, shape of `inputs`: 0 at every separator and at the block's start.

    With these and no attention mask transformers keeps the documents of a block apart.
    """
    index = np.arange(inputs.shape[1], dtype=np.int64)[None, :]
    starts = np.where(inputs == separator_id, index, 0)
    return index - np.maximum.accumulate(starts, axis=1)


def cut(batch: Batch, row_tokens: int) -> Batch:
    """(B, T) tensors -> (B T / row_tokens, row_tokens): every row cut into shorter ones that do not see each other."""
    if row_tokens == batch["inputs"].shape[1]:
        return batch
    rows = {name: tensor.reshape(-1, row_tokens) for name, tensor in batch.items()}
    # A document that began in an earlier part of the row now begins with its own part.
    return {**rows, "positions": rows["positions"].minimum(torch.arange(row_tokens))}


def batch_of(tokens: NDArray[np.int64], separator_id: int, pad_id: int) -> Batch:
    """(B, T + 1) tokens -> inputs, targets, positions, each (B, T) int64; padding is no target."""
    inputs, targets = tokens[:, :-1], tokens[:, 1:]
    return {
        "inputs": torch.from_numpy(np.ascontiguousarray(inputs)),
        "targets": torch.from_numpy(np.where(targets == pad_id, IGNORED, targets)),
        "positions": torch.from_numpy(positions_in_documents(inputs, separator_id)),
    }
