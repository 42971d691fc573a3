"""受监督的子程序 child programs that cannot outlive their flow run.

    ended = supervised.run([sys.executable, "-m", "tasks.crawler", ...], log=folder / "crawl.log", on_event=show)

Between the caller and the program stands a small supervisor (this file as a script) that owns the program's process
group and holds the read end of a lifeline pipe. Whatever ends the caller (cancel, `kill -9`, out of memory) closes the
pipe; the supervisor then sends SIGTERM to the group, so that a trainer saves, waits `grace_seconds`, and
sends SIGKILL. The program writes to a file, never to a pipe: a dead reader would kill it with EPIPE before it saved.

Who starts again at once after `kill -9` finds the old program still saving. It waits for that: supervisor and program
hold a lock beside the log for as long as they live, and a folder never has two programs.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TERMINATED = 143  # exit code of a program that was told to end, as shells count
_TAIL_LINES = 40
_POLL_SECONDS = 0.1

Event = dict[str, Any]


@dataclass(frozen=True)
class Ended:
    """How a program ended: its exit code, the end of its log, and the events of the kinds "error" and "end"."""

    code: int
    tail: str
    last: dict[str, Event]


def run(
    command: Sequence[str],
    *,
    log: Path,
    on_event: Callable[[Event], None] = lambda event: None,
    grace_seconds: float = 30.0,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
) -> Ended:
    """Run a program to its end, in `folder` if one is given, passing on every JSON line that it prints as an event.

    Never raises for the program's own failure: the caller knows what an exit code means. When the caller is
    interrupted, the program is ended before the exception goes on.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    held = _alone(log.with_name(f"{log.name}.lock"), grace_seconds + 30)
    lifeline_read, lifeline_write = os.pipe()
    with log.open("ab", buffering=0) as out:
        start = out.tell()
        supervisor = subprocess.Popen(
            [sys.executable, str(Path(__file__)), str(lifeline_read), str(held), str(grace_seconds), *command],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            pass_fds=(lifeline_read, held),
            start_new_session=True,
            env=dict(os.environ, **(environment or {})),
            cwd=folder,
        )
    os.close(lifeline_read)
    os.close(held)  # the supervisor's copy keeps the lock
    tail: deque[str] = deque(maxlen=_TAIL_LINES)
    last: dict[str, Event] = {}
    try:
        for line in _follow(log, start, supervisor):
            event = _event(line)
            if event is None:
                tail.append(line)
                continue
            if event["event"] in ("error", "end"):
                last[event["event"]] = event
            on_event(event)
    finally:
        os.close(lifeline_write)
        with contextlib.suppress(subprocess.TimeoutExpired):
            supervisor.wait(grace_seconds + 5)
        if supervisor.poll() is None:
            supervisor.kill()
            supervisor.wait()
    return Ended(supervisor.returncode, "\n".join(tail), last)


def _alone(lock: Path, seconds: float) -> int:
    """Hold a lock that ends with supervisor and program; waits for those of a run that was killed."""
    from data_contracts.errors import ProgramFailed  # not at the top: the supervisor runs this file as a script

    handle = os.open(lock, os.O_RDWR | os.O_CREAT, 0o644)
    deadline = time.monotonic() + seconds
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return handle
        except BlockingIOError:
            if time.monotonic() > deadline:
                os.close(handle)
                raise ProgramFailed(
                    f"the program of an earlier run still works in {lock.parent}, {seconds:.0f} s after its run ended; "
                    f"end it (`fuser {lock}` names it) and run again"
                ) from None
            time.sleep(_POLL_SECONDS)


def _follow(log: Path, start: int, process: subprocess.Popen[bytes]) -> Any:
    """Lines that are appended to a file while a process lives, and those it leaves behind."""
    rest = b""
    with log.open("rb") as file:
        file.seek(start)
        while True:
            ended = process.poll() is not None
            chunk = file.read()
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                yield line.decode("utf-8", "replace")
            if ended and not chunk:
                break
            if not chunk:
                time.sleep(_POLL_SECONDS)
    if rest:
        yield rest.decode("utf-8", "replace")


def _event(line: str) -> Event | None:
    if not line.startswith("{"):
        return None
    try:
        value = json.loads(line)
    except ValueError:
        return None
    return value if isinstance(value, dict) and isinstance(value.get("event"), str) else None


def supervise(lifeline: int, held: int, grace_seconds: float, command: Sequence[str]) -> int:
    """The supervisor's own loop: wait for the program's end, for the lifeline's end, or for a signal."""
    asked: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda received, frame: asked.append(received))
    program = subprocess.Popen(command, start_new_session=True, pass_fds=(held,))
    while program.poll() is None:
        ready: list[int] = []
        with contextlib.suppress(InterruptedError):
            ready, _, _ = select.select([lifeline], [], [], _POLL_SECONDS)
        if asked or (ready and not os.read(lifeline, 1)):
            _signal_group(program.pid, signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                program.wait(grace_seconds)
            _signal_group(program.pid, signal.SIGKILL)
            program.wait()
            return TERMINATED
    _signal_group(program.pid, signal.SIGKILL)  # grandchildren that the program forgot
    return program.returncode if program.returncode >= 0 else 128 - program.returncode


def _signal_group(group: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, number)


if __name__ == "__main__":
    sys.exit(supervise(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]), sys.argv[4:]))
