"""学习率测试 find rate: BLOCKS -> a learning rate for a run, by a range test. No stage: nothing is made of it.

It lies in STORE/runs/rates-<digest of blocks and config>/: run.yaml, learning_rates.csv, .json and .svg, rates.log.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from data_contracts.config import Place
from data_contracts.dataset import Dataset, digest_of
from data_contracts.training import PretrainConfig
from tasks import progress, supervised
from tasks.pretrain import pretrain
from tasks.reporting.chart import chinese, svg_file
from tasks.reporting.curves import table
from tasks.reporting.pictures import rates
from tasks.run_folder import prepared
from tasks.store import Store
from tasks.trainer import failure

ALONE = {"devices": 1, "nodes": 1, "tensor_parallel": None, "strategy": "auto"}  # the same steps, in one process


class Rates(NamedTuple):
    """What a range test found, and where its picture is."""

    figures: dict[str, Any]  # suggested, highest, configured, steps
    picture: Path


def find_rate(blocks: list[Dataset], cfg: PretrainConfig, place: Place, steps: int) -> Rates:
    """Test the learning rates of a run in a process of its own.

    Raises:
        ConfigError: the run file is refused. TrainingError: the program failed.
    """
    store = Store(place.store).open()
    (_, looked), _ = pretrain.look([blocks, cfg.model_copy(update=ALONE)])
    asked = [[d.name for d in blocks], looked.model_dump(mode="json"), steps]
    folder = store.run_folder(f"rates-{digest_of(asked)[:16]}")
    made = prepared(store, folder, blocks, looked)
    run = folder / "run.yaml"
    run.write_text(yaml.safe_dump(made.settings(made.cfg), allow_unicode=True, sort_keys=False), encoding="utf-8")

    def show(event: dict[str, Any]) -> None:
        if event["event"] == "progress":
            note = f"lr {event['learning_rate']:.2g} · loss {event['loss']:.3f}"
            progress.report(progress.Step("find_rate", event["step"], event["max_steps"], note))

    command = [sys.executable, "-m", "lightning_modules", "find-lr", str(run), "--steps", str(steps)]
    ended = supervised.run(command, log=folder / "rates.log", on_event=show)
    if ended.code:
        raise failure(ended, folder)
    figures = json.loads((folder / "learning_rates.json").read_text(encoding="utf-8"))
    picture = folder / "learning_rates.svg"
    chart = rates(table(folder / "learning_rates.csv"), figures["suggested"], chinese)
    picture.write_text(svg_file(chart), encoding="utf-8")
    return Rates(figures, picture)
