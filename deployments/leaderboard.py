"""榜单 leaderboard: `ziliu leaderboard [MODEL ...]`, models of a store on what all of them were asked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.table import Table

from data_contracts.dataset import digest_of
from data_contracts.errors import ConfigError, DatasetMissing
from deployments.display import screen
from deployments.outcome import explained
from deployments.wording import both
from tasks.contest import Contest, Round, contest, shared
from tasks.entrants import Entrant, entrant, every
from tasks.store import Store, now


def leaderboard(root: str, models: Sequence[str], reference: str) -> int:
    """Compare models; the page lies under STORE/comparisons. Exit code 0, or that of what went wrong."""
    with explained() as outcome:
        from tasks.reporting.contest_page import page  # drawing is slow to import

        store = Store(root)
        entrants, at = entered(store, models, reference)
        with screen.status(both("抽样", "drawing")):
            found = contest(entrants, at)
        screen.print(ranking(found))
        for note in found.left_out:
            screen.print(f"{both('未比较', 'not compared')}: {note}", markup=False)
        where = f"comparisons/{digest_of([e.model for e in entrants])[:16]}.html"
        store.folder.replace(where, page(found, at=now()).encode())
        screen.print(f"{both('网页', 'page')}: {store.folder.path(where)}", soft_wrap=True)
    return outcome.code


def entered(store: Store, models: Sequence[str], reference: str) -> tuple[list[Entrant], int]:
    """The models to compare, and which of them the others are held against: by default the first.

    Without names: the newest model, and all others that were asked about texts in common with it.
    """
    if models:
        names = list(dict.fromkeys(models))
        entrants = [entrant(store, name) for name in names if name != reference]
    else:
        newest_first = every(store)[::-1]
        entrants = [e for e in newest_first if shared(e.documents, newest_first[0].documents)]
        for other in (e for e in newest_first if e not in entrants):
            told = both("没有共同的留出文本, 略去", "no held-out text in common, left out")
            screen.print(f"{other.label}: {told}", markup=False)
    if reference:
        own = entrant(store, reference)
        entrants = [own, *(e for e in entrants if e.model != own.model)]
    twice = [e.model for i, e in enumerate(entrants) if e.model in {o.model for o in entrants[:i]}]
    if twice:
        raise ConfigError(f"{twice[0]} is named twice; name models that differ")
    if len(entrants) < 2:
        raise DatasetMissing(
            f"{len(entrants)} of the models in {store.root} can be compared, and it takes two; "
            "`ziliu assess CONFIG` scores the newest model"
        )
    return entrants, 0


def ranking(found: Contest) -> Table:
    """Every model, best first: its figures, and what it pays less or more than the reference."""
    rounds = found.table("headline")
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column(both("模型", "model"), no_wrap=True)
    for one in rounds:
        title = one.name or both("每字比特数", "bits per character")
        units = both("篇", "documents") if not one.name else both("题", "items")
        table.add_column(f"{title}\n{one.units:,} {units}", justify="right")
    table.add_column(both("与参照的差", "difference") + "\n95 %", justify="right")
    table.add_column("p (Holm)", justify="right")
    order: list[tuple[float, int]] = sorted((f.value, i) for i, f in enumerate(rounds[0].figures) if f)
    for _, i in order:
        cells = [_figure(one, i) for one in rounds]
        against = next((c for c in rounds[0].contrasts if c.model == i), None)
        told: tuple[Any, ...] = (both("参照", "reference"), "")
        if against:
            told = (
                f"{against.difference:+.3f} [{against.low:+.3f}, {against.high:+.3f}]",
                f"{against.corrected:.3f}" if against.corrected >= 0.001 else "< 0.001",
            )
        table.add_row(found.models[i].label, *cells, *told)
    return table


def _figure(one: Round, model: int) -> str:
    figure = one.figures[model]
    if figure is None:
        return "-"
    return f"{figure.value:.3f}" if one.less_is_better else f"{figure.value:.1%}"
