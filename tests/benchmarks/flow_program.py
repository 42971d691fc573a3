"""The corpus and vocabulary flows without Prefect, timed stage by stage: `python flow_program.py CONFIG OUT.json`.

The flows' own lines run, whatever stages stand in them; a stage is called through `Stage.run`, and no report is made.
CPU seconds are those of this process, its workers and its killable programs; `cpu_seconds_here` those of this process
alone, which hands out jobs when there are workers.
"""

from __future__ import annotations

import contextlib
import json
import sys
import time
from pathlib import Path
from typing import Any

import psutil

from data_contracts.config import CorpusConfig, VocabularyConfig
from data_contracts.config_file import load
from tasks.executors import close_pools
from tasks.stage import Stage
from tasks.store import Store

MEASURED = ("seconds", "cpu_seconds", "cpu_seconds_here", "megabytes")


def cpu_seconds() -> float:
    """Of this process and everything below it, living or ended."""
    total, this = 0.0, psutil.Process()
    for process in (this, *this.children(recursive=True)):
        with contextlib.suppress(psutil.Error):
            t = process.cpu_times()
            total += t.user + t.system + t.children_user + t.children_system
    return total


def timed(stages: dict[str, dict[str, float]], store: Store) -> Any:
    """What stands in for calling a stage as a task of Prefect."""

    def call(stage: Stage, *arguments: Any) -> Any:
        wall, cpu, here = time.monotonic(), cpu_seconds(), time.process_time()
        dataset, found = stage.run(*arguments)
        assert not found, f"{stage.name} was found; the store must be empty"
        made = stages.setdefault(stage.name, dict.fromkeys(MEASURED, 0.0))
        made["seconds"] += time.monotonic() - wall
        made["cpu_seconds"] += cpu_seconds() - cpu
        made["cpu_seconds_here"] += time.process_time() - here
        made["megabytes"] += store.manifest(dataset).total("text_bytes") / 1e6
        return dataset

    return call


def main(config: str, out: str) -> None:
    cfg = load(config)
    store = Store(cfg.store).open()
    stages: dict[str, dict[str, float]] = {}
    wall, cpu = time.monotonic(), cpu_seconds()
    Stage.__call__ = timed(stages, store)  # type: ignore[method-assign]
    import flows.reported
    from flows.corpus import corpus
    from flows.vocabulary import vocabulary

    flows.reported.report = lambda *_: None  # type: ignore[assignment]
    start, start_cpu = time.monotonic() - wall, cpu_seconds() - cpu
    text = corpus.fn(cfg.part(CorpusConfig))
    blocks = vocabulary.fn(cfg.part(VocabularyConfig, corpus=text.name))
    whole = {"seconds": time.monotonic() - wall, "cpu_seconds": cpu_seconds() - cpu}
    close_pools()
    manifest = store.manifest(blocks)
    facts = {name: manifest.measures[name] for name in ("train_tokens", "train_chars", "vocab_size")}
    told = {"stages": stages, "whole": whole, "imports": {"seconds": start, "cpu_seconds": start_cpu}}
    told |= {"documents_kept": text.rows, "characters_kept": text.chars, **facts}
    Path(out).write_text(json.dumps(told, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
