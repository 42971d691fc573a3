"""指标文件 metrics: CSV files with one clean row per step, whatever the run went through.

    metrics.csv      step,loss,bits_per_char,learning_rate,gradient_norm,tokens     every step
    validation.csv   step,loss,bits_per_char,tokens                                 every validation
    validation_sets.csv  step,set,loss,bits_per_char,tokens                         every validation in named sets
    speed.csv        step,tokens_per_second,peak_share                              every report

Numbers have 17 significant digits, which is enough to tell any two doubles apart. A run that resumes at step s first
drops the rows after s, so the curve is one sequence without gaps or repetitions.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from lightning_modules.checkpointing import write_durably

METRICS = ("step", "loss", "bits_per_char", "learning_rate", "gradient_norm", "tokens")
VALIDATION = ("step", "loss", "bits_per_char", "tokens")
VALIDATION_SETS = ("step", "set", "loss", "bits_per_char", "tokens")
SPEED = ("step", "tokens_per_second", "peak_share")


def digits(value: float | int | str | None) -> str:
    """17 significant digits; empty for None; a name as it is."""
    return "" if value is None else f"{value:.17g}" if isinstance(value, float) else str(value)


class StepTable:
    """A CSV file whose first column is the step."""

    def __init__(self, path: Path, columns: Sequence[str]) -> None:
        self.path, self.columns = path, columns
        self._waiting: list[str] = []

    def resume_at(self, step: int) -> None:
        """Drop the rows after `step`, and a torn last line; make the file when there is none."""
        lines = self.path.read_text(encoding="utf-8").splitlines(keepends=True) if self.path.exists() else []
        rows = [line for line in lines[1:] if line.endswith("\n") and int(line.split(",", 1)[0]) <= step]
        write_durably(self.path, "".join([",".join(self.columns) + "\n", *rows]))

    def add(self, *values: float | int | str | None) -> None:
        """Remember a row until the next `flush`."""
        self._waiting.append(",".join(digits(v) for v in values) + "\n")

    def flush(self, durably: bool = False) -> None:
        """Append what waits; `durably` also waits for the disk, as before a checkpoint."""
        with self.path.open("a", encoding="utf-8") as file:
            file.writelines(self._waiting)
            file.flush()
            if durably:
                os.fsync(file.fileno())
        self._waiting.clear()

    def column(self, name: str) -> list[float]:
        """Every number of a column, first row first."""
        place = self.columns.index(name)
        lines = self.path.read_text(encoding="utf-8").splitlines()[1:] if self.path.exists() else []
        return [float(value) for line in lines if (value := line.split(",")[place])]

    def last(self) -> dict[str, float]:
        """The last row as numbers; empty without one."""
        rows = self.rows()
        return rows[-1] if rows else {}

    def at(self, step: int) -> dict[str, float]:
        """The row of a step as numbers; empty without one."""
        return next((row for row in reversed(self.rows()) if row["step"] == step), {})

    def rows(self) -> list[dict[str, float]]:
        """Every row as numbers, first row first, without what is empty."""
        lines = self.path.read_text(encoding="utf-8").splitlines()[1:] if self.path.exists() else []
        pairs = (zip(self.columns, line.split(","), strict=True) for line in lines)
        return [{name: float(value) for name, value in row if value} for row in pairs]


def losses_in(validation: StepTable) -> dict[int, float]:
    """Loss of the validation split by step, of validation.csv."""
    return {int(row["step"]): row["loss"] for row in validation.rows()}
