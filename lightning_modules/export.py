"""导出 export: CHECKPOINT -> a Hugging Face folder that transformers, vLLM, llama.cpp and lm-eval read.

    config.json  model.safetensors  generation_config.json
    tokenizer.json  tokenizer_config.json  special_tokens_map.json  README.md

The same weights give the same bytes: nothing here depends on time, place or machine.
"""

from __future__ import annotations

import json
import shutil
import warnings
from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import torch
import torch.distributed.checkpoint as dcp
from tokenizers import AddedToken, Tokenizer
from transformers import GenerationConfig, PreTrainedModel

from data_contracts.errors import StoreError
from data_contracts.network import Objective
from data_contracts.pace import Growth, pace_of
from lightning_modules.architectures import built, config_from, cost_of
from lightning_modules.averaging import held_out_figures, take_mean
from lightning_modules.checkpointing import CheckpointFolder, Found, replace_durably
from lightning_modules.events import emit
from lightning_modules.metrics import METRICS, VALIDATION, StepTable, losses_in
from lightning_modules.model_card import model_card
from lightning_modules.permutation import GlobalOrder

PREFIX = "network."
MASK = "<|mask|>"


def network_of(checkpoint: Path) -> tuple[PreTrainedModel, dict[str, Any]]:
    """The network of a checkpoint (one file, or a folder of FSDP2 shards), and its datamodule's state.

    Only tensors and plain values are read, so a checkpoint cannot run code.
    """
    sharded = checkpoint.is_dir()
    state = torch.load(checkpoint / "meta.pt" if sharded else checkpoint, map_location="cpu", weights_only=True)
    network = built(config_from(state["network"]), state["objective"])
    if sharded:
        weights = {PREFIX + name: tensor for name, tensor in network.state_dict().items()}
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="torch.distributed is disabled")  # that is what no_dist says
            dcp.load({"state_dict": weights}, checkpoint_id=str(checkpoint), no_dist=True)
    else:
        weights = state["state_dict"]
    network.load_state_dict({name.removeprefix(PREFIX): tensor for name, tensor in weights.items()})
    data: dict[str, Any] = next(part for name, part in state.items() if name.endswith("TokenBlocks"))
    return network.eval(), data


class Exported(NamedTuple):
    """What an export is: its folder, and the figures on its card."""

    folder: Path
    figures: dict[str, Any]


