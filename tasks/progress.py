"""进度 progress: stages say how far they are; whoever runs them shows it (a bar, a Prefect artifact, nothing)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Step:
    """A stage's progress. `total` is 0 while unknown; `note` is a short text for the line's end."""

    stage: str
    done: float
    total: float
    note: str = ""
    finished: bool = False


_listeners: list[Callable[[Step], None]] = []


def listen(listener: Callable[[Step], None]) -> Callable[[], None]:
    """Call `listener` on every step until the returned function is called."""
    _listeners.append(listener)
    return lambda: _listeners.remove(listener)


def report(step: Step) -> None:
    """Tell every listener."""
    for listener in tuple(_listeners):
        listener(step)
