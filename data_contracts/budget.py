"""预算 budget: a time for training, and the settings of the runs that spend it (curve: data_contracts/scaling.py)."""

from __future__ import annotations

import math
import re
from typing import Any

from data_contracts.errors import ConfigError
from data_contracts.layout import data_processes
from data_contracts.network import NetworkConfig
from data_contracts.scaling import optimizer_for, tokens_per_step_for
from data_contracts.training import PretrainConfig
from data_contracts.units import Duration

VALIDATION_SHARE = 1 / 20  # of the time of training; a token that is validated takes a third of one that is learnt
MICRO_BATCH_TOKENS = 8192  # of a process: enough for full speed, and a few hundred MB of logits at most
NEVER = 10**9  # steps
_BUDGET = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*(m|min|minutes?|h|hours?)\s*")


def minutes_of(text: str) -> float:
    """`60m`, `90 minutes`, `8h` -> minutes; ConfigError otherwise."""
    found = _BUDGET.fullmatch(text)
    minutes = float(found[1]) * (60 if found[2].startswith("h") else 1) if found else 0.0
    if minutes < 1:
        raise ConfigError(f'--budget {text!r} is no time of a minute and more; write "60m" or "8h"')
    return minutes


def refuse_unfit(cfg: PretrainConfig) -> None:
    """ConfigError where there is nothing to choose, or where the curve does not hold."""
    if cfg.model.folder:
        raise ConfigError(f"--budget: the model in {cfg.model.folder} has its shape; there is none to choose")
    if cfg.model.objective == "masked":
        raise ConfigError("--budget: the curve is one of causal models, and this config trains a masked one")
    if cfg.sharing > 1:
        raise ConfigError("--budget: strategy tp is for networks too large for one device; choose ddp or fsdp here")


def chosen(
    cfg: PretrainConfig, network: NetworkConfig, tokens: float, block_tokens: int, validation_tokens: int = 0
) -> PretrainConfig:
    """A config with another network, for so many tokens: batch, optimizer and rates follow from them.

    `validation_tokens`: what one validation reads, which decides how often the run may pause for it.
    """
    data = data_processes(cfg)
    per_step = tokens_per_step_for(tokens, block_tokens * data)
    steps = max(1, round(tokens / per_step))
    worth = math.ceil(validation_tokens / 3 / VALIDATION_SHARE / per_step)
    return cfg.model_copy(
        update={
            "model": network,
            "optimizer": optimizer_for(tokens, per_step),
            "duration": Duration(amount=steps, unit="steps"),
            "tokens_per_step": per_step,
            "blocks_per_device": "auto"
            if cfg.blocks_per_device == "auto"
            else _blocks_per_device(per_step // (block_tokens * data), block_tokens),
            "steps_between_checkpoints": max(50, steps // 20),
            "steps_between_validations": max(50, steps // 20, worth),
        }
    )


def for_minutes(cfg: PretrainConfig, minutes: float) -> PretrainConfig:
    """The same for so long a time, not for so many steps: a run that measures. It validates at its end alone."""
    alone = {"prompts": (), "steps_between_validations": NEVER}
    return cfg.model_copy(update={"duration": Duration(amount=minutes, unit="minutes"), **alone})


def as_written(cfg: PretrainConfig) -> dict[str, Any]:
    """What `chosen` chose, as it stands in the `pretrain` section of a config file."""
    optimizer = {"name", "learning_rate", "matrix_learning_rate", "momentum", "beta2", "decay_ratio"}
    shape = cfg.model.model_dump(include={"architecture", "layers", "width"})
    plain = ("tokens_per_step", "blocks_per_device", "steps_between_checkpoints", "steps_between_validations")
    told = {"duration": str(cfg.duration)} | {name: getattr(cfg, name) for name in plain}
    return {"model": shape, "optimizer": cfg.optimizer.model_dump(include=optimizer), **told}


def _blocks_per_device(blocks: int, block_tokens: int) -> int:
    """The most blocks of a micro-batch that divide those of a step."""
    most = max(1, MICRO_BATCH_TOKENS // block_tokens)
    return max(n for n in range(1, blocks + 1) if blocks % n == 0 and n <= most)