def export_network(
    network: PreTrainedModel,
    data: dict[str, Any],
    folder: Path,
    *,
    tokenizer_dir: Path,
    separator_id: int,
    pad_id: int,
    figures: dict[str, Any],
    lineage: dict[str, Any],
    mask_id: int | None = None,
) -> None:
    """Write `folder` as a whole, replacing what was there.

    Args:
        data: state of the datamodule, as `network_of` gives it.
        figures: measured values for the model card, by name.
        lineage: versions, sources and licences for the model card.
        mask_id: what hides a token, of a masked model.
    """
    temporary = folder.with_name(f".{folder.name}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    if mask_id is None:
        _make_generative(network, separator_id, pad_id)
    network.save_pretrained(temporary)
    special = {"bos_token": separator_id, "eos_token": separator_id, "pad_token": pad_id}
    if mask_id is not None:
        special |= {"cls_token": separator_id, "sep_token": separator_id, "mask_token": mask_id}
    _write_tokenizer(tokenizer_dir, temporary, special, network.config.max_position_embeddings)
    objective: Objective = "causal" if mask_id is None else "masked"
    asked = data["masking"]["ratio"] if objective == "masked" else 1.0
    cost = cost_of(network, objective, data["block_tokens"], asked)
    figures = {"flops_per_token": cost.flops_per_token, **figures, "data_hash": data["data_hash"], "seed": data["seed"]}
    (temporary / "README.md").write_text(model_card(network, objective, figures, lineage), encoding="utf-8")
    replace_durably(temporary, folder)


def _make_generative(network: PreTrainedModel, separator_id: int, pad_id: int) -> None:
    """What `generate` reads."""
    network.config.use_cache = True
    network.config.bos_token_id = network.config.eos_token_id = separator_id  # a folder's own may have several
    network.config.pad_token_id = pad_id
    network.generation_config = GenerationConfig(
        bos_token_id=separator_id,
        eos_token_id=separator_id,
        pad_token_id=pad_id,
        do_sample=True,
        temperature=0.8,
        top_p=0.95,
    )


def _write_tokenizer(source: Path, target: Path, special: dict[str, int], block_tokens: int) -> None:
    """tokenizer.json, and a config that makes AutoTokenizer read exactly that file.

    The file is copied unchanged unless the model has a mask that the tokenizer lacks: then it has one more token.
    """
    shutil.copyfile(source / "tokenizer.json", target / "tokenizer.json")
    tokenizer = Tokenizer.from_file(str(source / "tokenizer.json"))
    if special.get("mask_token") == tokenizer.get_vocab_size():
        tokenizer.add_special_tokens([AddedToken(MASK, special=True, normalized=False)])
        tokenizer.save(str(target / "tokenizer.json"))
    named = {name: tokenizer.id_to_token(number) for name, number in special.items()}
    missing = [special[name] for name, token in named.items() if token is None]
    if missing:
        raise StoreError(f"{source}/tokenizer.json has no token {missing[0]}; it is not the run's tokenizer")
    config = {
        **named,
        "clean_up_tokenization_spaces": False,
        "model_max_length": block_tokens,
        "tokenizer_class": "PreTrainedTokenizerFast",
    }
    for name, value in (("tokenizer_config.json", config), ("special_tokens_map.json", named)):
        text = json.dumps(value, ensure_ascii=False, indent=2, sort_keys=True)
        (target / name).write_text(text + "\n", encoding="utf-8")


def export_run(
    run: dict[str, Any], folder: Path | None = None, averaged: int | None = None, which: str | None = None
) -> Exported:
    """Export the newest or the best good checkpoint of a run, or the mean of its last or best good ones.

    Args:
        run: the run file as a dict.
        averaged: how many checkpoints; None for what the run file says. Where fewer are left, those, with a warning.
        which: last | best, by the validation loss; None for what the run file says.

    Raises:
        StoreError: the run has no checkpoint that can be read, or none that was validated.
    """
    place = Path(run["run"]["folder"])
    wanted, which = averaged or run["run"].get("averaged_checkpoints", 1), which or run["run"].get("export", "last")
    found = list(islice(_chosen(place, which), wanted))
    if not found:
        validated = " that was validated" if which == "best" else ""
        raise StoreError(f"no readable checkpoint{validated} in {place / 'checkpoints'}; run fit first")
    network, data = network_of(found[0].path)
    figures = figures_of(run, found[0].step) | ({"chosen": which} if which != "last" else {})
    if wanted > 1:
        take_mean(network, (network_of(other.path)[0] for other in found[1:]))
        figures |= _figures_of_mean(run, network, [f.step for f in found], wanted, figures["validation_loss"])
    export_network(
        network,
        data,
        folder or place / "export",
        tokenizer_dir=Path(run["run"]["tokenizer"]),
        separator_id=int(run["model"]["init_args"]["separator_id"]),
        pad_id=int(run["model"]["init_args"]["pad_id"]),
        figures=figures,
        lineage=run["run"].get("lineage") or {},
        mask_id=run["run"].get("mask_id"),
    )
    return Exported(folder or place / "export", figures)


def _chosen(place: Path, which: str) -> Iterable[Found]:
    """Good checkpoints in the order of the choice; on equal losses the earlier is the better."""
    good = CheckpointFolder(place / "checkpoints").good()
    if which == "last":
        return good
    losses = losses_in(StepTable(place / "validation.csv", VALIDATION))
    return sorted((one for one in good if one.step in losses), key=lambda one: (losses[one.step], one.step))


def _figures_of_mean(
    run: dict[str, Any], network: PreTrainedModel, steps: list[int], wanted: int, last: float | None
) -> dict[str, Any]:
    """Which checkpoints the mean is of and how well it does, with a warning where that is less than hoped for."""
    measured = held_out_figures(run, network)
    if len(steps) < wanted:
        message = f"只有 {len(steps)} 个完好的检查点可平均, 想要 {wanted} 个 (fewer good checkpoints than wanted)"
        emit("warning", kind="fewer_averaged", message=message)
    if last is not None and measured.get("loss", last) > last:
        message = f"平均的验证损失 {measured['loss']:.4f} 高于单个的 {last:.4f} (the mean is worse than one alone)"
        emit("warning", kind="average_is_worse", message=message)
    return {
        "averaged_steps": ", ".join(map(str, sorted(steps))),
        "average_validation_loss": measured.get("loss"),
        "average_validation_bits_per_char": measured.get("bits_per_char"),
    }


def figures_of(run: dict[str, Any], step: int) -> dict[str, Any]:
    """What was trained and how well it does, from the run's own tables; no times, which differ between runs."""
    place, data = Path(run["run"]["folder"]), run["data"]["init_args"]
    train = StepTable(place / "metrics.csv", METRICS).at(step)
    held_out = StepTable(place / "validation.csv", VALIDATION).at(step)
    grow = Growth(**data["length"]), Growth(**data["batch"])
    pace = pace_of(data["block_tokens"], data["blocks_per_step"], data["max_steps"], *grow)
    return {
        "steps": step,
        "tokens": pace.tokens_before(step),
        "data": shares_of(data, pace.blocks_before(step)),
        "train_loss": train.get("loss"),
        "validation_loss": held_out.get("loss"),
        "validation_bits_per_char": held_out.get("bits_per_char"),
    }


def shares_of(data: dict[str, Any], samples: int) -> list[dict[str, Any]]:
    """What the first `samples` samples of a run were of: name, tokens, share and epochs of every dataset."""
    sets = data["sets"]
    taken = GlobalOrder([s["blocks"] for s in sets], data["seed"], [s["share"] for s in sets]).taken(samples)
    return [
        {
            "name": one["name"],
            "tokens": count * data["block_tokens"],
            "share": count / max(1, samples),
            "epochs": count / one["blocks"],
        }
        for one, count in zip(sets, taken, strict=True)
    ]
