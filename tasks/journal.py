"""运行日志 the journal of a run: which datasets a flow run touched, found or made, and how long each took.

STORE/runs/<run>/ holds config.json, stages.json and report.html. Garbage collection keeps every dataset named there.
"""

from __future__ import annotations

import contextlib
import json
import secrets
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

from data_contracts.config import Place
from data_contracts.dataset import Manifest
from tasks.store import Store, now


@dataclass(frozen=True)
class Entry:
    """One stage of a run."""

    stage: str
    title: str  # "清洗 clean"
    dataset: str  # "clean/624b4d8bff559148"
    cached: bool
    seconds: float  # wall time in this run


@dataclass
class Journal:
    """A run in progress."""

    run: str
    flow: str
    store: Store
    entries: list[Entry] = field(default_factory=list)
    started_at: str = field(default_factory=now)
    _last: float = field(default_factory=time.monotonic)

    @property
    def folder(self) -> Path:
        """STORE/runs/<run>."""
        return self.store.run_folder(self.run)

    def add(self, stage: str, title: str, manifest: Manifest, cached: bool) -> None:
        """Write a stage down, and the file with it: a killed run still says how far it came."""
        clock = time.monotonic()
        self.entries.append(Entry(stage, title, f"{stage}/{manifest.version}", cached, clock - self._last))
        self._last = clock
        self._write("running")

    def end(self, error: BaseException | None) -> None:
        """Write down how the run ended."""
        self._write(f"failed: {type(error).__name__}: {error}" if error else "completed")

    def _write(self, state: str) -> None:
        content = {
            "flow": self.flow,
            "state": state,
            "started_at": self.started_at,
            "written_at": now(),
            "stages": [asdict(e) for e in self.entries],
        }
        name = f"runs/{self.run}/stages.json"
        self.store.folder.replace(name, json.dumps(content, ensure_ascii=False, indent=1).encode())


_open: list[Journal] = []
_ended: list[Journal] = []


@contextlib.contextmanager
def keep(flow: str, cfg: Place) -> Iterator[Journal]:
    """Keep a journal for a flow run; a flow inside another writes into the outer one's."""
    if _open:
        yield _open[-1]
        return
    store = Store(cfg.store).open()
    run = f"{now().replace(':', '').replace('-', '').rstrip('Z')}-{flow}-{secrets.token_hex(2)}"
    store.run_folder(run)
    store.folder.replace(f"runs/{run}/config.json", cfg.model_dump_json(indent=1).encode())
    _open.append(Journal(run, flow, store))
    try:
        yield _open[-1]
    finally:
        _ended.append(_open.pop())


def last() -> Journal | None:
    """The journal of the run that ended last in this process."""
    return _ended[-1] if _ended else None


def note(stage: str, title: str, manifest: Manifest, cached: bool) -> None:
    """Write a stage into the open journal, if there is one."""
    if _open:
        _open[-1].add(stage, title, manifest, cached)


def current() -> Journal | None:
    """The open journal, for what else belongs into the folder of the run."""
    return _open[-1] if _open else None
