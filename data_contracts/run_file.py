"""运行文件 run file: PretrainConfig + token blocks -> the LightningCLI YAML of one training run, and its command line.

Nothing here imports torch, so a stage can write a run file and start the program without loading it.

    global batch        tokens_per_step = blocks_per_device * block_tokens * data processes * accumulation, exactly
    one step            one optimizer step over one global batch
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from data_contracts.block_sets import (
    BlockFiles,
    HeldOut,
    MixedBlocks,
    blocks_per_device,
    check_blocks,
    data_part,
    growths,
)
from data_contracts.errors import ConfigError
from data_contracts.layout import check_layout, data_processes, processes
from data_contracts.network import Objective
from data_contracts.pace import steps_for
from data_contracts.training import SHARDED, PretrainConfig

RENDEZVOUS = "ZILIU_RENDEZVOUS"  # environment variable: where the machines of a run meet; no part of what is trained
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
    special_ids: Sequence[int] = (),
    name: str = "blocks",
    mixed_in: Sequence[MixedBlocks] = (),
    held_out: HeldOut | None = None,
) -> dict[str, Any]:
    """Everything `python -m lightning_modules fit --config RUN/run.yaml` needs, as plain YAML values.

    Args:
        blocks: token files in manifest order; the order is part of the order of training.
        tokenizer_dir: folder with tokenizer.json and tokenizer_config.json; copied into the export.
        lineage: dataset versions, sources and licences; printed on the model card, never interpreted.
        run_dir: the run's folder; every file of the run is written below it.
        mask_id: the tokenizer's own mask; without one a masked model gets the id after the last.
        special_ids: ids that are no text, besides separator and padding.
        name: what the run's own blocks are called.
        mixed_in: other blocks of the same tokenizer and block length, with their shares of the training tokens.
        held_out: what to validate on, in named sets; without it the validation split of `blocks`.

    Raises:
        ConfigError: the global batch or the layers do not divide, too few blocks, or no word bits for a masked model.
    """
    own = MixedBlocks(name=name, share=1.0 - sum(m.share for m in mixed_in), files=blocks)
    datasets = [own, *mixed_in]
    held_out = held_out or HeldOut(files=own.of("validation"))
    check_layout(cfg)
    accumulation = accumulation_of(cfg, block_tokens)
    check_blocks(cfg, datasets, held_out, block_tokens)
    max_steps = steps_of(cfg, own.blocks(block_tokens) / own.share, block_tokens)
    tokens = {"vocab_size": vocab_size, "separator_id": separator_id, "pad_id": pad_id, "block_tokens": block_tokens}
    network = tokens | _model(cfg, datasets, held_out, max_steps)
    data = data_part(cfg, datasets, held_out, tokens, max_steps)
    if cfg.model.objective == "masked":
        mask_id = vocab_size if mask_id is None else mask_id
        network |= {"vocab_size": max(vocab_size, mask_id + 1), "mask_ratio": cfg.masking.ratio}
        data |= _masked(cfg, mask_id, {separator_id, pad_id, *special_ids})
    else:
        mask_id = None
    model_class, data_class = CLASSES[cfg.model.objective]
    return {
        "seed_everything": cfg.seed,
        "trainer": _trainer(cfg, accumulation, max_steps, bool(held_out.files), str(run_dir), str(tokenizer_dir)),
        "model": {"class_path": model_class, "init_args": network},
        "data": {"class_path": data_class, "init_args": data},
        "run": _run(cfg, str(run_dir), str(tokenizer_dir), mask_id, lineage),
    }


def _run(
    cfg: PretrainConfig, run_dir: str, tokenizer_dir: str, mask_id: int | None, lineage: dict[str, Any]
) -> dict[str, Any]:
    return {
        "folder": run_dir,
        "tokenizer": tokenizer_dir,
        "precision": cfg.precision,
        "minutes": cfg.duration.amount if cfg.duration.unit == "minutes" else None,
        "compile": cfg.compile,
        "find_blocks": cfg.blocks_per_device == "auto",
        "export": cfg.export,
        "averaged_checkpoints": cfg.averaged_checkpoints,
        "mask_id": mask_id,
        "lineage": lineage,
    }


def _masked(cfg: PretrainConfig, mask_id: int, special_ids: set[int]) -> dict[str, Any]:
    return {"mask_id": mask_id, "special_ids": sorted(special_ids), "masking": cfg.masking.model_dump()}


def _model(cfg: PretrainConfig, datasets: Sequence[MixedBlocks], held_out: HeldOut, max_steps: int) -> dict[str, Any]:
    causal = cfg.model.objective == "causal"  # what a masked model pays for some tokens says nothing about characters
    sets = held_out.sets if causal else [one.model_copy(update={"chars": 0}) for one in held_out.sets]
    return {
        "max_steps": max_steps,
        "network": cfg.model.model_dump(),
        "optimizer": cfg.optimizer.model_dump(),
        "seed": cfg.seed,
        "train_chars_per_token": sum(one.share * one.chars_per_token() for one in datasets) if causal else 0.0,
        "validation_chars": held_out.main_chars() if causal else 0,
        "held_out_sets": [one.model_dump() for one in sets],
        "label_smoothing": cfg.label_smoothing,
        "activation_checkpointing": cfg.activation_checkpointing == "full",
    }


def accumulation_of(cfg: PretrainConfig, block_tokens: int) -> int:
    """Micro-batches per optimizer step; ConfigError with the nearest allowed values when it does not divide."""
    blocks = blocks_per_device(cfg, block_tokens)
    unit = blocks * block_tokens * data_processes(cfg)
    if cfg.tokens_per_step % unit:
        low = cfg.tokens_per_step // unit * unit
        allowed = " or ".join(str(n) for n in (low, low + unit) if n)
        raise ConfigError(
            f"pretrain.tokens_per_step {cfg.tokens_per_step} is not a multiple of {unit} = blocks_per_device "
            f"{blocks} x block_tokens {block_tokens} x {_told(cfg)}; nearest: {allowed}"
        )
    return cfg.tokens_per_step // unit


def _told(cfg: PretrainConfig) -> str:
    nodes = f" x nodes {cfg.nodes}" if cfg.nodes > 1 else ""
    return f"devices {cfg.devices}{nodes}" + (f" / tensor_parallel {cfg.sharing}" * (cfg.sharing > 1))


def steps_of(cfg: PretrainConfig, epoch_blocks: float, block_tokens: int) -> int:
    """Optimizer steps of the whole run; -1 for a duration in minutes, which the program turns into steps by timing.

    An epoch is one of the run's own blocks, with what is mixed in beside them.
    """
    _, batch = growths(cfg, block_tokens)
    per_step = cfg.tokens_per_step // block_tokens
    amount = cfg.duration.amount
    match cfg.duration.unit:
        case "steps":
            return max(1, round(amount))
        case "tokens":
            return steps_for(amount, block_tokens, per_step, batch)
        case "epochs":
            return steps_for(amount * epoch_blocks * block_tokens, block_tokens, per_step, batch)
        case "minutes":
            return -1


def command(cfg: PretrainConfig, run_file: str | Path) -> list[str]:
    """The command line of the training program: one process, or one per device under torch's elastic launcher.

    `launch` is torch.distributed.run with exit codes kept: 143 after SIGTERM, 6 after a non-finite loss. With several
    nodes every machine runs this command, with the same ZILIU_RENDEZVOUS and a run file that all of them can read.
    """
    fit = ["fit", "--config", str(run_file)]
    launch = ["launch", *_nodes(cfg), str(cfg.devices)] if processes(cfg) > 1 else []
    return [sys.executable, "-m", "lightning_modules", *launch, *fit]


def _nodes(cfg: PretrainConfig) -> list[str]:
    if cfg.nodes == 1:
        return []
    endpoint = os.environ.get(RENDEZVOUS, "")
    if not endpoint:
        raise ConfigError(
            f"pretrain.nodes {cfg.nodes}: set {RENDEZVOUS} to HOST:PORT, an address of the first machine that all "
            "others reach, and start the same command on each (deployments/slurm/pretrain.sbatch shows how)"
        )
    return ["--nodes", str(cfg.nodes), "--rendezvous", endpoint]


def _strategy(cfg: PretrainConfig) -> Any:
    if cfg.strategy in SHARDED:  # FSDP2; the name "fsdp" means FSDP1 to Lightning, which refuses a CPU
        return {
            "class_path": "lightning.pytorch.strategies.ModelParallelStrategy",
            "init_args": {"data_parallel_size": data_processes(cfg), "tensor_parallel_size": cfg.sharing},
        }
    if cfg.zero_stage:
        return {"class_path": "lightning_modules.zero.ZeroStrategy", "init_args": {"stage": cfg.zero_stage}}
    return "ddp" if processes(cfg) > 1 else "auto"


def _trainer(
    cfg: PretrainConfig, accumulation: int, max_steps: int, validates: bool, run_dir: str, tokenizer_dir: str
) -> dict[str, Any]:
    return {
        "accelerator": cfg.accelerator,
        "devices": cfg.devices,
        "num_nodes": cfg.nodes,
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
                "init_args": {"folder": run_dir},
            },
            *_spikes(cfg, run_dir),
            *_samples(cfg, run_dir, tokenizer_dir),
            *_early_stopping(cfg, run_dir, validates),
            {
                "class_path": "lightning_modules.recovery.Checkpoints",
                "init_args": {
                    "folder": str(Path(run_dir) / "checkpoints"),
                    "steps_between": cfg.steps_between_checkpoints,
                    "steps_between_validations": cfg.steps_between_validations if validates else None,
                    "kept": cfg.checkpoints_kept,
                    "best_kept": cfg.best_checkpoints_kept,
                    "seed": cfg.seed,
                },
            },
        ],
    }


def _spikes(cfg: PretrainConfig, run_dir: str) -> list[dict[str, Any]]:
    """The callback that keeps spikes from moving the weights."""
    if cfg.skip_spikes is None:
        return []
    asked = {"folder": run_dir, **cfg.skip_spikes.model_dump()}
    return [{"class_path": "lightning_modules.spikes.SkipSpikes", "init_args": asked}]


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
