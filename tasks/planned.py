"""计划 planned: the learning rates of a run as a table and a picture in its folder, before it trains.

schedule.csv   step, learning_rate, and matrix_learning_rate for muon
schedule.svg   the same, drawn; the report draws it again
"""

from __future__ import annotations

import csv
from pathlib import Path

from data_contracts.optimizers import OptimizerConfig, planned

PER_MILLE = 1000  # of a run whose steps are measured when it starts


def draw_schedule(cfg: OptimizerConfig, max_steps: int, folder: Path) -> None:
    """Write both files; `max_steps` of -1, a duration in minutes, gives thousandths of the run for steps."""
    from tasks.reporting.chart import chinese, svg_file
    from tasks.reporting.pictures import schedule

    rows = planned(cfg, max_steps if max_steps > 0 else PER_MILLE)
    with (folder / "schedule.csv").open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, rows[0])
        table.writeheader()
        table.writerows(rows)
    (folder / "schedule.svg").write_text(svg_file(schedule(rows, chinese)), encoding="utf-8")
