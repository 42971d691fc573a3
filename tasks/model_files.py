"""模型文件 model files: a model of the store, or a checkpoint of one, laid out as a Hugging Face folder."""

from __future__ import annotations

import sys
from pathlib import Path

from data_contracts.dataset import Dataset
from data_contracts.errors import TrainingError
from tasks import checkpoints, supervised
from tasks.run_folder import unpack
from tasks.store import Store


def laid_out(store: Store, model: Dataset, scratch: Path) -> Path:
    """The folder of a model, by hard links; of a checkpoint, exported with the tokenizer of its blocks."""
    manifest = store.manifest(model)
    if manifest.stage != checkpoints.STAGE:
        return unpack(store, manifest, scratch / "model")
    blocks = store.manifest(manifest.parents[0])
    place = unpack(store, manifest, scratch / "checkpoint")
    tokenizer = unpack(store, store.manifest(blocks.parents[1]), scratch / "tokenizer")
    ids = {name: manifest.measures[name] for name in (*checkpoints.IDS, "mask_id")}
    command = [sys.executable, "-m", "lightning_modules", "export-checkpoint"]
    command += [str(place / manifest.measures["file"]), str(scratch / "model"), "--tokenizer", str(tokenizer)]
    command += [word for name, value in ids.items() if value is not None for word in (f"--{name}", str(value))]
    ended = supervised.run(command, log=scratch / "export.log")
    if ended.code:
        message = ended.last.get("error", {}).get("message", ended.tail)
        raise TrainingError(f"{model.name} cannot be exported, code {ended.code}: {message}")
    return scratch / "model"
