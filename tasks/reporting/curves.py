"""曲线与分数 a training run's tables and an assessment's JSON, read as far as they are there."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path
from typing import Any

from tasks.reporting.facts import Generated, Pairs, Scores, Training

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
        figures={**means, **figures},
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


def scores(raw: dict[str, Any]) -> Scores:
    """An assessment's JSON; parts that are missing or null stay empty."""
    found = raw.get("minimal_pairs") or {}
    named = {"全部 all": found, **(found.get("by_phenomenon") or {})}
    samples = [(str(s.get("prompt", "")), str(s.get("text", ""))) for s in raw.get("samples") or []]
    return Scores(
        bits_per_char=_bits(raw.get("bits_per_char")),
        baselines={name: bits for name, v in (raw.get("baselines") or {}).items() if (bits := _bits(v)) is not None},
        pairs=tuple(_pairs(name, one) for name, one in named.items() if one.get("pairs")),
        samples=tuple(Generated(prompt=prompt, text=text.removeprefix(prompt)) for prompt, text in samples),
        parameters=(raw.get("model") or {}).get("parameters"),
    )


def _bits(value: Any) -> float | None:
    """Bits per character: a number, or inside an object."""
    inner = value.get("bits_per_char") if isinstance(value, dict) else value
    return float(inner) if isinstance(inner, int | float) and math.isfinite(inner) else None


def _pairs(name: str, found: dict[str, Any]) -> Pairs:
    count, accuracy = int(found["pairs"]), float(found["accuracy"])
    low, high = found.get("interval") or (found.get("low"), found.get("high"))
    if low is None or high is None:
        low, high = wilson(round(accuracy * count), count)
    return Pairs(phenomenon=name, pairs=count, accuracy=accuracy, low=low, high=high)


def wilson(good: int, total: int, z: float = 1.96) -> tuple[float, float]:
    """Wilson's 95 % interval of a share (Wilson 1927); (0, 1) without any trial."""
    if total == 0:
        return 0.0, 1.0
    share = good / total
    centre = (share + z * z / (2 * total)) / (1 + z * z / total)
    half = z * math.sqrt(share * (1 - share) / total + z * z / (4 * total * total)) / (1 + z * z / total)
    return max(0.0, centre - half), min(1.0, centre + half)
