"""平均 averaging: the mean of a run's last checkpoints, and its loss on the validation split.

Late in a run with a constant learning rate the weights wander around a better point than the last (Izmailov et al.
2018, "Averaging Weights Leads to Wider Optima"); where the rate has come down to zero there is little left to gain.
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from transformers import PreTrainedModel

from lightning_modules.language_model import LanguageModel


@torch.no_grad()
def take_mean(network: PreTrainedModel, others: Iterable[PreTrainedModel]) -> None:
    """Replace a network's floating-point tensors by the mean of them and those of `others`, summed in fp64.

    `others` is walked through once, so that one of them lies in memory at a time. Other tensors stay.
    """
    state = {name: t for name, t in network.state_dict().items() if t.is_floating_point()}
    sums, count = {name: tensor.double() for name, tensor in state.items()}, 1
    for other in others:
        added = other.state_dict()
        for name, total in sums.items():
            total += added[name]
        count += 1
    for name, tensor in state.items():
        tensor.copy_(sums[name] / count)


@torch.no_grad()
def held_out_figures(run: dict[str, Any], network: PreTrainedModel) -> dict[str, float]:
    """Loss, bits per character and counted targets of a network on the run's validation split, in this process alone.

    As the run itself validates: the same batches in the same precision. Empty when the run has no validation split.
    """
    data = _made(run["data"])
    if not len(data.validation):
        return {}
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    module: LanguageModel = _made(run["model"])
    module.network = network
    module.to(device).eval()
    plan = Path(run["run"]["folder"]) / "plan.json"
    half = plan.exists() and json.loads(plan.read_text(encoding="utf-8"))["precision"] == "bf16"
    module.on_validation_epoch_start()
    for number, batch in enumerate(data.val_dataloader()):
        with torch.autocast(device.type, torch.bfloat16, enabled=half):
            module.validation_step({name: tensor.to(device) for name, tensor in batch.items()}, number)
    module.on_validation_epoch_end()
    network.cpu()
    return module.held_out


def _made(section: dict[str, Any]) -> Any:
    """The object that a `class_path` and its `init_args` stand for."""
    module, _, name = section["class_path"].rpartition(".")
    return getattr(importlib.import_module(module), name)(**section["init_args"])
