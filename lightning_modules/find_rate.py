"""学习率测试 learning-rate range test (Smith 2017): the rate grows from step to step until the loss does.

    python -m lightning_modules find-lr RUN/run.yaml [--steps 100] [--low 1e-6] [--high 1.0]

A network of its own takes real optimizer steps over the run's own batches, every rate of the optimizer in the same
proportion. Written are RUN/learning_rates.csv (step, learning_rate, loss, smoothed) and RUN/learning_rates.json;
nothing that the run reads or writes is touched, so it may be tested before, during or after it.

There are two rules: the rate at which the smoothed loss falls most steeply per decade, which is Lightning's, and a
tenth of that of the lowest loss, which is fastai's. The lower is suggested, the higher is the highest worth a try.
"""

from __future__ import annotations

import argparse
import csv
import importlib
import json
import math
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import torch
import yaml

from data_contracts.errors import ConfigError
from lightning_modules.checkpointing import write_durably
from lightning_modules.events import emit, progress
from lightning_modules.language_model import LanguageModel
from lightning_modules.precision import pick_precision, use_cores
from lightning_modules.token_blocks import TokenBlocks, TrainBatches

SMOOTHING = 0.9  # of the running mean of the loss, with its beginning corrected
DIVERGED = 1.5  # the test ends when the smoothed loss is so many times its lowest
SKIPPED = 0.1  # of the steps: the mean has seen too few of them
FEWEST = 20


def find_rate(run: dict[str, Any], steps: int, low: float, high: float) -> dict[str, Any]:
    """Test the rates of a run; the figures of learning_rates.json. ConfigError for a range that tells nothing."""
    if steps < FEWEST or not 0 < low < high:
        raise ConfigError(f"find-lr: {steps} steps from {low:g} to {high:g}; take {FEWEST} or more, from low to high")
    cuda = run["trainer"]["accelerator"] in ("auto", "gpu", "cuda") and torch.cuda.is_available()
    device = torch.device("cuda" if cuda else "cpu")
    half = pick_precision(run["run"]["precision"], device) == "bf16"
    torch.manual_seed(run["seed_everything"])
    module, data = _made(run["model"]), _made(run["data"])
    module.configure_model()
    module.to(device).train()
    folder = Path(run["run"]["folder"])
    rows = _test(module, data, [low * (high / low) ** (i / (steps - 1)) for i in range(steps)], device, half)
    with (folder / "learning_rates.csv").open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, ("step", "learning_rate", "loss", "smoothed"))
        table.writeheader()
        table.writerows(rows)
    found = suggestion([r["learning_rate"] for r in rows], [r["smoothed"] for r in rows])
    figures = {**found, "configured": module.optimizer_config.learning_rate, "steps": len(rows)}
    write_durably(folder / "learning_rates.json", json.dumps(figures, indent=1))
    return figures


def _made(part: dict[str, Any]) -> Any:
    package, _, name = part["class_path"].rpartition(".")
    return getattr(importlib.import_module(package), name)(**part["init_args"])


def _test(
    module: LanguageModel, data: TokenBlocks, rates: Sequence[float], device: torch.device, half: bool
) -> list[dict[str, float]]:
    """One optimizer step a rate, each over a whole global batch; fewer when the loss has grown too far."""
    optimizer = module.configure_optimizers()["optimizer"]
    shares = [group["initial_lr"] / module.optimizer_config.learning_rate for group in optimizer.param_groups]
    batches = iter(TrainBatches(data, rank=0, world=1, step=data.pace.batch.steps))  # steps are whole from there on
    rows: list[dict[str, float]] = []
    mean = 0.0
    for step, rate in enumerate(rates, 1):
        for group, share in zip(optimizer.param_groups, shares, strict=True):
            group["lr"] = rate * share
        parts = list(islice(batches, data.blocks_per_step // data.blocks_per_device))
        for batch in parts:
            with torch.autocast(device.type, torch.bfloat16, enabled=half):
                loss = module.training_step({name: tensor.to(device) for name, tensor in batch.items()}, 0)
            (loss / len(parts)).backward()
        nats, targets = module.take_step_sums().tolist()
        mean = SMOOTHING * mean + (1 - SMOOTHING) * nats / max(1.0, targets)
        smoothed = mean / (1 - SMOOTHING**step)
        if not math.isfinite(smoothed):
            break
        rows.append({"step": step, "learning_rate": rate, "loss": nats / max(1.0, targets), "smoothed": smoothed})
        progress(step, len(rates), step=step, max_steps=len(rates), loss=rows[-1]["loss"], learning_rate=rate)
        if smoothed > DIVERGED * min(row["smoothed"] for row in rows):
            break
        module.configure_gradient_clipping(optimizer, module.optimizer_config.max_gradient_norm)
        optimizer.step()
        optimizer.zero_grad()
    return rows


def suggestion(rates: Sequence[float], losses: Sequence[float]) -> dict[str, float | None]:
    """The lower and the higher of the two rates by the rules above; None where the loss never falls."""
    first = round(SKIPPED * len(losses))
    lowest = min(range(first, len(losses)), key=losses.__getitem__, default=first)
    slopes = {
        i: (losses[i + 1] - losses[i - 1]) / math.log10(rates[i + 1] / rates[i - 1])
        for i in range(max(1, first), min(lowest, len(losses) - 1))
    }
    steepest = min(slopes, key=slopes.__getitem__, default=None)
    if steepest is None or slopes[steepest] >= 0:
        return {"suggested": None, "highest": None}
    lower, higher = sorted((rates[steepest], rates[lowest] / 10))
    return {"suggested": lower, "highest": higher}


def find_rate_command(arguments: list[str]) -> None:
    """The command line; tells the suggestion as the event `end`."""
    parser = argparse.ArgumentParser(prog="python -m lightning_modules find-lr")
    parser.add_argument("run", type=Path, help="RUN/run.yaml")
    parser.add_argument("--steps", type=int, default=100, help="步数 (optimizer steps)")
    parser.add_argument("--low", type=float, default=1e-6, help="起始学习率 (first rate)")
    parser.add_argument("--high", type=float, default=1.0, help="最终学习率 (last rate)")
    asked = parser.parse_args(arguments)
    use_cores()
    run = yaml.safe_load(asked.run.read_text(encoding="utf-8"))
    emit("end", finished=True, **find_rate(run, asked.steps, asked.low, asked.high))
