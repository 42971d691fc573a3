"""A child program lives exactly as long as its caller, and says how it ended."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from data_contracts.errors import ProgramFailed
from tasks import supervised

# Prints its pid and a grandchild's, then waits; on SIGTERM it writes a "checkpoint", as the trainer does.
PROGRAM = """
import json, os, signal, subprocess, sys, time
folder = sys.argv[1]
def save(number, frame):
    open(os.path.join(folder, "checkpoint"), "w").write("saved")
    sys.exit(0)
signal.signal(signal.SIGTERM, save)
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)"])
print(json.dumps({"event": "pids", "pids": [os.getpid(), child.pid]}), flush=True)
time.sleep(300)
"""


def wait_until(condition, seconds=15.0):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.05)
    return False


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split(") ")[1][0] != "Z"
    except FileNotFoundError:
        return False


def test_events_tail_and_exit_code(tmp_path):
    code = 'import sys; print("plain 行"); print(\'{"event": "progress", "done": 3}\'); print(\'{"event": "end", "n": 1}\'); sys.exit(7)'
    events: list[dict] = []
    ended = supervised.run([sys.executable, "-c", code], log=tmp_path / "log", on_event=events.append)
    assert ended.code == 7
    assert ended.tail == "plain 行"
    assert [e["event"] for e in events] == ["progress", "end"]
    assert ended.last["end"]["n"] == 1


def test_a_program_runs_in_the_folder_that_is_named(tmp_path):
    code = "import os; print(os.getcwd())"
    ended = supervised.run([sys.executable, "-c", code], log=tmp_path / "log", folder=tmp_path)
    assert Path(ended.tail) == tmp_path.resolve()


def test_a_line_that_only_looks_like_json_is_log(tmp_path):
    ended = supervised.run([sys.executable, "-c", 'print("{not json"); print("{}")'], log=tmp_path / "log")
    assert ended.tail == "{not json\n{}"
    assert ended.code == 0


def test_killed_by_a_signal_counts_as_shells_do(tmp_path):
    code = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
    assert supervised.run([sys.executable, "-c", code], log=tmp_path / "log").code == 137


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM])
def test_the_callers_death_ends_program_and_grandchild_after_the_checkpoint(tmp_path, end):
    caller = (
        "import sys, json; from tasks import supervised; from pathlib import Path\n"
        f"supervised.run([sys.executable, '-c', {PROGRAM!r}, {str(tmp_path)!r}], log=Path({str(tmp_path)!r}) / 'log',"
        f" on_event=lambda e: Path({str(tmp_path)!r}, 'pids').write_text(json.dumps(e['pids'])))"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", caller], env=dict(os.environ, PYTHONPATH=os.pathsep.join(sys.path))
    )
    assert wait_until(lambda: (tmp_path / "pids").exists() and (tmp_path / "pids").read_text().endswith("]"))
    pids = eval((tmp_path / "pids").read_text())
    assert all(alive(p) for p in pids)
    os.kill(process.pid, end)
    process.wait(10)
    assert wait_until(lambda: not any(alive(p) for p in pids))
    assert (tmp_path / "checkpoint").read_text() == "saved"


def test_a_run_that_starts_again_at_once_waits_until_the_old_program_has_saved(tmp_path):
    """The old program writes 0.5 s after its run was killed; the new one must see that, and only its own events."""
    slow = (
        "import pathlib, signal, sys, time\n"
        "def save(number, frame):\n"
        '    time.sleep(0.5); pathlib.Path(sys.argv[1], \'saved\').touch(); print(\'{"event": "end", "old": 1}\', flush=True)\n'
        "    sys.exit(0)\n"
        "signal.signal(signal.SIGTERM, save)\n"
        "pathlib.Path(sys.argv[1], 'up').touch(); time.sleep(300)\n"
    )
    caller = (
        "import sys; from tasks import supervised; from pathlib import Path\n"
        f"supervised.run([sys.executable, '-c', {slow!r}, {str(tmp_path)!r}], log=Path({str(tmp_path)!r}) / 'log')"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", caller], env=dict(os.environ, PYTHONPATH=os.pathsep.join(sys.path))
    )
    assert wait_until((tmp_path / "up").exists)
    process.kill()
    process.wait(10)
    code = "import json, pathlib, sys; print(json.dumps({'event': 'end', 'seen': pathlib.Path(sys.argv[1], 'saved').exists()}))"
    ended = supervised.run([sys.executable, "-c", code, str(tmp_path)], log=tmp_path / "log")
    assert (ended.code, ended.last) == (0, {"end": {"event": "end", "seen": True}})


def test_a_folder_that_stays_taken_is_said(tmp_path):
    with (tmp_path / "log.lock").open("wb") as stranger:
        fcntl.flock(stranger, fcntl.LOCK_EX)
        with pytest.raises(ProgramFailed, match=r"still works in .*; end it"):
            supervised.run([sys.executable, "-c", ""], log=tmp_path / "log", grace_seconds=-29.8)
