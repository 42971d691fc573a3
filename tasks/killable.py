"""可终止的工作进程 killable workers: run a function on hostile input where it can be killed without loss.

A parser may loop, eat all memory or crash on one page. Each worker is therefore a process of its own that takes one
batch of items and streams one answer per item. What an item may cost is enforced by the kernel, not by the worker's
good will, so it also holds inside C code:

    CPU time        a timer (ITIMER_PROF) that is wound up before every item; over it, the kernel ends the process
    memory          RLIMIT_AS
    wall time       a backstop in the parent, ten times as long: CPU time does not depend on how busy the machine is,
                    so the same page has the same fate on every run; wall time would not

The item at which a worker died gets an `Outcome` that says how; the rest of its batch goes to a fresh worker. Nothing
is lost and nothing is tried twice.

Workers are started as programs, not through multiprocessing: a daemonic pool worker may have them too, and they never
import `__main__` again. They end when their standard input closes, so also when their parent is killed; a worker in the
middle of an item ends with that item, at the latest when its timer runs out. Answers come back as JSON: a parser that
was taken over by its input cannot make its parent unpickle anything.
"""

from __future__ import annotations

import atexit
import contextlib
import importlib
import os
import pickle
import resource
import selectors
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import IO, Any, NamedTuple

import orjson

from data_contracts.errors import WorkerLost

BATCH_ITEMS, BATCH_BYTES = 64, 1_000_000  # a round trip costs about 0.1 ms, one page some milliseconds
WALL_FACTOR = 10
START_SECONDS = 60.0
READY = "ready"
_LENGTH = struct.Struct("<Q")
Function = Callable[[Any], Any]


class Limits(NamedTuple):
    """What one item may cost: CPU seconds, and bytes of address space of the whole worker."""

    cpu_seconds: float
    memory_bytes: int


class Outcome(NamedTuple):
    """What became of one item: its `value`, or the `fault` (timeout, memory, crash, error) and what is known of it."""

    value: Any = None
    fault: str | None = None
    error: str | None = None


class Lost(Exception):
    """The worker died; the message is the fault and what is known of it."""


class Worker:
    """One child process and the pipe to it. `function` must be a module's own and return what JSON can say."""

    def __init__(self, function: Function, limits: Limits) -> None:
        self.limits = limits
        name = f"{function.__module__}:{function.__qualname__}"
        command = [sys.executable, "-m", "tasks.killable", name, str(limits.cpu_seconds), str(limits.memory_bytes)]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment)
        assert self.process.stdin
        assert self.process.stdout
        self._in: IO[bytes] = self.process.stdin
        self._out: IO[bytes] = self.process.stdout
        self._ready = selectors.DefaultSelector()
        self._ready.register(self._out, selectors.EVENT_READ)
        try:
            self._receive(START_SECONDS)
        except Lost as lost:  # no item can be blamed for this
            self.close()
            raise WorkerLost(f"the worker of {name} did not start: {lost.args[1]}; its own words stand above") from None

    def send(self, items: Sequence[Any]) -> None:
        """Hand over a batch. The worker reads all of it before it answers, so neither side waits for the other."""
        message = pickle.dumps(items, protocol=pickle.HIGHEST_PROTOCOL)
        try:
            self._in.write(_LENGTH.pack(len(message)) + message)
            self._in.flush()
        except BrokenPipeError as error:
            raise Lost("crash", "the worker ended while it was given work") from error

    def answer(self) -> Outcome:
        """The next answer; Lost when there will be none."""
        return Outcome(*self._receive(self.limits.cpu_seconds * WALL_FACTOR))

    def _receive(self, seconds: float) -> Any:
        deadline = time.monotonic() + seconds
        try:
            (length,) = _LENGTH.unpack(self._read(_LENGTH.size, deadline))
            return orjson.loads(self._read(length, deadline))
        except TimeoutError:
            self.process.kill()
            raise Lost("timeout", f"no answer within {seconds:g} s of wall time") from None

    def _read(self, size: int, deadline: float) -> bytes:
        content = bytearray()
        while len(content) < size:
            if not self._ready.select(max(0.0, deadline - time.monotonic())):
                raise TimeoutError
            chunk = os.read(self._out.fileno(), size - len(content))
            if not chunk:
                raise Lost(*self._cause())
            content += chunk
        return bytes(content)

    def _cause(self) -> tuple[str, str]:
        code = self.process.wait()
        if code == -signal.SIGPROF:
            return "timeout", f"more than {self.limits.cpu_seconds:g} s of CPU time"
        if code == -signal.SIGKILL:
            return "memory", "killed by the kernel, most likely for want of memory"
        name = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        return "crash", f"the worker ended by {name}"

    def close(self) -> None:
        """End the worker; an idle one ends by itself when its input closes."""
        self.process.kill()
        self.process.wait()
        self._ready.close()
        for stream in (self._in, self._out):
            with contextlib.suppress(BrokenPipeError):  # a batch that nobody will read any more
                stream.close()


