"""显示 display: what a person sees on the terminal while a flow runs, and when it has ended."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from typing import Any

from rich.console import Console
from rich.panel import Panel
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from data_contracts.dataset import Manifest
from deployments.wording import both
from tasks import progress
from tasks.journal import Entry, Journal

_WIDE = None if sys.stdout.isatty() else 120  # a file or pipe has no width of its own
screen = Console(highlight=False, width=_WIDE)
complaint = Console(stderr=True, highlight=False, width=_WIDE)


@contextlib.contextmanager
def bars() -> Iterator[None]:
    """One bar per stage at work. On something that is not a terminal, one line per finished stage instead."""
    if not screen.is_terminal:
        stop = progress.listen(_say_finished)
        try:
            yield
        finally:
            stop()
        return
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description:<12}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, TextColumn("{task.fields[note]}"), console=screen, transient=True) as shown:
        rows: dict[str, TaskID] = {}

        def show(step: progress.Step) -> None:
            if step.stage not in rows:
                rows[step.stage] = shown.add_task(step.stage, total=None, note="")
            total = step.total or None
            shown.update(rows[step.stage], completed=step.done, total=total, note=step.note, visible=not step.finished)

        stop = progress.listen(show)
        try:
            yield
        finally:
            stop()


def _say_finished(step: progress.Step) -> None:
    if step.finished:
        screen.print(f"  {step.stage} ✓")


def stage_table(journal: Journal) -> Table:
    """Every stage of a run: rows in, kept, quarantined, seconds, MB per CPU-second, Cached or not."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column(both("阶段", "stage"), no_wrap=True)
    for title in (
        both("读入", "rows in"),
        both("保留", "kept"),
        both("隔离", "quarantined"),
        both("秒", "s"),
        "MB/CPU·s",
    ):
        table.add_column(title, justify="right")
    table.add_column(both("状态", "state"), no_wrap=True)
    for entry in journal.entries:
        table.add_row(*_cells(entry, journal.store.manifest(entry.dataset)))
    return table


def _cells(entry: Entry, manifest: Manifest) -> list[str | Text]:
    rows_in, kept, gone = (manifest.total(f) for f in ("rows_in", "rows_kept", "rows_quarantined"))
    has_rows = "@" in manifest.schema_label
    state = Text("Cached", "green") if entry.cached else Text(both("完成", "made"), "cyan")
    return [
        entry.title,
        f"{rows_in:,}" if has_rows else "",
        f"{kept:,}" if has_rows else "",
        f"{gone:,}" if has_rows else "",
        f"{entry.seconds:.1f}",
        speed(manifest),
        state,
    ]


def speed(manifest: Manifest) -> str:
    """MB of UTF-8 read per CPU-second when the dataset was made; empty where nothing was timed."""
    size = manifest.total("text_bytes")
    return f"{size / 1e6 / manifest.cpu_seconds:.1f}" if manifest.cpu_seconds > 0 and size else ""


def figures(scores: dict[str, Any]) -> Table:
    """The model's figures beside the baselines: bits per character, and minimal pairs beside chance."""
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column()
    table.add_column(justify="right")
    if scores.get("not_scored"):
        table.add_row(scores["not_scored"], "")
        return table
    baselines = {name: one["bits_per_char"] for name, one in scores["baselines"]["models"].items()}
    model = scores["bits_per_char"]["bits_per_char"]
    table.add_row(both("每字比特数, 模型", "bits per character, model"), f"{model:.3f}")
    table.add_row(both("字符四元模型", "character 4-gram"), f"{baselines['fourgram']:.3f}")
    table.add_row(both("字符二元模型", "character bigram"), f"{baselines['bigram']:.3f}")
    table.add_row(both("字符一元模型", "character unigram"), f"{baselines['unigram']:.3f}")
    pairs = scores.get("minimal_pairs")
    if pairs:
        value = f"{pairs['accuracy']:.1%} [{pairs['low']:.1%}, {pairs['high']:.1%}]"
        table.add_row(both("最小对立对 (随机 50%)", "minimal pairs (chance 50%)"), value)
    for name, one in (scores.get("questions") or {}).items():
        value = f"{one['accuracy']:.1%} [{one['low']:.1%}, {one['high']:.1%}]"
        table.add_row(
            both(f"选择题 {name} (随机 {one['chance']:.1%})", f"questions (chance {one['chance']:.1%})"), value
        )
    copied = (scores.get("generated") or {}).get("model", {}).get("verbatim")
    if copied:
        least = copied["at_least"]
        label = both(f"样本中逐字重合达 {least} 字", f"samples that copy {least} characters")
        table.add_row(label, f"{copied['share']:.1%}")
    if model >= min(baselines.values()):
        table.add_row(
            both("模型没有超过基线; 训练更久或用更多文本", "the model does not beat the baselines; train longer"), ""
        )
    return table


def samples(scores: dict[str, Any], count: int = 3) -> Iterator[Panel]:
    """Generated text, one panel a prompt."""
    for sample in (scores.get("samples") or [])[:count]:
        text = Text(sample["prompt"], "bold") + Text(sample["text"].removeprefix(sample["prompt"]))
        yield Panel(text, title=both("生成样例", "sample"), title_align="left", border_style="dim")


def fail(message: str) -> None:
    """An error, on standard error; lines are not cut, so that a path in it can be copied and a log searched."""
    complaint.print(Text(both("错误", "error") + ": ", "bold red") + Text(message), soft_wrap=True)
