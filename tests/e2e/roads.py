"""What the end-to-end tests share: `ziliu` as a program, the processes that belong to a store, questions to a store."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

import polars as pl
import psutil

from data_contracts.dataset import KEPT, QUARANTINED, Manifest
from deployments.demo.road import on_port
from tasks.store import Store

ROOT = Path(__file__).resolve().parents[2]
DEMO = ROOT / "deployments" / "configs" / "demo.yaml"
# Every stage is real; only training and scoring are shorter. Checkpoints are frequent, for the tests that kill.
REDUCED = {
    "vocab.size": 3000,
    "pretrain.model": "{layers: 2, heads: 2, width: 64}",
    "pretrain.duration": "40 steps",
    "pretrain.tokens_per_step": 1024,
    "pretrain.blocks_per_device": 4,
    "pretrain.steps_between_checkpoints": 5,
    "pretrain.steps_between_validations": 20,
    "assess.max_tokens": 20_000,
    "assess.max_pairs": 60,
    "assess.sample_tokens": 24,
}

CORPUS = (
    "crawl", "ingest_visits", "extract", "boilerplate", "clean", "score", "redact", "dedup", "decontaminate", "segment",
)  # fmt: skip


class Said(NamedTuple):
    """How a command ended and what it said."""

    code: int
    out: str
    err: str
    seconds: float

    def __str__(self) -> str:
        return f"exit code {self.code} after {self.seconds:.0f} s\n--- out\n{self.out[-6000:]}\n--- err\n{self.err[-6000:]}"


def surroundings(**more: str) -> dict[str, str]:
    """The environment of a person at a shell, with this checkout first: nothing of the test session's own Prefect.

    One thread per matrix product: two that wait for each other are slower by far on a machine that does other things.
    """
    ours = ("PREFECT_", "ZILIU_", "PYTEST_")
    kept = {k: v for k, v in os.environ.items() if not k.startswith(ours)}
    return kept | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", **more}


def start(*arguments: object, folder: Path, **environment: str) -> subprocess.Popen[bytes]:
    """Start `ziliu` in a process group of its own; what it says goes to FOLDER/out and FOLDER/err."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "out").open("wb") as out, (folder / "err").open("wb") as err:
        return subprocess.Popen(
            [str(Path(sys.executable).parent / "ziliu"), *map(str, arguments)],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            env=surroundings(**environment),
            start_new_session=True,
            cwd=folder,
        )


def ended(process: subprocess.Popen[bytes], folder: Path, seconds: float) -> Said:
    """Wait for a command; one that takes too long is ended with its group, and what it said is in the failure."""
    begun = time.monotonic()
    try:
        code = process.wait(seconds)
    except subprocess.TimeoutExpired:
        kill_group(process)
        raise AssertionError(f"not ended after {seconds:.0f} s\n{said(-1, folder, seconds)}") from None
    return said(code, folder, time.monotonic() - begun)


def said(code: int, folder: Path, seconds: float) -> Said:
    out, err = ((folder / n).read_text("utf-8", "replace") for n in ("out", "err"))
    return Said(code, out, err, seconds)


def ziliu(*arguments: object, folder: Path, seconds: float = 300, **environment: str) -> Said:
    """Run a command to its end."""
    return ended(start(*arguments, folder=folder, **environment), folder, seconds)


def kill_group(process: subprocess.Popen[bytes]) -> None:
    """`kill -9` of a command's whole process group, as a shell or the kernel's out-of-memory killer would."""
    os.killpg(process.pid, signal.SIGKILL)
    process.wait(10)


def reduced(store: Path, port: int, **more: object) -> list[str]:
    """Arguments of the demo's road in little, on a site at another port."""
    values = {"store": store, **REDUCED, **{k.replace("__", "."): v for k, v in more.items()}}
    settings = [*on_port(port), *(f"{k}={v}" for k, v in values.items())]
    return [part for setting in settings for part in ("--set", setting)]


# processes --------------------------------------------------------------------------------------------------------------


def processes_of(store: Path) -> list[psutil.Process]:
    """Every process on this machine that names the store: in its command, its folder or its environment."""
    found = []
    for process in psutil.process_iter():
        try:
            told = " ".join([*process.cmdline(), process.cwd(), *process.environ().values()])
        except psutil.Error:
            continue
        if re.search(rf"{re.escape(str(store))}(/|\b)", told) and process.status() != psutil.STATUS_ZOMBIE:
            found.append(process)
    return found


def left_after(store: Path, seconds: float) -> list[str]:
    """What still belongs to a store after so many seconds; returns as soon as nothing does."""
    deadline = time.monotonic() + seconds
    while (left := processes_of(store)) and time.monotonic() < deadline:
        time.sleep(0.2)
    return [described(p) for p in left]


def alive_after(processes: list[psutil.Process], seconds: float) -> list[str]:
    """Which of these still live after so many seconds; returns as soon as none does. A zombie lives no more."""

    def lives(process: psutil.Process) -> bool:
        try:
            return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
        except psutil.Error:
            return False

    deadline = time.monotonic() + seconds
    while (left := [p for p in processes if lives(p)]) and time.monotonic() < deadline:
        time.sleep(0.1)
    return [described(p) for p in left]


def described(process: psutil.Process) -> str:
    try:
        return f"{process.pid} {' '.join(process.cmdline())[:200]}"
    except psutil.Error:
        return str(process.pid)


# stores -----------------------------------------------------------------------------------------------------------------


def versions(store: Path) -> dict[str, set[str]]:
    """Versions by stage."""
    found: dict[str, set[str]] = {}
    for manifest in Store(store).datasets():
        found.setdefault(manifest.stage, set()).add(manifest.version)
    return found


def newest(store: Path, stage: str) -> Manifest:
    """The newest dataset of a stage."""
    return [m for m in Store(store).datasets() if m.stage == stage][-1]


def ends_of(store: Path) -> tuple[dict[str, str], dict[str, str]]:
    """What became of every URL: `kept` or `stage:reason`; and title and text of what was kept."""
    ends: dict[str, str] = {}
    opened = Store(store)
    for stage in CORPUS:
        manifest = newest(store, stage)
        refused = opened.scan(f"{stage}/{manifest.version}", QUARANTINED).select("url", "reason").collect()
        ends |= {url: f"{stage}:{reason}" for url, reason in refused.iter_rows()}
    kept = opened.scan(f"segment/{newest(store, 'segment').version}", KEPT)
    kept = kept.select("url", text=pl.concat_str(pl.col("title").fill_null(""), pl.lit("\n"), "text")).collect()
    texts = dict(kept.iter_rows())
    return ends | dict.fromkeys(texts, "kept"), texts


def states(said: Said) -> dict[str, list[str]]:
    """The last column of the stage table, by stage: Cached or made."""
    found: dict[str, list[str]] = {}
    for line in said.out.splitlines():
        row = re.match(r"\S+ (\w+) .*?(Cached|made)\s*$", line)
        if row:
            found.setdefault(row[1], []).append(row[2])
    return found
