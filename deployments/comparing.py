"""比较 comparing: `ziliu diff A B`, what became of every document, and what made the difference."""

from __future__ import annotations

from collections import Counter

from rich.markup import escape
from rich.table import Table

from data_contracts.dataset import Manifest
from data_contracts.reasons import REASONS
from data_contracts.units import human
from deployments.display import screen
from deployments.outcome import explained
from deployments.wording import both, language
from tasks.difference import ABSENT, Difference, difference
from tasks.store import Store

REFUSED = "refused"  # by the same stage and reason in both
_MOVES, _VALUE_CHARS = 40, 60  # rows of the table, characters of a config value that are shown


def diff(root: str, before: str, after: str, samples: int) -> int:
    """Compare two datasets; returns the exit code."""
    with explained() as outcome:
        told = difference(Store(root), before, after, samples)
        for manifest in (told.before, told.after):
            screen.print(_line(manifest))
        _say_moves(told)
        _say_sources(told)
        _say_settings(told)
        _say_samples(told)
    return outcome.code


def _line(m: Manifest) -> str:
    return (
        f"[bold]{m.stage}/{m.version}[/bold]  {m.created_at}  {both('保留', 'kept')} {m.total('rows_kept'):,}, "
        f"{both('隔离', 'quarantined')} {m.total('rows_quarantined'):,}, "
        f"{both('字', 'chars')} {human(m.total('chars'))}"
    )


def _table(*titles: str, numbers: int) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False)
    for i, title in enumerate(titles):
        table.add_column(title, justify="right" if i >= len(titles) - numbers else "left", overflow="fold")
    return table


def _say_moves(told: Difference) -> None:
    """Documents by what became of them before and after, most first; what stayed as it was comes last."""
    counts, chars = Counter[tuple[str, str, bool]](), Counter[tuple[str, str, bool]]()
    for move in told.moves:
        refused = move.before == move.after and move.before != "kept"
        key = (REFUSED, REFUSED, False) if refused else (move.before, move.after, move.changed)
        counts[key] += move.documents
        chars[key] += move.kept_chars
    table = _table(
        both("之前", "before"), both("之后", "after"), "", both("文档", "documents"), both("字符", "chars"), numbers=2
    )
    ordered = sorted(counts, key=lambda k: (k[0] == k[1] and not k[2], -counts[k], k))
    for before, after, changed in ordered[:_MOVES]:
        key = (before, after, changed)
        note = both("文字不同", "other text") if changed else both("相同", "same") if before == after else ""
        table.add_row(fate(before), fate(after), note, f"{counts[key]:,}", f"{chars[key]:+,}" if chars[key] else "")
    screen.print()
    screen.print(table)
    if len(ordered) > _MOVES:
        screen.print(f"… {len(ordered) - _MOVES} {both('种变化', 'more moves')}")


def fate(name: str) -> str:
    """A fate in the reader's language: `kept`, `absent`, or stage and reason with its sentence."""
    plain = {"kept": ("保留", "kept"), ABSENT: ("没有", "absent"), REFUSED: ("隔离", "quarantined")}
    if name in plain:
        return both(*plain[name])
    stage, _, reason = name.partition(":")
    known = REASONS.get(reason)
    return f"{stage} {reason}" + (f" {known.zh}" if known and language() == "zh" else "")


def _say_sources(told: Difference) -> None:
    """Kept documents and characters of every source, before and after."""
    table = _table(
        both("来源", "source"), both("之前", "before"), both("之后", "after"), both("字符", "chars"), numbers=3
    )
    for source in sorted({m.source for m in told.moves}):
        mine = [m for m in told.moves if m.source == source]
        was, now = (sum(m.documents for m in mine if (m.before, m.after)[i] == "kept") for i in (0, 1))
        if was or now:
            table.add_row(source, f"{was:,}", f"{now:,}", f"{sum(m.kept_chars for m in mine):+,}")
    screen.print()
    screen.print(table)


def _say_settings(told: Difference) -> None:
    """Config, code and libraries that differ, stage by stage."""
    table = _table(
        both("阶段", "stage"), both("不同之处", "differs"), both("之前", "before"), both("之后", "after"), numbers=0
    )
    for s in told.settings:
        table.add_row(s.stage, s.key or both("整个阶段", "the stage"), *(_value(v) for v in (s.before, s.after)))
    screen.print()
    screen.print(
        table if told.settings else both("配置、代码、依赖库都相同", "config, code and libraries are the same")
    )


def _value(value: object) -> str:
    text = "-" if value is None else str(value)
    return escape(text if len(text) <= _VALUE_CHARS else text[: _VALUE_CHARS - 1] + "…")


def _say_samples(told: Difference) -> None:
    for sample in told.samples:
        screen.rule(style="dim")
        moved = f"{fate(sample.before)} → {fate(sample.after)}  {sample.doc_id}  {sample.url}"
        screen.print(moved, style="bold", markup=False)
        screen.print(sample.shown, markup=False)
