"""续训检查 resuming: whether a checkpoint is one of the model that the run file describes, before anything is built.

Only tensors and plain values are read: a checkpoint cannot run code.
"""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import torch

from data_contracts.errors import ConfigError, StoreError
from data_contracts.network import NetworkConfig
from lightning_modules.architectures import Tokens, hugging_face_config
from lightning_modules.foreign import foreign_config

# What decides which weights there are and what they mean. Dropout and the like may change.
SHAPE = (
    "model_type",
    "vocab_size",
    "hidden_size",
    "intermediate_size",
    "num_hidden_layers",
    "num_attention_heads",
    "num_key_value_heads",
    "tie_word_embeddings",
)


def told_by(checkpoint: Path) -> dict[str, Any]:
    """What a checkpoint says of itself; its tensors stay on disk. StoreError when it cannot be read, or holds code."""
    sharded = checkpoint.is_dir()
    try:
        path = checkpoint / "meta.pt" if sharded else checkpoint
        found: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True, mmap=not sharded)
    except (pickle.UnpicklingError, RuntimeError, OSError) as error:
        raise StoreError(
            f"checkpoint {checkpoint} is refused: {str(error).strip().splitlines()[0]} Only tensors and plain values "
            "are read from a checkpoint, never code; remove it, and the run goes on from the one before"
        ) from error
    return found


def refuse_another_model(checkpoint: Path, model: dict[str, Any]) -> None:
    """ConfigError, with both values, when the weights of a checkpoint are not of the model of a run file.

    Args:
        model: `init_args` of the model in the run file.
    """
    network = NetworkConfig(**model["network"])
    tokens = Tokens(model["vocab_size"], model["separator_id"], model["pad_id"], model["block_tokens"])
    asked = (
        foreign_config(network.folder, tokens.block_tokens) if network.folder else hugging_face_config(network, tokens)
    )
    wanted, has = asked.to_dict(), told_by(checkpoint)["network"]
    if network.folder:  # its rows may have been extended, which is checked where that is done
        wanted.pop("vocab_size", None)
    changed = [
        f"{name}: checkpoint {has[name]!r}, run file {wanted[name]!r}"
        for name in SHAPE
        if name in wanted and name in has and wanted[name] != has[name]
    ]
    if changed:
        raise ConfigError(
            f"checkpoint {checkpoint} is one of another model ({'; '.join(changed)}). Restore pretrain.model as it "
            "was, or start a new run folder"
        )
