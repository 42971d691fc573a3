"""求证 proof: `ziliu compare CONFIG_A CONFIG_B`, which of two corpora trains the better model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pydantic import ValidationError
from rich.table import Table
from rich.text import Text

from data_contracts.comparison import ComparisonConfig
from data_contracts.config import EverythingConfig
from data_contracts.config_file import load
from data_contracts.errors import ConfigError
from deployments.outcome import explained
from deployments.running import run_part
from deployments.wording import language
from tasks.compare import read
from tasks.proof import noise, sentences
from tasks.store import Store


def compare(first: Path, second: Path, overrides: Sequence[str], seeds: int, duration: str, held_out: str) -> int:
    """Run the comparison of two config files, `overrides` in both; returns the exit code."""
    with explained() as outcome:
        a, b = load(first, overrides), load(second, overrides)
        run_part("comparison", asked(a, b, seeds, duration, held_out))
    return outcome.code


def asked(
    a: EverythingConfig, b: EverythingConfig, seeds: int = 1, duration: str = "", held_out: str = ""
) -> ComparisonConfig:
    """The comparison of two configs. ConfigError that shows what else differs, or what is wrong with the duration."""
    try:
        return ComparisonConfig.model_validate(
            {
                "name": f"{a.name[:30]}-or-{b.name[:28]}",
                "store": a.store,
                "workers": a.workers,
                "a": a,
                "b": b,
                "seeds": seeds,
                "duration": duration or None,
                "held_out": held_out,
            }
        )
    except ValidationError as error:
        told = [fault["msg"].removeprefix("Value error, ") for fault in error.errors()]
        raise ConfigError("什么都没有启动 nothing was started: " + "\n  ".join(told)) from None


def verdict(store: Store, made: str) -> Table:
    """Which corpus is better, in the reader's language, and what the interval holds."""
    found = read(store, store.manifest(made).handle)
    table = Table(box=None, show_header=False, pad_edge=False)
    zh, en = sentences(found.proof)
    for line in (zh, en) if language() == "zh" else (en,):
        table.add_row(Text(line, "bold"))
    for line in (noise(found.proof), *found.notes):
        table.add_row(Text(line, "dim"))
    return table
