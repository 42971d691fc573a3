"""执行器 executors: where the shards of a stage run. Same results from every one of them.

    InProcess      one after the other, here
    ProcessPool    local processes started by `spawn`, each with its share of polars threads

Jobs are module-level functions with small arguments; results are small too (shards name objects, they hold no rows).
"""

from __future__ import annotations

import atexit
import concurrent.futures
import contextlib
import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from typing import Any, Protocol

from data_contracts.errors import WorkerLost

Job = tuple[Any, ...]


class Executor(Protocol):
    """Runs `function(*job)` for every job and yields (index, result) as they finish."""

    def run(self, function: Callable[..., Any], jobs: Sequence[Job]) -> Iterator[tuple[int, Any]]:
        """Yield results in the order in which they finish."""
        ...

    def meanwhile(self, jobs: int, function: Callable[..., object], *arguments: Any) -> None:
        """Call a function in workers that so many jobs leave without work, in as many at most; nobody waits for it."""
        ...


class InProcess:
    """One job after the other in this process: for small work, debuggers and tests."""

    def run(self, function: Callable[..., Any], jobs: Sequence[Job]) -> Iterator[tuple[int, Any]]:
        """Yield results in order."""
        for index, job in enumerate(jobs):
            yield index, function(*job)

    def meanwhile(self, jobs: int, function: Callable[..., object], *arguments: Any) -> None:
        """Nothing: the one process has the jobs."""


class ProcessPool:
    """A pool of spawned processes that lives as long as this process, because a start costs about half a second."""

    def __init__(self, workers: int) -> None:
        self.workers = workers
        self._pool: concurrent.futures.ProcessPoolExecutor | None = None

    def run(self, function: Callable[..., Any], jobs: Sequence[Job]) -> Iterator[tuple[int, Any]]:
        """Yield results as they finish; WorkerLost when the kernel took a worker away (most often: out of memory)."""
        with self._watched():  # at once, not when the first result is asked for
            futures = {self._started().submit(function, *job): index for index, job in enumerate(jobs)}
        return self._finished(futures)

    def _finished(self, futures: dict[concurrent.futures.Future[Any], int]) -> Iterator[tuple[int, Any]]:
        try:
            with self._watched():
                for future in concurrent.futures.as_completed(futures):
                    yield futures[future], future.result()
        finally:
            for future in futures:
                future.cancel()

    def meanwhile(self, jobs: int, function: Callable[..., object], *arguments: Any) -> None:
        """Behind the jobs that wait already, so that none of them waits for it.

        In no more workers than there are jobs: a small corpus on a large machine has no use for all of them.
        """
        with self._watched():
            for _ in range(min(jobs, self.workers - jobs)):
                self._started().submit(function, *arguments)

    @contextlib.contextmanager
    def _watched(self) -> Iterator[None]:
        try:
            yield
        except BrokenProcessPool as error:
            self.close()
            raise WorkerLost(
                "a worker process was killed, most often for want of memory; lower `workers` or `ingest.shard_bytes`"
            ) from error

    def _started(self) -> concurrent.futures.ProcessPoolExecutor:
        if self._pool is None:
            threads = max(1, (os.cpu_count() or 1) // self.workers)
            self._pool = concurrent.futures.ProcessPoolExecutor(
                self.workers, multiprocessing.get_context("spawn"), initializer=_enter_worker, initargs=(threads,)
            )
            atexit.register(self.close)
        return self._pool

    def close(self) -> None:
        """End the workers."""
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)
            self._pool = None


def _enter_worker(threads: int) -> None:
    """Give polars its share of cores (read at its first import) and die with the parent.

    A pool worker holds both ends of its queue, so it would wait for ever after a `kill -9` of its parent.
    """
    os.environ["POLARS_MAX_THREADS"] = str(threads)
    os.environ["RAYON_NUM_THREADS"] = str(threads)
    parent = multiprocessing.parent_process()

    def watch() -> None:
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=watch, name="lifeline", daemon=True).start()


_pools: dict[int, ProcessPool] = {}


def executor(workers: int) -> Executor:
    """The executor for a number of workers: 0 means every core, 1 means in this process."""
    wanted = workers or len(os.sched_getaffinity(0))
    if wanted == 1:
        return InProcess()
    return _pools.setdefault(wanted, ProcessPool(wanted))


def close_pools() -> None:
    """End every pool of this process: before a long training run, or at the end of a test."""
    for pool in _pools.values():
        pool.close()
