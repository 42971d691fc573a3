"""训练程序 trainer: runs the training program to its end, and gives it half the micro-batch once when memory is short.

A failure becomes the error that fits the exit code, and whether the stage is tried again follows from that error: a
program that was killed or told to end by somebody else (137, 143: another user, a scheduler, the kernel) goes on from
its checkpoint; a wrong config, a full disk, a loss that is not finite and too little memory would only fail again. A
program that was killed while the kernel killed one for want of memory had too little of it. Who
cancels a run interrupts this process, which ends the program and is no failure of it: nothing is tried again.
"""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from data_contracts.errors import ConfigError, NonFiniteLoss, OutOfMemory, StoreError, TrainingError
from data_contracts.run_file import command
from data_contracts.training import PretrainConfig
from tasks import progress, supervised

KILLED = 128 + signal.SIGKILL
GRACE_SECONDS = 60.0  # a large checkpoint takes a while to write
Settings = Callable[[PretrainConfig], dict[str, Any]]


def train(cfg: PretrainConfig, settings: Settings, folder: Path) -> None:
    """Run the training program.

    Args:
        settings: the run file of a config, as plain values.

    Raises:
        ConfigError: what the program refused, or micro-batches that do not divide.
        OutOfMemory: also with half the micro-batch, or it cannot be halved.
        StoreError: the disk is full or read-only. NonFiniteLoss: with its step. TrainingError: all else.
    """
    ended, short = _run(cfg, settings, folder)
    if short:
        smaller = halved(cfg, folder)
        try:
            written = settings(smaller)
        except ConfigError as error:
            raise OutOfMemory(f"{_told(ended, folder)}\nand half the micro-batch is refused: {error}") from error
        cfg, settings = smaller, lambda _: written
        ended, short = _run(cfg, settings, folder)
    if short:
        raise OutOfMemory(_told(ended, folder))
    if ended.code:
        raise failure(ended, folder)


def halved(cfg: PretrainConfig, folder: Path) -> PretrainConfig:
    """Half the micro-batch; a step then has twice as many, of the same blocks in the same order."""
    blocks: int | str = cfg.blocks_per_device
    plan = folder / "plan.json"
    if blocks == "auto" and plan.exists():  # what the program found for itself
        blocks = json.loads(plan.read_text(encoding="utf-8")).get("blocks_per_device", blocks)
    if not isinstance(blocks, int) or blocks % 2:
        raise OutOfMemory(
            f"out of memory with pretrain.blocks_per_device {blocks}, which cannot be halved; use a "
            "smaller pretrain.model or encode.block_tokens, activation_checkpointing: full, or another machine"
        )
    return cfg.model_copy(update={"blocks_per_device": blocks // 2})


def failure(ended: supervised.Ended, folder: Path) -> Exception:
    """The error that an exit code stands for."""
    error, told = ended.last.get("error", {}), _told(ended, folder)
    if error.get("kind") == "non_finite_loss":
        return NonFiniteLoss(
            f"the loss became non-finite at step {error['step']}; run {folder.name}, log {folder}/train.log; "
            "the last good checkpoint stays. Lower pretrain.optimizer.learning_rate or look at the data of that step"
        )
    kinds = {kind.exit_code: kind for kind in (ConfigError, StoreError, OutOfMemory)}
    return kinds.get(ended.code, TrainingError)(told)


def _run(cfg: PretrainConfig, settings: Settings, folder: Path) -> tuple[supervised.Ended, bool]:
    """How the program ended, and whether it was for want of memory."""
    run, kills = folder / "run.yaml", kills_for_memory()
    run.write_text(yaml.safe_dump(settings(cfg), allow_unicode=True, sort_keys=False), encoding="utf-8")
    ended = supervised.run(command(cfg, run), log=folder / "train.log", on_event=_show, grace_seconds=GRACE_SECONDS)
    by_kernel = ended.code == KILLED and kills_for_memory() > kills
    return ended, by_kernel or ended.code == OutOfMemory.exit_code


def kills_for_memory(counters: Path = Path("/proc/vmstat")) -> int:
    """Processes that the kernel has killed since it started because memory was short, of a group or of the machine.

    `oom_kill` in /proc/vmstat, since Linux 4.13. It does not say which: one of another program, at the time when ours
    was killed too, costs us no more than half the micro-batch.
    """
    try:
        lines = counters.read_text(encoding="ascii").splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("oom_kill ")), 0)


def _told(ended: supervised.Ended, folder: Path) -> str:
    message = ended.last.get("error", {}).get("message", "")
    return f"training ended with code {ended.code}; run {folder.name}, log {folder}/train.log\n{message}\n{ended.tail}"


def _show(event: dict[str, Any]) -> None:
    if event["event"] == "progress":
        note = f"loss {event['loss']:.3f}" if event.get("loss") is not None else ""
        speed = event.get("tokens_per_second")
        note += f" · {speed:,.0f} tokens/s" if speed else ""
        progress.report(progress.Step("pretrain", event["step"], event["max_steps"], note))
