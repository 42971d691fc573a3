"""一个阶段的工作 what a stage's body gets instead of a place: its inputs' shards, and jobs that are cached one by one.

A job's key is hash(stage key, key text); its result, a list of shards, lies under STORE/shards/<stage>/<key>.json. A
new input shard therefore costs only itself, and a killed run starts again at the first job that had not finished.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl
import psutil

from data_contracts.dataset import KEPT, Dataset, File, Shard, digest_of
from data_contracts.errors import ConservationBroken
from data_contracts.model import Model
from data_contracts.schemas import Schema
from tasks import progress, rows
from tasks.executors import Executor
from tasks.rows import Room
from tasks.store import Store
from tasks.warming import AHEAD, warm

Inputs = Dataset | Sequence[Dataset]
Mark = Callable[[pl.LazyFrame, Any], pl.LazyFrame]


@dataclass
class Output:
    """What a body may return instead of a list of shards: shards, and facts of the whole dataset."""

    shards: list[Shard]
    measures: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Work:
    """The surroundings of one run of one stage."""

    stage: str
    key: str  # hash of stage, code, libraries, schema and config; without the parents
    version: str  # what the dataset will be called; empty for a stage that observes
    schema: Schema | str
    store: Store
    executor: Executor
    scratch: Path
    code: str = ""  # hash of stage, code and libraries: the key of jobs that get nothing of the config
    spent: list[float] = field(default_factory=list)  # CPU seconds of the jobs so far, when they ran

    def shards(self, inputs: Inputs) -> list[Shard]:
        """All shards of the inputs, in order."""
        datasets = [inputs] if isinstance(inputs, Dataset) else list(inputs)
        return [s for d in datasets for s in self.store.manifest(d).shards]

    def each_shard(self, mark: Mark, inputs: Inputs, cfg: Model, extra: str = "") -> list[Shard]:
        """Run a row-wise pure function over every input shard; one cached job each."""
        if isinstance(self.schema, str):
            raise TypeError(f"stage {self.stage} has no row schema; use `each`")
        jobs = [
            (f"{s.content}\0{extra}", (mark, s.files[KEPT], cfg, self.schema))
            for s in self.shards(inputs)
            if s.rows_kept
        ]
        return [shard for made in self.each(mark_shard, jobs) for shard in made]

    def each(
        self,
        function: Callable[..., list[Shard]],
        jobs: Sequence[tuple[str, tuple[Any, ...]]],
        *,
        of_config: bool = True,
    ) -> list[list[Shard]]:
        """Run `function(room, *arguments)` for every (key text, arguments); finished ones come from the store.

        `of_config=False` for jobs whose arguments hold nothing of the config: another config then finds them done.
        """
        key = self.key if of_config else self.code
        keys = [digest_of([key, function.__qualname__, text]) for text, _ in jobs]
        done: list[list[Shard] | None] = [self.store.job(self.stage, key) for key in keys]
        todo = [i for i, made in enumerate(done) if made is None]
        todo.sort(key=lambda i: -_bytes(jobs[i][1]))  # the long ones first, so that no worker waits for one at the end
        left = len(todo)
        progress.report(progress.Step(self.stage, len(jobs) - left, len(jobs)))
        calls = [(str(self.store.root), self.stage, keys[i], function, jobs[i][1]) for i in todo]
        results = self.executor.run(run_job, calls)
        if calls and (ahead := AHEAD.get(self.stage)):
            self.executor.meanwhile(len(calls), warm, ahead)
        for index, made in results:
            done[todo[index]] = made
            self.store.flush_soon(shard for shard in made if KEPT in shard.files)  # others are steps on the way
            left -= 1
            progress.report(progress.Step(self.stage, len(jobs) - left, len(jobs)))
        finished = [made for made in done if made is not None]
        self.spent.extend(shard.cpu_seconds for made in finished for shard in made)
        return finished


def _bytes(arguments: tuple[Any, ...]) -> int:
    """How much a job will read, as far as its arguments name files and shards."""
    shards = [f.files.get(KEPT) for f in arguments if isinstance(f, Shard)]
    return sum(f.bytes for f in (*arguments, *shards) if isinstance(f, File))


def run_job(
    root: str, stage: str, key: str, function: Callable[..., list[Shard]], arguments: tuple[Any, ...]
) -> list[Shard]:
    """Run one job where it is, time it, and publish what it made."""
    store = Store(root)
    start, cpu = time.monotonic(), _cpu_seconds()
    with store.folder.scratch() as scratch:
        shards = function(Room(store, scratch), *arguments)
    share = 1 / max(1, len(shards))
    seconds, cpu_seconds = (time.monotonic() - start) * share, (_cpu_seconds() - cpu) * share
    timed = [s.model_copy(update={"seconds": seconds, "cpu_seconds": cpu_seconds}) for s in shards]
    store.commit_job(stage, key, timed)
    return timed


def _cpu_seconds() -> float:
    """CPU time of this process and its children; living ones count only in a pool worker, where all are this job's."""
    ended = os.times()
    total = time.process_time() + ended.children_user + ended.children_system
    counted = multiprocessing.parent_process() and not _alone()
    for process in psutil.Process().children(recursive=True) if counted else []:
        with contextlib.suppress(psutil.Error):
            times = process.cpu_times()
            total += times.user + times.system + times.children_user + times.children_system
    return total


def _alone() -> bool:
    """Whether the kernel says that this process has no child; psutil reads every process of the machine to find out."""
    try:
        of_threads = [children.read_bytes() for children in Path("/proc/self/task").glob("*/children")]
    except OSError:  # a thread has ended meanwhile
        return False
    return bool(of_threads) and not any(of_threads)  # none at all where the kernel keeps no such files


def mark_shard(room: Room, mark: Mark, source: File, cfg: Model, schema: Schema) -> list[Shard]:
    """Read one shard, mark its rows, split them; ConservationBroken when the mark lost, made or moved a row."""
    frame = pl.scan_parquet(room.store.path(source))
    size = pl.col("text").str.len_bytes() if "text" in frame.collect_schema() else pl.col("body").bin.size()
    before = frame.select("doc_id", bytes=size).collect()
    marked = mark(frame, cfg).collect()
    if not marked["doc_id"].equals(before["doc_id"]):
        raise ConservationBroken(
            f"{mark.__module__}.{mark.__name__}: {before.height} rows in, {marked.height} out, or in another order; "
            "a mark returns the same rows with a reason"
        )
    return [rows.shard(room, marked, schema, text_bytes=int(before["bytes"].sum()))]
