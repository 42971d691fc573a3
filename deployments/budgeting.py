"""预算 on the terminal: `ziliu pretrain CONFIG --budget 60m` proposes what to train in a time, and says what to expect.

    1  a small network is trained for a sixteenth of the time: how far this text lies from the curve
    2  the network that seems best is timed for a sixtieth; again, until the best one is one that was timed

These runs are ordinary ones of the pretrain stage, so they are found again. Needs no Prefect server.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from rich.table import Table

from data_contracts.budget import as_written, chosen, for_minutes, minutes_of, refuse_unfit
from data_contracts.config import EverythingConfig, PretrainingConfig
from data_contracts.config_file import load
from data_contracts.dataset import Dataset
from data_contracts.errors import ConfigError
from data_contracts.network import NetworkConfig, parameters
from data_contracts.scaling import CALIBRATED_TOKENS, FITTED_PARAMETERS, FITTED_TOKENS, REFERENCE, ladder
from data_contracts.training import PretrainConfig
from data_contracts.units import human
from deployments.display import bars, screen
from deployments.outcome import explained
from deployments.wording import both
from tasks import preflight
from tasks.pretrain import pretrain
from tasks.reporting.budget_page import COLUMNS, budget_page, rows_of
from tasks.store import Store, find_input
from tasks.transforms.scaling import Candidate, best, candidates

CALIBRATION, TIMING = 1 / 16, 1 / 60  # of the time
MOST_TIMED = 6  # networks; the search ends earlier, as soon as the best one is timed


def propose(path: Path, overrides: Sequence[str], budget: str, accept: bool) -> int:
    """Print a `pretrain` section for a time, write STORE/runs/budget-VERSION/budget.html; `accept` trains it at once.

    Returns the exit code.
    """
    with explained() as outcome:
        cfg, minutes = load(path, overrides), minutes_of(budget)
        refuse_unfit(cfg.pretrain)
        part = cfg.part(PretrainingConfig)
        preflight.check(part)
        with bars():
            told = _Proxies(part).asked(minutes)
        _show(told, cfg)
        wanted: PretrainConfig = told["proposed"]
        if accept:
            from deployments.running import run

            run("pretraining", cfg.model_copy(update={"pretrain": wanted}))
    return outcome.code


class _Proxies:
    """Small runs on the blocks of a config."""

    def __init__(self, cfg: PretrainingConfig) -> None:
        self.cfg = cfg
        self.store = Store(cfg.store).open()
        self.blocks = [find_input(name, "blocks", cfg.place) for name in (cfg.blocks, *cfg.pretrain.other_blocks)]
        measures = self.store.manifest(self.blocks[0]).measures
        self.vocab_size, self.block_tokens = int(measures["vocab_size"]), int(measures["block_tokens"])
        self.train_tokens = int(measures["train_tokens"])

    def asked(self, minutes: float) -> dict[str, Any]:
        """What to train in so many minutes, from what was measured on the way."""
        small = ladder()[1]
        figures = self.trained(small, minutes * CALIBRATION)
        tokens, reached = float(figures["tokens"]), figures["validation_bits_per_char"]
        if not reached:
            raise ConfigError("--budget: these blocks have no validation split; raise encode.validation_ratio")
        expected = REFERENCE.bits_per_char(parameters(small, self.vocab_size, self.block_tokens), tokens)
        counts = tokens >= CALIBRATED_TOKENS
        factor = reached / expected if counts else 1.0
        curve, speeds = REFERENCE.times(factor), {small: float(figures["tokens_per_second"])}
        for _ in range(MOST_TIMED):
            found = candidates(curve, speeds, minutes * 60, self.vocab_size, self.block_tokens, self.train_tokens)
            first = best(found)
            if first.measured:
                break
            speeds[first.network] = float(self.trained(first.network, minutes * TIMING)["tokens_per_second"])
        validated = int(self.store.manifest(self.blocks[0]).measures["validation_tokens"])
        proposed = chosen(self.cfg.pretrain, first.network, first.tokens, self.block_tokens, validated)
        return {
            "blocks": self.blocks[0], "minutes": minutes, "candidates": found, "best": first, "proposed": proposed,
            "factor": factor, "outside": _outside(first),
            "calibration": {"tokens": tokens, "bits_per_char": reached, "expected": expected, "counts": counts},
        }  # fmt: skip

    def trained(self, network: NetworkConfig, minutes: float) -> dict[str, Any]:
        """The figures of a run that measures; found again when it ran before."""
        settings = chosen(self.cfg.pretrain, network, FITTED_TOKENS[0], self.block_tokens)
        settings = for_minutes(settings, max(0.25, minutes))
        made, _ = pretrain.run(self.blocks, settings, self.cfg.place)
        figures = self.store.manifest(made).measures
        return {**figures, "tokens": int(figures["step"]) * settings.tokens_per_step}


def _outside(one: Candidate) -> bool:
    """Whether the curve is an extrapolation for it."""
    (least, most), (fewest, all_of) = FITTED_PARAMETERS, FITTED_TOKENS
    return not (least / 2 <= one.parameters <= most * 2 and fewest / 2 <= one.tokens <= all_of * 2)


def _show(told: dict[str, Any], cfg: EverythingConfig) -> None:
    table = Table(box=None, header_style="bold", pad_edge=False)
    for zh, en in COLUMNS:
        table.add_column(both(zh, en), justify="right")
    for row in rows_of(told):
        table.add_row(*row)
    screen.print(table)
    one: Candidate = told["best"]
    screen.print(
        both(
            f"建议: {human(one.parameters)} 参数, {human(one.tokens)} 词元, 预计每字 {one.bits_per_char:.2f} 比特",
            f"proposed: {human(one.parameters)} parameters, {human(one.tokens)} tokens, about "
            f"{one.bits_per_char:.2f} bits per character expected",
        )
    )
    if not told["calibration"]["counts"]:
        screen.print(
            both(
                "时间太短, 没有看出这些文本离参考语料多远; 预计是参考语料的",
                "too short to tell how far this text lies from the reference text; expected is that of the latter",
            )
        )
    if told["outside"]:
        screen.print(
            both("远在拟合范围之外, 预计只是外推", "far outside the fitted runs: the expectation is an extrapolation")
        )
    section = yaml.safe_dump({"pretrain": as_written(told["proposed"])}, sort_keys=False, allow_unicode=True)
    screen.print(f"\n{section}", soft_wrap=True, markup=False)
    blocks: Dataset = told["blocks"]
    store = Store(cfg.store)
    name = f"runs/budget-{blocks.version}/budget-{told['minutes']:g}m.html"
    store.folder.replace(name, budget_page(told, cfg.name, section).encode())
    screen.print(f"{both('网页', 'page')}: {store.folder.path(name)}", soft_wrap=True)
