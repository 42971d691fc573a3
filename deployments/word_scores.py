"""分词评分 on the terminal: one row a gold file, or JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from rich.table import Table

from data_contracts.stages import SegmentConfig
from deployments.display import screen
from deployments.outcome import explained
from deployments.wording import both
from tasks.segmentation_score import score_files

COLUMNS = {
    "gold_words": ("词", "words"),
    "precision": ("准确率", "precision"),
    "recall": ("召回率", "recall"),
    "f1": ("F1", "F1"),
    "unknown_ratio": ("未登录词占比", "OOV"),
    "unknown_recall": ("未登录词召回", "OOV recall"),
    "known_recall": ("登录词召回", "IV recall"),
}


def segmentation_score(
    gold: Sequence[Path], training: Sequence[Path], dictionaries: Sequence[str], hmm: bool, as_json: bool
) -> int:
    """Score the segmenter on gold files and show it; returns the exit code."""
    with explained() as outcome:
        found = score_files(gold, training, SegmentConfig(hmm=hmm, dictionaries=tuple(dictionaries)))
        told = {name: one.figures() for name, one in found.items()}
        if as_json:
            screen.print_json(json.dumps(told, ensure_ascii=False))
            return outcome.code
        table = Table(box=None, header_style="bold", pad_edge=False)
        table.add_column(both("文件", "file"), no_wrap=True)
        for zh, en in COLUMNS.values():
            table.add_column(en if zh == en else both(zh, en), justify="right")
        for name, figures in told.items():
            shown = (f"{v:,}" if isinstance(v := figures[c], int) else f"{v:.4f}" for c in COLUMNS)
            table.add_row(name, *shown)
        screen.print(table)
        known = [p.name for p in training] or [both("分词器的词典", "the segmenter's dictionary")]
        screen.print(f"{both('登录词来自', 'known words are those of')}: {', '.join(known)}")
    return outcome.code
