"""界面上的进度 a stage's progress in the Prefect UI: one progress artifact a stage, moved a few times a minute."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from typing import cast
from uuid import UUID

from tasks import progress

SECONDS_BETWEEN_UPDATES = 5.0


@contextlib.contextmanager
def shown(stage: str, title: str) -> Iterator[None]:
    """Show the steps of a stage while its task runs. Short stages never make an artifact."""
    from prefect.artifacts import create_progress_artifact, update_progress_artifact

    artifact: UUID | None = None
    last, note = time.monotonic(), ""

    def show(step: progress.Step) -> None:
        nonlocal artifact, last, note
        if step.stage == stage:
            note = step.note or note  # the last step says only that it is the last
        clock = time.monotonic()
        if step.stage != stage or not step.total or (clock - last < SECONDS_BETWEEN_UPDATES and not step.finished):
            return
        last = clock
        share = min(100.0, 100.0 * step.done / step.total)
        if artifact is not None:
            update_progress_artifact(artifact, progress=share, description=f"{title} {note}")
        elif not step.finished:
            artifact = cast(
                UUID,
                create_progress_artifact(
                    progress=share, key=f"{stage.replace('_', '-')}-progress", description=f"{title} {note}"
                ),
            )

    stop = progress.listen(show)
    try:
        yield
    finally:
        stop()
