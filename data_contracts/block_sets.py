"""块的集合 block sets: the token files of a run, from one BLOCKS dataset or several, and what is validated on by name.

blocks of a shard   `<split>.bin`: raw little-endian token ids, n_blocks * block_tokens + 1 of them
                    `<split>.words`: one bit an id, lowest first, set where a word begins
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from pydantic import Field

from data_contracts.dataset import digest_of
from data_contracts.errors import ConfigError
from data_contracts.model import Model
from data_contracts.pace import Growth, growth
from data_contracts.training import PretrainConfig

Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = ("train", "validation", "test")


class BlockFile(Model):
    """One `<split>.bin`: where it lies and what is in it."""

    path: str
    sha256: str  # of the file's bytes: part of what a checkpoint refuses to see changed
    tokens: int = Field(ge=0, description="ids in the file, final separator and padding included")
    chars: int = Field(ge=0, description="characters of the documents in it")
    words: str | None = Field(None, description="`<split>.words` beside it; None for blocks of before BLOCKS@2")
    groups: str | None = Field(None, description=".npy: where documents start, and which held-out set each is of")

    def blocks(self, block_tokens: int) -> int:
        """Blocks of `block_tokens` inputs and targets; block i is tokens[i*T : i*T+T+1]."""
        return max(self.tokens - 1, 0) // block_tokens


class BlockFiles(Model):
    """The token files of one shard; None where no document of the shard fell into a split."""

    train: BlockFile | None = None
    validation: BlockFile | None = None
    test: BlockFile | None = None


class MixedBlocks(Model):
    """The token files of one dataset and its share of the training tokens."""

    name: str
    share: float
    files: list[BlockFiles]

    def of(self, split: Split) -> list[BlockFile]:
        """Files of a split that hold a target."""
        found = [getattr(shard, split) for shard in self.files]
        return [f for f in found if f is not None and f.tokens > 1]

    def blocks(self, block_tokens: int) -> int:
        """Training blocks."""
        return sum(f.blocks(block_tokens) for f in self.of("train"))

    def chars_per_token(self) -> float:
        """Characters of a training token, separators and padding included."""
        files = self.of("train")
        return sum(f.chars for f in files) / max(1, sum(f.tokens for f in files))


class HeldOutSet(Model):
    """A named part of what is validated on: a source of the run's own blocks, or other blocks."""

    name: str
    chars: int
    main: bool = Field(description="of the run's own blocks, whose loss is the validation loss")


class HeldOut(Model):
    """What is validated on. `groups` of a file: int64 (2, n), the starts of documents and the numbers of their sets."""

    files: list[BlockFile] = Field(default_factory=list)
    sets: list[HeldOutSet] = Field(default_factory=list, description="main ones first; none: all is one")

    def main_chars(self) -> int:
        """Characters of the run's own validation split."""
        return sum(s.chars for s in self.sets if s.main) if self.sets else sum(f.chars for f in self.files)


def check_blocks(cfg: PretrainConfig, datasets: Sequence[MixedBlocks], held_out: HeldOut, block_tokens: int) -> None:
    """ConfigError for a dataset with fewer blocks than one step takes of it, or no held-out text where it is needed."""
    if cfg.early_stopping and not held_out.files:
        raise ConfigError(
            "pretrain.early_stopping needs a validation split and the blocks have none; raise encode.validation_ratio, "
            "or leave early_stopping out"
        )
    if cfg.best_checkpoints_kept and not held_out.files:
        raise ConfigError(
            "pretrain.best_checkpoints_kept needs a validation split and the blocks have none; raise "
            "encode.validation_ratio, or leave best_checkpoints_kept out"
        )
    for one in datasets:
        _check_size(cfg, one, block_tokens)
    files = [f for split in SPLITS for one in datasets for f in one.of(split)]
    bare = [f.path for f in (*files, *held_out.files) if f.words is None]
    if bare and cfg.model.objective == "masked":
        raise ConfigError(
            f"pretrain: a masked model hides whole words, and {len(bare)} token files know no words, {bare[0]} first; "
            "run the segment and encode stages again"
        )


def _check_size(cfg: PretrainConfig, one: MixedBlocks, block_tokens: int) -> None:
    found, wanted = one.blocks(block_tokens), cfg.tokens_per_step // block_tokens * one.share
    if not found:
        raise ConfigError(
            f"pretrain: {one.name} has no training block of {block_tokens} tokens; use more text or smaller "
            "encode.block_tokens"
        )
    if found < wanted:
        raise ConfigError(
            f"pretrain: {one.name} has {found} training blocks of {block_tokens} tokens and one step takes {wanted:g}, "
            "so it would hold some of them twice; use more text, or pretrain.tokens_per_step of at most "
            f"{int(found / one.share) * block_tokens}"
        )


def data_part(
    cfg: PretrainConfig,
    datasets: Sequence[MixedBlocks],
    held_out: HeldOut,
    tokens: dict[str, int],
    max_steps: int,
) -> dict[str, Any]:
    """What the data module of a run file takes; `tokens` is what the model takes too."""
    block_tokens = tokens["block_tokens"]
    length, batch = growths(cfg, block_tokens)
    hashes = [[one.share, [f.sha256 for f in one.of("train")]] for one in datasets]
    return tokens | {
        "train": [f.model_dump() for one in datasets for f in one.of("train")],
        "validation": [f.model_dump() for f in held_out.files],
        "test": [f.model_dump() for f in datasets[0].of("test")],
        "sets": [{"name": one.name, "share": one.share, "blocks": one.blocks(block_tokens)} for one in datasets],
        "data_hash": digest_of([tokens["vocab_size"], hashes]),
        "blocks_per_device": blocks_per_device(cfg, block_tokens),
        "blocks_per_step": cfg.tokens_per_step // block_tokens,
        "max_steps": max_steps,
        "length": length.model_dump(),
        "batch": batch.model_dump(),
        "seed": cfg.seed,
    }


def growths(cfg: PretrainConfig, block_tokens: int) -> tuple[Growth, Growth]:
    """How rows and steps grow; ConfigError when they cannot be halved so often."""
    length = growth(cfg.length_warmup, block_tokens, "pretrain.length_warmup", "block_tokens")
    batch = growth(cfg.batch_warmup, cfg.tokens_per_step, "pretrain.batch_warmup", "tokens_per_step")
    if cfg.blocks_per_device != "auto" and cfg.blocks_per_device % (1 << batch.halvings):
        raise ConfigError(
            f"pretrain.batch_warmup halves the micro-batch {batch.halvings} times, and blocks_per_device "
            f"{cfg.blocks_per_device} is no multiple of {1 << batch.halvings}; raise blocks_per_device or start_tokens"
        )
    return length, batch


def blocks_per_device(cfg: PretrainConfig, block_tokens: int) -> int:
    """Blocks of a micro-batch; where they are to be found, the fewest that a growing step can be halved into."""
    if cfg.blocks_per_device == "auto":
        return 1 << growths(cfg, block_tokens)[1].halvings
    return cfg.blocks_per_device
