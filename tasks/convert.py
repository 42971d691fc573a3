"""转换 convert: model -> the same model in other forms, for runtimes that do not read Hugging Face folders.

    onnx   model.onnx   onnxruntime; any batch and length
    gguf   model.gguf   llama.cpp and what builds on it; fp32, with the tokenizer in it

The program that writes a form also holds it to the model (lightning_modules/README.md) and refuses one that differs.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from data_contracts.dataset import Dataset, File, Shard, digest_of
from data_contracts.errors import ConfigError, TrainingError
from data_contracts.training import ConvertConfig, ModelForm
from tasks import supervised
from tasks.model_files import laid_out
from tasks.stage import stage
from tasks.work import Output, Work


@stage(
    schema="forms",
    libraries=("torch", "transformers", "onnx", "onnxscript", "onnxruntime", "gguf"),
    programs=("lightning_modules",),
)
def convert(model: Dataset, cfg: ConvertConfig, work: Work) -> Output:
    """转换 convert: model -> forms. One shard for every form, with its files under their own names.

    Measures hold what the program found when it held each form to the model, as `onnx_largest_difference`. Raises
    ConfigError for a form that such a model does not have, TrainingError where a form differs from the model.
    """
    source = laid_out(work.store, model, work.scratch)
    shards: list[Shard] = []
    measures: dict[str, Any] = {}
    for form in cfg.forms:
        target = work.scratch / form
        told = run_program(source, form, target, work.scratch)
        files = {p.name: work.store.keep_file(p) for p in sorted(target.iterdir()) if p.is_file()}
        shards.append(Shard(content=_content(files), files=files))
        measures |= {f"{form}_{name}": value for name, value in told.items() if name != "folder"}
    return Output(shards, {"forms": list(cfg.forms), **measures})


def run_program(model: Path, form: ModelForm, target: Path, scratch: Path) -> dict[str, Any]:
    """Write one form; what the program told about it."""
    command = [sys.executable, "-m", "lightning_modules", "convert", str(model), f"--{form}", str(target)]
    ended = supervised.run(command, log=scratch / f"{form}.log")
    if ended.code:
        message = ended.last.get("error", {}).get("message", ended.tail)
        kind = ConfigError if ended.code == ConfigError.exit_code else TrainingError
        raise kind(f"converting to {form} ended with code {ended.code}: {message}")
    told: dict[str, Any] = ended.last["end"][form]
    return told


def _content(files: dict[str, File]) -> str:
    return digest_of({name: file.sha256 for name, file in files.items()})
