"""运行文件 run file: PretrainConfig + token blocks -> the LightningCLI YAML of one training run, and its command line.

Nothing here imports torch, so a stage can write a run file and start the program without loading it.

    blocks of a shard   `<split>.bin`: raw little-endian token ids, n_blocks * block_tokens + 1 of them
                        `<split>.words`: one bit an id, lowest first, set where a word begins
    global batch        tokens_per_step = blocks_per_device * block_tokens * devices * accumulation, exactly
    one step            one optimizer step over one global batch
"""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from data_contracts.dataset import digest_of
from data_contracts.errors import ConfigError
from data_contracts.model import Model
from data_contracts.network import Objective
from data_contracts.training import PretrainConfig

Split = Literal["train", "validation", "test"]
CLASSES: dict[Objective, tuple[str, str]] = {  # model and data
    "causal": (
        "lightning_modules.causal_language_model.CausalLanguageModel",
        "lightning_modules.token_blocks.TokenBlocks",
    ),
    "masked": (
        "lightning_modules.masked_language_model.MaskedLanguageModel",
        "lightning_modules.masked_language_model.MaskedTokenBlocks",
    ),
}
SPLITS: tuple[Split, ...] = ("train", "validation", "test")


class BlockFile(Model):
    """One `<split>.bin`: where it lies and what is in it."""

    path: str
    sha256: str  # of the file's bytes: part of what a checkpoint refuses to see changed
    tokens: int = Field(ge=0, description="ids in the file, final separator and padding included")
    chars: int = Field(ge=0, description="characters of the documents in it")
    words: str | None = Field(None, description="`<split>.words` beside it; None for blocks of before BLOCKS@2")

    def blocks(self, block_tokens: int) -> int:
        """Blocks of `block_tokens` inputs and targets; block i is tokens[i*T : i*T+T+1]."""
        return max(self.tokens - 1, 0) // block_tokens


class BlockFiles(Model):
    """The token files of one shard; None where no document of the shard fell into a split."""

    train: BlockFile | None = None
    validation: BlockFile | None = None
    test: BlockFile | None = None


def run_file(
    cfg: PretrainConfig,
    *,
    blocks: list[BlockFiles],
    tokenizer_dir: str | Path,
    vocab_size: int,
    separator_id: int,
    pad_id: int,
    block_tokens: int,
    lineage: dict[str, Any],
    run_dir: str | Path,
    mask_id: int | None = None,
) -> dict[str, Any]:
    """Everything `python -m lightning_modules fit --config RUN/run.yaml` needs, as plain YAML values.

    Args:
        blocks: token files in manifest order; the order is part of the order of training.
        tokenizer_dir: folder with tokenizer.json and tokenizer_config.json; copied into the export.
        lineage: dataset versions, sources and licences; printed on the model card, never interpreted.
        run_dir: the run's folder; every file of the run is written below it.
        mask_id: the tokenizer's own mask; without one a masked model gets the id after the last.

    Raises:
        ConfigError: the global batch does not divide, there is no training block, or no word bits for a masked model.
    """
    files = {split: _files(blocks, split) for split in SPLITS}
    train_blocks = _checked(cfg, files, block_tokens)
    accumulation = accumulation_of(cfg, block_tokens)
    max_steps = steps_of(cfg, train_blocks * block_tokens)
    tokens = {"vocab_size": vocab_size, "separator_id": separator_id, "pad_id": pad_id, "block_tokens": block_tokens}
    network, data = tokens | _model(cfg, files, max_steps), tokens | _data(cfg, files, vocab_size, block_tokens)
    masked = cfg.model.objective == "masked"
    if masked:
        mask_id = vocab_size if mask_id is None else mask_id
        network |= {"vocab_size": max(vocab_size, mask_id + 1), "mask_ratio": cfg.masking.ratio}
        data |= {"mask_id": mask_id, "special_ids": [separator_id, pad_id], "masking": cfg.masking.model_dump()}
    model_class, data_class = CLASSES[cfg.model.objective]
    return {
        "seed_everything": cfg.seed,
        "trainer": _trainer(cfg, accumulation, max_steps, bool(files["validation"]), str(run_dir), str(tokenizer_dir)),
        "model": {"class_path": model_class, "init_args": network},
        "data": {"class_path": data_class, "init_args": data},
        "run": {
            "folder": str(run_dir),
            "tokenizer": str(tokenizer_dir),
            "precision": cfg.precision,
            "minutes": cfg.duration.amount if cfg.duration.unit == "minutes" else None,
            "mask_id": mask_id if masked else None,
            "lineage": lineage,
        },
    }


