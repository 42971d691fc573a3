"""模型文件夹 model folder: a Hugging Face model to go on from, as the pretrain stage sees it. Nothing of it is run.

What is in the folder is in the key of the model that is made, where it lies is not.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from pydantic import Field

from data_contracts.dataset import digest_of
from data_contracts.errors import ConfigError
from data_contracts.model import Model
from data_contracts.training import PretrainConfig
from tasks.stage import Body, Stage
from tasks.transforms.foreign_tokenizer import refuse_another

PARTS = ("config.json", "tokenizer.json")


class Continued(Model):
    """A PretrainConfig that starts from a folder."""

    pretrain: PretrainConfig  # without the folder
    digest: str  # of the folder's files
    folder: str = Field(exclude=True, repr=False)

    @property
    def whole(self) -> PretrainConfig:
        """The config as it was written."""
        return _with_folder(self.pretrain, self.folder)

    @property
    def told(self) -> dict[str, Any]:
        """What the model card says of it."""
        return {"continued_from": {"model": Path(self.folder).name, "digest": self.digest[:16]}}


class Trainer(Stage):
    """A stage that reads the folder of a model to start from, if one is named, before its key is made."""

    def look(self, values: list[Any]) -> tuple[list[Any], Any]:
        """Hash the folder; nothing else lies outside the store."""
        blocks, cfg = values
        if not cfg.model.folder:
            return values, None
        folder = str(Path(cfg.model.folder).expanduser())
        digest = digest_of_model(folder)
        return [blocks, Continued(pretrain=_with_folder(cfg, None), digest=digest, folder=folder)], None


def training(body: Body) -> Trainer:
    """Make the stage of a body that trains."""
    return Trainer(body, "model", ("torch", "lightning", "transformers"), ("lightning_modules",))


def _with_folder(cfg: PretrainConfig, folder: str | None) -> PretrainConfig:
    return cfg.model_copy(update={"model": cfg.model.model_copy(update={"folder": folder})})


def digest_of_model(folder: str) -> str:
    """Hash of what a model in a folder is: config, weights, tokenizer. ConfigError when it has no safetensors."""
    place = Path(folder).expanduser()
    weights = sorted(place.glob("*.safetensors"))
    missing = [name for name in PARTS if not (place / name).is_file()]
    if missing or not weights:
        raise ConfigError(
            f"pretrain.model.folder {folder}: no {', '.join(missing) or '*.safetensors'} there; give a Hugging Face "
            "folder with config.json, tokenizer.json and weights as safetensors (pickled weights are never read)"
        )
    hashes = {}
    for path in (*(place / name for name in PARTS), *weights):
        with path.open("rb") as file:
            hashes[path.name] = hashlib.file_digest(file, "sha256").hexdigest()
    return digest_of(hashes)


def refuse_other_blocks(folder: str, of_blocks: Path) -> None:
    """ConfigError, with both vocabularies named, unless the blocks were encoded with the tokenizer of the folder."""
    theirs, ours = (place / "tokenizer.json" for place in (Path(folder), of_blocks))
    refuse_another(folder, theirs.read_text(encoding="utf-8"), ours.read_text(encoding="utf-8"))
