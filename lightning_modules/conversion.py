"""转换 conversion: a checkpoint or a Hugging Face folder -> folders for other runtimes. The two commands of it.

    export RUN/run.yaml [FOLDER] [--best] [--average K] [--onnx FOLDER] [--gguf FOLDER]
    convert MODEL [--onnx FOLDER] [--gguf FOLDER]

A folder for ONNX or GGUF holds the model's file, its tokenizer and its card, and appears as a whole or not at all.
"""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml
from transformers.utils.logging import disable_progress_bar

from data_contracts.errors import StoreError
from lightning_modules.checkpointing import replace_durably
from lightning_modules.events import emit
from lightning_modules.export import export_network, export_run, network_of
from lightning_modules.gguf_file import write_gguf
from lightning_modules.onnx_file import write_onnx
from lightning_modules.resuming import told_by

WRITERS: dict[str, Callable[[Path, Path], dict[str, Any]]] = {"onnx": write_onnx, "gguf": write_gguf}
BESIDE = ("config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json", "README.md")


def export_command(arguments: list[str]) -> None:
    """The newest or best checkpoint of a run, or the mean of K of them, in Hugging Face form and in those asked for."""
    parser = _parser("export")
    parser.add_argument("run", type=Path)
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--average", type=int, metavar="K", default=None)
    parser.add_argument("--best", dest="which", action="store_const", const="best")
    asked = parser.parse_args(arguments)
    run = yaml.safe_load(asked.run.read_text(encoding="utf-8"))
    made = export_run(run, asked.folder, asked.average, asked.which)
    emit("end", export=str(made.folder), **made.figures, **_converted(made.folder, asked))


def export_checkpoint_command(arguments: list[str]) -> None:
    """One checkpoint in Hugging Face form, whose run need not be there: what else is needed is said beside it."""
    parser = argparse.ArgumentParser("python -m lightning_modules export-checkpoint", allow_abbrev=False)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--tokenizer", type=Path, required=True)
    for name in ("separator_id", "pad_id"):
        parser.add_argument(f"--{name}", type=int, required=True)
    parser.add_argument("--mask_id", type=int)
    asked = parser.parse_args(arguments)
    told_by(asked.checkpoint)  # refuses what holds code, in words
    network, data = network_of(asked.checkpoint)
    export_network(
        network,
        data,
        asked.folder,
        tokenizer_dir=asked.tokenizer,
        separator_id=asked.separator_id,
        pad_id=asked.pad_id,
        figures={"steps": data["step"]},
        lineage={},
        mask_id=asked.mask_id,
    )
    emit("end", export=str(asked.folder), steps=data["step"])


def convert_command(arguments: list[str]) -> None:
    """A Hugging Face folder in the forms asked for."""
    parser = _parser("convert")
    parser.add_argument("model", type=Path)
    asked = parser.parse_args(arguments)
    if not (asked.model / "config.json").exists():
        raise StoreError(f"{asked.model} has no config.json; give the folder that export wrote")
    emit("end", **_converted(asked.model, asked))


def convert(model: Path, form: str, folder: Path) -> dict[str, Any]:
    """Write `folder` in one form, replacing what was there; what was measured on the way."""
    temporary = folder.with_name(f".{folder.name}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    emit("phase", name=form)
    measured = WRITERS[form](model, temporary)
    for name in BESIDE:
        if (model / name).exists():
            shutil.copyfile(model / name, temporary / name)
    replace_durably(temporary, folder)
    return measured


def _parser(command: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(f"python -m lightning_modules {command}", allow_abbrev=False)
    for form in WRITERS:
        parser.add_argument(f"--{form}", type=Path, metavar="FOLDER")
    return parser


def _converted(model: Path, asked: argparse.Namespace) -> dict[str, Any]:
    disable_progress_bar()
    wanted = {form: folder for form in WRITERS if (folder := getattr(asked, form)) is not None}
    return {form: {"folder": str(folder), **convert(model, form, folder)} for form, folder in wanted.items()}