class Killable:
    """A function that runs in a killable worker, which is kept for the next call and replaced when it dies."""

    def __init__(self, function: Function, limits: Limits) -> None:
        self.function, self.limits = function, limits
        self._worker: Worker | None = None

    def map(self, items: Iterable[Any], size: Callable[[Any], int] = lambda _: 0) -> Iterator[Outcome]:
        """One outcome per item, in order. `size` gives an item's bytes, to keep batches small."""
        for batch in batches(items, size):
            left = batch
            while left:
                done = 0
                for outcome in self._some(left):
                    done += 1
                    yield outcome
                left = left[done:]

    def _some(self, items: Sequence[Any]) -> Iterator[Outcome]:
        """Outcomes of the first items, at least one; ends early when the worker dies."""
        worker = self._worker = self._worker or Worker(self.function, self.limits)
        pending = len(items)
        try:
            worker.send(items)
            while pending:
                outcome = worker.answer()
                pending -= 1
                if outcome.fault == "memory":  # its heap is full of holes: start afresh
                    self.close()
                    yield outcome
                    return
                yield outcome
        except Lost as lost:
            self.close()
            yield Outcome(None, *lost.args)
        except GeneratorExit:
            if pending:  # the caller stopped in the middle of a batch: answers would come out of step
                self.close()
            raise

    def close(self) -> None:
        """End the worker."""
        if self._worker:
            self._worker.close()
            self._worker = None


def batches(items: Iterable[Any], size: Callable[[Any], int]) -> Iterator[list[Any]]:
    """Cut items into lists of at most BATCH_ITEMS items and about BATCH_BYTES bytes."""
    batch: list[Any] = []
    filled = 0
    for item in items:
        batch.append(item)
        filled += size(item)
        if len(batch) >= BATCH_ITEMS or filled >= BATCH_BYTES:
            yield batch
            batch, filled = [], 0
    if batch:
        yield batch


_kept: dict[tuple[Function, Limits], Killable] = {}


def killable(function: Function, limits: Limits) -> Killable:
    """This process's worker for a function: starting one costs about half a second, so it is kept between shards."""
    if not _kept:
        atexit.register(close_workers)
    return _kept.setdefault((function, limits), Killable(function, limits))


def close_workers() -> None:
    """End every worker of this process."""
    for kept in _kept.values():
        kept.close()


# the child's side ---------------------------------------------------------------------------------------------------


def serve(function: Function, limits: Limits, source: IO[bytes], sink: IO[bytes]) -> None:
    """Say that the function is there, then answer batches until the input closes."""
    _write(sink, orjson.dumps(READY))
    while header := source.read(_LENGTH.size):
        items = pickle.loads(source.read(*_LENGTH.unpack(header)))  # from our own parent
        for item in items:
            signal.setitimer(signal.ITIMER_PROF, limits.cpu_seconds)
            answer = _answer(function, item)
            signal.setitimer(signal.ITIMER_PROF, 0)
            _write(sink, answer)


def _write(sink: IO[bytes], answer: bytes) -> None:
    sink.write(_LENGTH.pack(len(answer)) + answer)
    sink.flush()


def _answer(function: Function, item: Any) -> bytes:
    try:
        return orjson.dumps((function(item), None, None))
    except MemoryError:
        return orjson.dumps((None, "memory", "out of memory"))
    except Exception as error:
        text = f"{type(error).__name__}: {error}"[:500].encode(errors="replace").decode()
        return orjson.dumps((None, "error", text))


def main(arguments: Sequence[str]) -> None:
    """`python -m tasks.killable MODULE:NAME CPU_SECONDS MEMORY_BYTES`, spoken to through standard input and output."""
    module, _, name = arguments[0].partition(":")
    limits = Limits(float(arguments[1]), int(arguments[2]))
    sink = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints must not get between the answers
    function = getattr(importlib.import_module(module), name)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (limits.memory_bytes, limits.memory_bytes))
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    with contextlib.suppress(BrokenPipeError):  # the parent is gone
        serve(function, limits, sys.stdin.buffer, sink)


if __name__ == "__main__":
    main(sys.argv[1:])
