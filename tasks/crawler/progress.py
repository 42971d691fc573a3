"""进度 progress: one JSON object a line on standard output, read by whoever started the program."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any


def emit(event: str, **fields: Any) -> None:
    """Write one event and flush it."""
    sys.stdout.write(json.dumps({"event": event, **fields}, ensure_ascii=False) + "\n")
    sys.stdout.flush()


def log(message: str) -> None:
    """Write one line for the log."""
    emit("log", message=message)


def peak_resident_mb() -> int:
    """The most memory this program has held, MB. Not getrusage's: a child starts there with its parent's peak."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.split("VmHWM:")[1].split()[0]) // 1024
