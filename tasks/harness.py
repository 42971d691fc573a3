"""评测框架 the harness: tasks of EleutherAI's lm-eval, run by itself as a child program, offline, and its figures read.

It is an extra (`pip install '.[lm-eval]'`), for tasks that exist in its form already, and for numbers that others can
compute too. A task names its data by paths below the folder of the task files. Nothing is fetched: Hugging Face is told
to be offline. Its likelihoods are those of tasks/assess.py's own questions, where a task asks the same (a test).
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import math
import sys
from pathlib import Path
from typing import Any

from data_contracts.assessment import LmEvalConfig
from data_contracts.errors import ConfigError, TrainingError
from tasks import progress, supervised
from tasks.folder import sha256_of
from tasks.readers.found import FoundFile, FoundSet

MODULE = "lm_eval"
OFFLINE = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "DO_NOT_TRACK": "1"}


def installed() -> bool:
    """Whether the extra is there; importing it would cost seconds."""
    return importlib.util.find_spec(MODULE) is not None


def faults(cfg: LmEvalConfig) -> list[str]:
    """What is missing for these tasks, in words; runs nothing."""
    told = [] if installed() else ["assess.lm_eval: lm-eval is not installed; pip install '.[lm-eval]'"]
    folder = Path(cfg.path).expanduser()
    if not folder.is_dir() or not any(folder.rglob("*.yaml")):
        told.append(f"assess.lm_eval: {folder} is no folder with task files (*.yaml); correct `path`")
    return told


def find(cfg: LmEvalConfig) -> FoundSet:
    """All files in the folder of the tasks, hashed, and the version of lm-eval: what its figures depend on."""
    if told := faults(cfg):
        raise ConfigError("; ".join(told))
    folder = Path(cfg.path).expanduser()
    files = [
        FoundFile(name=path.relative_to(folder).as_posix(), sha256=sha256_of(path), bytes=path.stat().st_size)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    ]
    name = f"lm-eval {importlib.metadata.version(MODULE)}"
    return FoundSet(name=name, folder=str(folder.absolute()), files=tuple(files))


def run(cfg: LmEvalConfig, found: FoundSet, model: Path, scratch: Path) -> dict[str, Any]:
    """{"version", "tasks": {name: {"items", metric: value, ...}}}. TrainingError with the end of its log."""
    progress.report(progress.Step("assess", 0, 0, "lm-eval"))
    scratch.mkdir(parents=True, exist_ok=True)
    options = {
        "--model": "hf",
        "--model_args": f"pretrained={model.absolute()},dtype=float32",
        "--tasks": ",".join(cfg.tasks),
        "--include_path": found.folder,
        "--batch_size": str(cfg.batch_size),
        "--output_path": str(scratch.absolute() / "results"),
        **({"--limit": str(cfg.limit)} if cfg.limit else {}),
    }
    command = [sys.executable, "-m", MODULE, "run", *(part for option in options.items() for part in option)]
    environment = OFFLINE | {"HF_HOME": str(scratch.absolute() / "cache")}
    ended = supervised.run(command, log=scratch / "lm-eval.log", environment=environment, folder=Path(found.folder))
    results = sorted((scratch / "results").rglob("results_*.json"))
    if ended.code or not results:
        raise TrainingError(f"lm-eval ended with code {ended.code}: {ended.tail}")
    return told_by(json.loads(results[-1].read_text(encoding="utf-8")), found.name.removeprefix("lm-eval "))


def told_by(results: dict[str, Any], version: str) -> dict[str, Any]:
    """The figures of a results file, without times, paths and settings: `acc,none` becomes `acc`."""
    tasks = {}
    for name, one in sorted(results["results"].items()):
        values = {k.removesuffix(",none"): v for k, v in one.items() if isinstance(v, int | float) and math.isfinite(v)}
        items = (results.get("n-samples") or {}).get(name, {}).get("effective")
        tasks[name] = {"items": items, **dict(sorted((k, v) for k, v in values.items() if k != "sample_len"))}
    return {"version": version, "tasks": tasks}
