"""曲线 a training run's tables, read as far as they are there."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path
from typing import Any

import numpy as np

from tasks.reporting.facts import Training

SPEEDS = ("tokens_per_second", "peak_share")  # columns of speed.csv that have a mean
POINTS = 400  # of a curve: more than a picture has columns


def training(folder: Path, figures: dict[str, Any]) -> Training | None:
    """The curves in a run's folder (metrics.csv, validation.csv, speed.csv); None when it has none."""
    steps = table(folder / "metrics.csv")
    if not steps:
        return None
    speed = table(folder / "speed.csv")
    means = {name: _mean(found) for name in SPEEDS if (found := [row[name] for row in speed if name in row])}
    return Training(
        run=folder.name,
        steps=tuple(thinned(steps)),
        validation=tuple(thinned(table(folder / "validation.csv"))),
        speed=tuple(thinned(speed)),
        schedule=tuple(table(folder / "schedule.csv")),
        sets=tuple(last_of_sets(folder / "validation_sets.csv")),
        skipped=tuple(_skipped(folder / "skipped_documents.csv")),
        figures={**means, **figures},
    )


def _skipped(path: Path) -> list[tuple[str, str, str, str]]:
    """Documents of the steps that did not move the weights."""
    if not path.is_file():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        return [(row["step"], row["doc_id"], row["source"], row["url"]) for row in csv.DictReader(file)]


Points = list[tuple[float, float, float]]  # tokens seen, seconds of training, loss


def learning(folder: Path) -> tuple[dict[str, Points], str]:
    """Curves of a run against what it cost: `train` and `validation` by tokens and seconds, and the unit of the loss.

    The unit is bits per character where the run knows them, which compares across vocabularies, else nats per token.
    Tokens are those that a loss was counted of; seconds leave validations and checkpoints out. Empty without a run.
    """
    steps = table(folder / "metrics.csv")
    if not steps:
        return {}, ""
    at, ends = [row["step"] for row in steps], np.cumsum([row.get("tokens", 0.0) for row in steps])
    marks, seconds = [0.0], [0.0]
    for row in table(folder / "speed.csv"):
        if row.get("tokens_per_second"):
            made = float(np.interp(row["step"], at, ends)) - float(np.interp(marks[-1], [0.0, *at], [0.0, *ends]))
            seconds.append(seconds[-1] + made / row["tokens_per_second"])
            marks.append(row["step"])
    unit = "bits_per_char" if all("bits_per_char" in row for row in steps) else "loss"

    def points(rows: list[dict[str, float]]) -> Points:
        told = [{**row, "seen": float(np.interp(row["step"], at, ends))} for row in rows if unit in row]
        told = [{**row, "seconds": float(np.interp(row["step"], marks, seconds))} for row in told]
        return [(row["seen"], row["seconds"], row[unit]) for row in thinned(told)]

    return {"train": points(steps), "validation": points(table(folder / "validation.csv"))}, unit


def table(path: Path) -> list[dict[str, float]]:
    """Rows of a CSV of numbers; empty fields, broken rows and numbers that are not finite are left out."""
    if not path.is_file():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        rows = [
            {k: v for k, v in ((k, _number(v)) for k, v in row.items()) if v is not None}
            for row in csv.DictReader(file)
        ]
    return [row for row in rows if "step" in row and len(row) > 1]


def last_of_sets(path: Path) -> list[tuple[str, float, float | None]]:
    """Name, loss and bits per character of every held-out set at the last validation."""
    if not path.is_file():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if _number(row["loss"]) is not None]
    return [(r["set"], float(r["loss"]), _number(r["bits_per_char"])) for r in rows if r["step"] == rows[-1]["step"]]


def _number(text: str | list[str] | None) -> float | None:
    try:
        value = float(str(text))
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def thinned(rows: list[dict[str, float]]) -> list[dict[str, float]]:
    """At most POINTS rows: the mean of each stretch, at the stretch's last step."""
    if len(rows) <= POINTS:
        return rows
    size = math.ceil(len(rows) / POINTS)
    stretches = [rows[i : i + size] for i in range(0, len(rows), size)]
    return [_meant(part) for part in stretches]


def _meant(rows: list[dict[str, float]]) -> dict[str, float]:
    keys = dict.fromkeys(key for row in rows for key in row)
    return {key: _mean([row[key] for row in rows if key in row]) for key in keys} | {"step": rows[-1]["step"]}


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object, or an empty one where there is none."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
