"""进度 progress: one JSON object a line on standard output, read by whoever started the program."""

from __future__ import annotations

import json
import sys
from typing import Any


def emit(event: str, **fields: Any) -> None:
    """Write one event and flush it."""
    sys.stdout.write(json.dumps({"event": event, **fields}, ensure_ascii=False) + "\n")
    sys.stdout.flush()


def log(message: str) -> None:
    """Write one line for the log."""
    emit("log", message=message)
