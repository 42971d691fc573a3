"""事件 events: what the program tells its caller, one JSON object per line on standard output, rank 0 only."""

from __future__ import annotations

import json
import math
import os
import sys
import time
from typing import Any

SECONDS_BETWEEN = 0.5
_last_progress = [-SECONDS_BETWEEN]


def emit(event: str, **fields: Any) -> None:
    """Write one event. NaN and infinity become null, because JSON has neither."""
    if os.environ.get("RANK", "0") != "0":
        return
    record = {"event": event, **{name: _plain(value) for name, value in fields.items()}}
    sys.stdout.write(json.dumps(record, ensure_ascii=False, allow_nan=False) + "\n")
    sys.stdout.flush()


def progress(done: int, total: int, **fields: Any) -> None:
    """A progress event, at most two a second, and the last one always."""
    now = time.monotonic()
    if done >= total or now - _last_progress[0] >= SECONDS_BETWEEN:
        _last_progress[0] = now
        emit("progress", done=done, total=total, **fields)


def _plain(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    return value
