"""运行 running a flow from the command line: server, progress, outcome, exit code."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import orjson

from data_contracts.config import (
    AssessmentConfig,
    ConversionConfig,
    CorpusConfig,
    EverythingConfig,
    Place,
    PretrainingConfig,
    VectorsFlowConfig,
    VocabularyConfig,
)
from data_contracts.config_file import load
from data_contracts.dataset import Dataset
from deployments import display
from deployments.client import connect
from deployments.outcome import explained
from deployments.server import Server, start
from deployments.wording import both
from tasks import journal, preflight
from tasks.store import Store

# Prefect's own lines would tear the progress bars; they go to the server, where the UI shows them.
_QUIET = {"PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL", "PREFECT_LOGGING_EXTRA_LOGGERS": "ziliu"}
_PARTS: dict[str, type[Place]] = {
    "corpus": CorpusConfig,
    "vocabulary": VocabularyConfig,
    "pretraining": PretrainingConfig,
    "assessment": AssessmentConfig,
    "conversion": ConversionConfig,
    "vectors": VectorsFlowConfig,
    "everything": EverythingConfig,
}


def run_file(flow: str, path: Path, overrides: Sequence[str]) -> int:
    """Run one flow with a config file; returns the exit code. Nothing is started when the config is wrong."""
    with explained() as outcome:
        run(flow, load(path, overrides))
    return outcome.code


def run(flow: str, cfg: EverythingConfig) -> Dataset:
    """Run a flow with the store's server and show how it goes."""
    return run_part(flow, cfg if flow == "everything" else cfg.part(_PARTS[flow]))


def run_part(flow: str, part: Place) -> Dataset:
    """Run a flow with its own config."""
    preflight.check(part)  # what is missing or cannot be written is said before anything starts
    Store(part.store).open()
    with display.screen.status(both("启动 Prefect", "starting Prefect")):
        os.environ.update({k: os.environ.get(k, v) for k, v in _QUIET.items()})
        server = start(part.store)
        connect(part.store, server.url)
        body = _flow(flow)
    with server:
        try:
            with display.bars(), _ended_by_signal():
                dataset: Dataset = body(part)
        finally:
            show_outcome(server, part.store)
    return dataset


def _flow(name: str) -> Any:
    """The flow function; imported late, because Prefect reads its settings at import."""
    import importlib

    return getattr(importlib.import_module(f"flows.{name}"), name)


def show_outcome(server: Server, root: str) -> None:
    """The stage table, the model's figures and samples, where the report is, how to open the UI."""
    ended = journal.last()
    if ended is None:
        return
    screen = display.screen
    if ended.entries:
        screen.print()
        screen.print(display.stage_table(ended))
    for entry in ended.entries:
        if entry.stage == "compare":
            from deployments.proof import verdict

            screen.print()
            screen.print(verdict(ended.store, entry.dataset))
        elif entry.stage == "assess" and ended.flow != "comparison":
            shard = ended.store.manifest(entry.dataset).shards[0]
            scores = orjson.loads(ended.store.path(shard.files["scores.json"]).read_bytes())
            screen.print()
            screen.print(display.figures(scores))
            for panel in display.samples(scores):
                screen.print(panel)
    compared = [ended.store.folder.path(f"comparisons/{e.dataset.partition('/')[2]}.html") for e in ended.entries]
    for page in (ended.folder / "report.html", *compared):
        if page.exists():
            title = both("报告", "report") if page.name == "report.html" else both("比较页", "comparison")
            screen.print(f"\n{title}: {page}", soft_wrap=True)
    where = server.ui if not server.started else f"ziliu server --store {root}"
    screen.print(f"{both('界面', 'UI')}: {where}", soft_wrap=True)
    if server.note:
        screen.print(server.note)


@contextlib.contextmanager
def _ended_by_signal() -> Iterator[None]:
    """SIGTERM ends a run as Ctrl-C does, so that child programs save and end first."""

    def stop(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
