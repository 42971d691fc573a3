"""Invented answers of invented models to the same documents, pairs and questions."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import polars as pl

from tasks.entrants import Entrant

SOURCES = ("laws_cn", "novels", "poetry", "wiki_paragraphs")
PHENOMENA = ("量词", "语序", "否定极项")


def documents(
    better: float = 0.0, count: int = 240, start: int = 0, noise: float = 0.15, seed: int = 7
) -> pl.DataFrame:
    """Held-out documents of four sources; a model that is `better` pays so many bits a character less for each."""
    hard = np.random.default_rng(2)
    dice = np.random.default_rng(seed)
    numbers = np.arange(start, start + count)
    chars = hard.integers(80, 3000, 10_000)[numbers]
    bits = (hard.uniform(4.2, 8.8, 10_000)[numbers] - better + dice.normal(0, noise, count)) * chars
    return pl.DataFrame(
        {
            "source": [SOURCES[i % len(SOURCES)] for i in numbers],
            "bits": bits,
            "chars": chars,
            "digest": [f"{i:016x}" for i in numbers],
        }
    )


def outcomes(skill: float, pairs: int = 300, questions: int = 500, start: int = 0, seed: int = 7) -> pl.DataFrame:
    """Pairs of three phenomena and questions with four choices, answered rightly about as often as `skill` says."""
    easy, dice = np.random.default_rng(3), np.random.default_rng(seed)
    rows: list[dict[str, Any]] = []
    for part, name, count, chance in (("minimal_pairs", "zhoblimp", pairs, 0.5), ("questions", "c3", questions, 0.25)):
        luck = 0.7 * easy.uniform(size=count) + 0.3 * dice.uniform(size=count)
        right = luck < np.quantile(luck, min(1.0, chance + skill))
        rows += [
            {"part": part, "set": name, "group": PHENOMENA[i % 3] if part == "minimal_pairs" else "", "right": bool(r), "digest": f"{part}{i + start}"}
            for i, r in enumerate(right)
        ]  # fmt: skip
    return pl.DataFrame(rows)


def entrant(label: str, better: float = 0.0, skill: float = 0.1, seed: int = 7, **given: Any) -> Entrant:
    """A model; `given` replaces what it was asked."""
    dice = np.random.default_rng(seed)
    steps = np.arange(4, 241, 4)
    loss = 5.2 - better + 6 * np.exp(-steps / 40) + dice.normal(0, 0.08, len(steps))
    curve = [(2048.0 * s, 0.21 * s * (1 + better), float(value)) for s, value in zip(steps.tolist(), loss, strict=True)]
    held = [(t, s, value + 0.1) for t, s, value in curve[9::10]]
    told: dict[str, Any] = {
        "documents": documents(better, seed=seed),
        "outcomes": outcomes(skill, seed=seed),
        "scores": {
            "questions": {"c3": {"chance": 0.25}},
            "generated": {"model": {"distinct_2": 0.5 + better / 2, "repeated_4": 0.08, "self_bleu": 0.1, "verbatim": {"share": 0.12, "at_least": 30}}},
            "remembered": {"share": 0.06, "at_least": 30},
        },
        "measures": {
            "parameters": 5_310_720, "tokens": 491_520, "tokens_per_second": 9120.5,
            "speed": {"device": "cpu", "threads": 2, "read_tokens_per_second": 9120.5 * (1 + better), "written_tokens_per_second": 1210.0, "peak_memory_bytes": 812_000_000},
        },
        "curves": {"train": curve, "validation": held},
        "unit": "bits_per_char",
        "corpus": f"segment/{math.floor(1e9 * better):08x}00000000",
    }  # fmt: skip
    return Entrant(label=label, model=f"pretrain/{seed:016x}", **(told | given))
