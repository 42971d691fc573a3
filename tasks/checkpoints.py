"""检查点 checkpoints: those that a training run keeps, as datasets of the store: checkpoint/VERSION.

One dataset a checkpoint: its file (or its shards, under fsdp) by hard links, so that no byte is there twice; parents,
config, code and libraries are those of the model that the run makes; `measures` says of which run and model it is, its
step, its validation loss, whether it is one of the best, and what an export needs. So a lineage leads from a checkpoint
to the corpus, `ziliu verify` knows its bytes, and `ziliu assess` takes it for a model.

They are published when the run ends: with its model, which names them, and also when it was cancelled or failed, for
then the newest checkpoint is all there is of it.
"""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

from data_contracts.dataset import Manifest, Shard, digest_of
from tasks.store import Store, now

STAGE = "checkpoint"
IDS = ("separator_id", "pad_id")


def publish(store: Store, folder: Path, model: str, settings: dict[str, Any], told: dict[str, Any]) -> list[str]:
    """Make a dataset of every checkpoint in the folder of a run whose bytes are what was written; their names.

    Args:
        model: pretrain/VERSION, which the run makes.
        settings: the run file, as plain values.
        told: parents, config, code and libraries, as in a Manifest.
    """
    place = folder / "checkpoints"
    try:
        index = json.loads((place / "index.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):  # none was written, or a crash damaged the index: the trainer judges file by file
        return []
    losses = _losses(folder / "validation.csv")
    special = {name: settings["model"]["init_args"][name] for name in IDS} | {"mask_id": settings["run"]["mask_id"]}
    names = []
    for checkpoint, recorded in sorted(index["checkpoints"].items()):
        paths = {name: place / name for name in sorted(recorded)}
        if not all(path.is_file() for path in paths.values()):
            continue
        files = {name: store.keep_file(path) for name, path in paths.items()}
        if any([file.bytes, file.sha256] != recorded[name] for name, file in files.items()):
            continue  # damaged; what was linked is garbage, which `ziliu gc` takes
        step = int(checkpoint.removeprefix("step-").removesuffix(".ckpt"))
        content = digest_of([STAGE, model, step])  # the same weights in every run; seconds of training lie beside them
        manifest = Manifest(
            stage=STAGE,
            version=content[:16],
            schema_label=STAGE,
            shards=[Shard(content=content, files=files)],
            measures={
                "of_run": folder.name,
                "of_model": model,
                "step": step,
                "validation_loss": losses.get(step),
                "best": checkpoint in index.get("best", []),
                "file": checkpoint,
                **special,
            },
            created_at=now(),
            **told,
        )
        known = store.find(STAGE, manifest.version)
        if known is None or store.faults(known):
            store.commit(manifest)
        names.append(manifest.handle.name)
    return names


def _losses(table: Path) -> dict[int, float]:
    if not table.exists():
        return {}
    with table.open(encoding="utf-8", newline="") as file:
        return {int(row["step"]): float(row["loss"]) for row in csv.DictReader(file)}