def _model(cfg: PretrainConfig, files: dict[Split, list[BlockFile]], max_steps: int) -> dict[str, Any]:
    causal = cfg.model.objective == "causal"  # what a masked model pays for some tokens says nothing about characters
    return {
        "max_steps": max_steps,
        "network": cfg.model.model_dump(),
        "optimizer": cfg.optimizer.model_dump(),
        "seed": cfg.seed,
        "train_chars_per_token": _chars_per_token(files["train"]) if causal else 0.0,
        "validation_chars": sum(f.chars for f in files["validation"]) if causal else 0,
        "label_smoothing": cfg.label_smoothing,
        "compile": cfg.compile,
    }


def _data(
    cfg: PretrainConfig, files: dict[Split, list[BlockFile]], vocab_size: int, block_tokens: int
) -> dict[str, Any]:
    return {split: [f.model_dump() for f in files[split]] for split in SPLITS} | {
        "data_hash": digest_of([vocab_size, [f.sha256 for f in files["train"]]]),
        "blocks_per_device": cfg.blocks_per_device,
        "blocks_per_step": cfg.tokens_per_step // block_tokens,
        "seed": cfg.seed,
    }


def accumulation_of(cfg: PretrainConfig, block_tokens: int) -> int:
    """Micro-batches per optimizer step; ConfigError with the nearest allowed values when it does not divide."""
    unit = cfg.blocks_per_device * block_tokens * cfg.devices
    if cfg.tokens_per_step % unit:
        low = cfg.tokens_per_step // unit * unit
        allowed = " or ".join(str(n) for n in (low, low + unit) if n)
        raise ConfigError(
            f"pretrain.tokens_per_step {cfg.tokens_per_step} is not a multiple of {unit} = blocks_per_device "
            f"{cfg.blocks_per_device} x block_tokens {block_tokens} x devices {cfg.devices}; nearest: {allowed}"
        )
    return cfg.tokens_per_step // unit


def steps_of(cfg: PretrainConfig, epoch_tokens: int) -> int:
    """Optimizer steps of the whole run; -1 for a duration in minutes, which the program turns into steps by timing."""
    amount = cfg.duration.amount
    match cfg.duration.unit:
        case "steps":
            return max(1, round(amount))
        case "tokens":
            return max(1, math.ceil(amount / cfg.tokens_per_step))
        case "epochs":
            return max(1, math.ceil(amount * epoch_tokens / cfg.tokens_per_step))
        case "minutes":
            return -1


def command(cfg: PretrainConfig, run_file: str | Path) -> list[str]:
    """The command line of the training program: one process, or one per device under torch's elastic launcher.

    `launch` is torch.distributed.run --standalone with exit codes kept: 143 after SIGTERM, 6 after a non-finite loss.
    """
    fit = ["fit", "--config", str(run_file)]
    launch = ["launch", str(cfg.devices)] if cfg.devices > 1 else []
    return [sys.executable, "-m", "lightning_modules", *launch, *fit]


def _files(blocks: list[BlockFiles], split: Split) -> list[BlockFile]:
    found = [getattr(b, split) for b in blocks]
    return [f for f in found if f is not None and f.tokens > 1]


