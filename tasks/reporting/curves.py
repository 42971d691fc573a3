"""曲线与分数 a training run's tables and an assessment's JSON, read as far as they are there."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path
from typing import Any

from tasks.reporting.facts import Generated, Pairs, Scores, Training

POINTS = 400  # of a curve: more than a picture has columns


def training(folder: Path, figures: dict[str, Any]) -> Training | None:
    """The curves in a run's folder (metrics.csv, validation.csv, speed.csv); None when it has none."""
    steps = table(folder / "metrics.csv")
    if not steps:
        return None
    return Training(
        run=folder.name,
        steps=tuple(thinned(steps)),
        validation=tuple(thinned(table(folder / "validation.csv"))),
        speed=tuple(thinned(table(folder / "speed.csv"))),
        figures=figures,
    )


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
    return [
        {key: _mean([row[key] for row in part if key in row]) for key in part[-1]} | {"step": part[-1]["step"]}
        for part in stretches
    ]


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object, or an empty one where there is none."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def scores(raw: dict[str, Any]) -> Scores:
    """An assessment's JSON; parts that are missing stay empty."""
    pairs = raw.get("minimal_pairs") or {}
    by_name = pairs.get("phenomena", pairs) if isinstance(pairs, dict) else {}
    return Scores(
        bits_per_char=_of(raw.get("bits_per_char")),
        baselines={name: value for name, v in (raw.get("baselines") or {}).items() if (value := _of(v)) is not None},
        pairs=tuple(
            _pairs(name, found) for name, found in by_name.items() if isinstance(found, dict) and "pairs" in found
        ),
        samples=tuple(
            Generated(prompt=str(s.get("prompt", "")), text=str(s.get("text", ""))) for s in raw.get("samples") or []
        ),
    )


def _of(value: Any) -> float | None:
    """A number, or the `bits_per_char` inside an object."""
    inner = value.get("bits_per_char") if isinstance(value, dict) else value
    return float(inner) if isinstance(inner, int | float) and math.isfinite(inner) else None


def _pairs(name: str, found: dict[str, Any]) -> Pairs:
    count, accuracy = int(found["pairs"]), float(found.get("accuracy", 0.0))
    low, high = wilson(round(accuracy * count), count)
    return Pairs(
        phenomenon=name,
        pairs=count,
        accuracy=accuracy,
        low=float(found.get("low", low)),
        high=float(found.get("high", high)),
    )


def wilson(good: int, total: int, z: float = 1.96) -> tuple[float, float]:
    """Wilson's 95 % interval of a share (Wilson 1927); (0, 1) without any trial."""
    if total == 0:
        return 0.0, 1.0
    share = good / total
    centre = (share + z * z / (2 * total)) / (1 + z * z / total)
    half = z * math.sqrt(share * (1 - share) / total + z * z / (4 * total * total)) / (1 + z * z / total)
    return max(0.0, centre - half), min(1.0, centre + half)
