"""别人的模型 foreign: the network of a local Hugging Face folder, to be trained further. Safetensors, no code."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from transformers import AutoConfig, PreTrainedConfig, PreTrainedModel

from data_contracts.errors import ConfigError
from data_contracts.network import Objective
from lightning_modules.architectures import AUTO
from lightning_modules.block_files import Batch, positions_in_documents

LEAK = 1e-3  # of the largest logit; rounding in fp32 stays below 1e-5


class Scoring(Protocol):
    """What a leak is looked for in."""

    network: PreTrainedModel
    separator_id: int

    def logits(self, batch: Batch) -> torch.Tensor:
        """(B, T, V) of a batch."""
        ...


def foreign_config(folder: str, block_tokens: int) -> PreTrainedConfig:
    """The config of a folder; ConfigError when the model is unknown, needs code of its own, or is too short."""
    try:
        config: PreTrainedConfig = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except (OSError, ValueError, KeyError) as error:
        raise ConfigError(f"pretrain.model.folder {folder}: its model is not known here: {error}") from error
    longest = getattr(config, "max_position_embeddings", None)
    if longest and longest < block_tokens:
        raise ConfigError(
            f"pretrain.model.folder {folder}: the model has {longest} positions, the blocks {block_tokens} tokens; set "
            f"encode.block_tokens to {longest} or less"
        )
    if hasattr(config, "use_cache"):
        config.use_cache = False
    return config


def loaded(
    folder: str, config: PreTrainedConfig, objective: Objective, vocab_size: int, extends: bool
) -> PreTrainedModel:
    """The network with its weights in fp32, and with rows for `vocab_size` tokens at least.

    New rows are the mean of the old ones, in the output head too; so a new token begins as likely as an average one.
    """
    if not any(Path(folder).glob("*.safetensors")):
        raise ConfigError(f"pretrain.model.folder {folder}: no *.safetensors there; pickled weights are never read")
    network, told = AUTO[objective].from_pretrained(
        folder,
        config=config,
        dtype=torch.float32,
        local_files_only=True,
        use_safetensors=True,
        trust_remote_code=False,
        attn_implementation="sdpa",
        output_loading_info=True,
    )
    if told["missing_keys"] or told["mismatched_keys"]:
        lacking = sorted([*told["missing_keys"], *(str(key) for key in told["mismatched_keys"])])
        raise ConfigError(f"pretrain.model.folder {folder}: {len(lacking)} weights are not there, {lacking[0]} first")
    rows = int(network.get_input_embeddings().weight.shape[0])
    if rows < vocab_size:
        if not extends:
            raise ConfigError(
                f"pretrain.model.folder {folder}: the model knows {rows} tokens, the blocks use {vocab_size}; "
                "pretrain.model.extend_vocabulary: true adds rows for the new ones"
            )
        _extend(network, rows, vocab_size)
    made: PreTrainedModel = network
    return made.train()


@torch.no_grad()
def _extend(network: PreTrainedModel, rows: int, vocab_size: int) -> None:
    network.resize_token_embeddings(vocab_size, mean_resizing=False)
    head = network.get_output_embeddings()
    ends = {
        id(p): p
        for p in (network.get_input_embeddings().weight, head.weight, getattr(head, "bias", None))
        if p is not None
    }
    for parameter in ends.values():  # one, where the head shares its matrix
        parameter[rows:] = parameter[:rows].mean(dim=0)


@torch.no_grad()
def refuse_leak(module: Scoring) -> None:
    """ConfigError for a network that scores two documents of a block other than each by itself, in its own way."""
    network = module.network
    was_training = network.training
    network.eval()
    separator, rows = module.separator_id, int(network.get_input_embeddings().weight.shape[0])
    words = np.random.default_rng(0).integers(rows, size=9)
    words[words == separator] = (separator + 1) % rows
    first, second = np.array([separator, *words[:5]]), np.array([separator, *words[5:]])

    packed = np.concatenate([first, second])[None]  # (1, T)
    positions = torch.from_numpy(positions_in_documents(packed, separator))
    together = module.logits({"inputs": torch.from_numpy(packed), "positions": positions})[0]
    alone = torch.cat([network(input_ids=torch.from_numpy(one)[None]).logits[0] for one in (first, second)])
    difference = float((together - alone).abs().max() / alone.abs().max())
    network.train(was_training)
    if difference > LEAK:
        raise ConfigError(
            f"models of the type {network.config.model_type} let documents of a block see each other, or count "
            f"positions in their own way (a difference of {difference:.1e}); continue from a llama, qwen or bert"
        )