def _checked(cfg: PretrainConfig, files: dict[Split, list[BlockFile]], block_tokens: int) -> int:
    """Training blocks; ConfigError for files that cannot train what the config asks for."""
    train_blocks = sum(f.blocks(block_tokens) for f in files["train"])
    if not train_blocks:
        raise ConfigError(
            f"pretrain: no training block of {block_tokens} tokens; use more text or smaller encode.block_tokens"
        )
    if cfg.early_stopping and not files["validation"]:
        raise ConfigError(
            "pretrain.early_stopping needs a validation split and the blocks have none; raise encode.validation_ratio, "
            "or leave early_stopping out"
        )
    bare = [f.path for split in SPLITS for f in files[split] if f.words is None]
    if bare and cfg.model.objective == "masked":
        raise ConfigError(
            f"pretrain: a masked model hides whole words, and {len(bare)} token files know no words, {bare[0]} first; "
            "run the segment and encode stages again"
        )
    return train_blocks


def _chars_per_token(files: list[BlockFile]) -> float:
    return sum(f.chars for f in files) / max(1, sum(f.tokens for f in files))


def _strategy(cfg: PretrainConfig) -> Any:
    if cfg.strategy == "fsdp":  # FSDP2; the name "fsdp" means FSDP1 to Lightning, which refuses a CPU
        return {
            "class_path": "lightning.pytorch.strategies.ModelParallelStrategy",
            "init_args": {"data_parallel_size": cfg.devices, "tensor_parallel_size": 1},
        }
    return "ddp" if cfg.devices > 1 else "auto"


def _trainer(
    cfg: PretrainConfig, accumulation: int, max_steps: int, validates: bool, run_dir: str, tokenizer_dir: str
) -> dict[str, Any]:
    return {
        "accelerator": cfg.accelerator,
        "devices": cfg.devices,
        "num_nodes": 1,
        "strategy": _strategy(cfg),
        "precision": "32-true",  # run.precision decides; see lightning_modules/precision.py
        "max_steps": max_steps,
        "max_epochs": -1,
        "accumulate_grad_batches": accumulation,
        "gradient_clip_val": cfg.optimizer.max_gradient_norm,
        "check_val_every_n_epoch": None,
        "val_check_interval": cfg.steps_between_validations * accumulation,  # Lightning counts micro-batches
        "limit_val_batches": 1.0 if validates else 0,
        "num_sanity_val_steps": 0,
        "logger": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "use_distributed_sampler": False,
        "default_root_dir": run_dir,
        "plugins": [{"class_path": "lightning_modules.checkpointing.AtomicCheckpointIO"}],
        "callbacks": [
            {
                "class_path": "lightning_modules.callbacks.TrainingRecord",
                "init_args": {"folder": run_dir, "tokens_per_step": cfg.tokens_per_step},
            },
            *_samples(cfg, run_dir, tokenizer_dir),
            *_early_stopping(cfg, run_dir, validates),
            {
                "class_path": "lightning_modules.recovery.Checkpoints",
                "init_args": {
                    "folder": str(Path(run_dir) / "checkpoints"),
                    "steps_between": cfg.steps_between_checkpoints,
                    "steps_between_validations": cfg.steps_between_validations if validates else None,
                    "kept": cfg.checkpoints_kept,
                    "seed": cfg.seed,
                },
            },
        ],
    }


def _early_stopping(cfg: PretrainConfig, run_dir: str, validates: bool) -> list[dict[str, Any]]:
    """The callback that ends a run early, and makes up for validations that a kill took away."""
    if not validates:
        return []
    rule = cfg.early_stopping.model_dump() if cfg.early_stopping else {}
    every = {"folder": run_dir, "steps_between_validations": cfg.steps_between_validations}
    return [{"class_path": "lightning_modules.early_stopping.EarlyStopping", "init_args": every | rule}]


def _samples(cfg: PretrainConfig, run_dir: str, tokenizer_dir: str) -> list[dict[str, Any]]:
    """The callback that continues prompts, which a masked model cannot."""
    if cfg.model.objective == "masked":
        return []
    asked = {"folder": run_dir, "tokenizer": tokenizer_dir, "prompts": list(cfg.prompts), "seed": cfg.seed}
    return [{"class_path": "lightning_modules.callbacks.ValidationSamples", "init_args": asked}]
