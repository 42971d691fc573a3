"""预算的网页 the page of a budget: one HTML file that holds everything it shows, and its rows as text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import altair as alt
from markupsafe import Markup

from data_contracts.scaling import FITTED_PARAMETERS, FITTED_TOKENS
from data_contracts.units import human
from tasks.reporting.chart import INK, KEPT, QUIET, REFUSED, drawn, styled, svg
from tasks.reporting.page import template
from tasks.transforms.scaling import Candidate

COLUMNS = (
    ("层 x 宽", "layers x width"),
    ("参数", "parameters"),
    ("词元/秒", "tokens a second"),
    ("训练词元", "training tokens"),
    ("遍数", "epochs"),
    ("预计每字比特数", "expected bits per character"),
)
NEIGHBOURS = 3  # shown on each side of the best


def shown(told: dict[str, Any]) -> list[Candidate]:
    """The best network and its neighbours, smallest first."""
    found, best = told["candidates"], told["best"]
    at = found.index(best)
    return list(found[max(0, at - NEIGHBOURS) : at + NEIGHBOURS + 1])


def rows_of(told: dict[str, Any]) -> list[list[str]]:
    """The cells of every network, as COLUMNS name them: a star at the best, a tilde at a speed that was not timed."""
    return [
        [
            f"{one.network.layers} x {one.network.width}" + (" ★" if one is told["best"] else ""),
            human(one.parameters),
            ("" if one.measured else "~") + f"{one.tokens_per_second:,.0f}",
            human(one.tokens),
            f"{one.epochs:.2f}",
            f"{one.bits_per_char:.3f}",
        ]
        for one in shown(told)
    ]


def by_parameters(told: dict[str, Any]) -> Any:
    """What each network would reach: too small learns too little, too large sees too little."""
    rows = _points(shown(told))
    x = alt.X(
        "parameters:Q",
        title="参数 parameters",
        scale=alt.Scale(type="log", nice=False, padding=30),
        axis=alt.Axis(format="~s", grid=False, tickCount=5, labelFlush=True),
    )
    y = alt.Y("bits:Q", title="比特/字 bits per character", scale=alt.Scale(zero=False))
    line = drawn(rows).mark_line(color=KEPT, strokeWidth=1.6).encode(x=x, y=y)
    timed = drawn([r for r in rows if r["measured"]]).mark_point(color=KEPT, filled=True, size=45, opacity=1)
    guessed = drawn([r for r in rows if not r["measured"]]).mark_point(color=QUIET, filled=True, size=45, opacity=1)
    best = drawn(_points([told["best"]]))
    dot = best.mark_point(color=REFUSED, filled=True, size=110, opacity=1).encode(x=x, y=y)
    label = best.mark_text(color=INK, dy=-14).encode(x=x, y=y, text="label:N")
    layers = line + timed.encode(x=x, y=y) + guessed.encode(x=x, y=y) + dot + label
    return styled(layers.properties(height=220))


def _points(found: Sequence[Candidate]) -> list[dict[str, Any]]:
    return [
        {"parameters": c.parameters, "bits": c.bits_per_char, "measured": c.measured, "label": f"{c.bits_per_char:.2f}"}
        for c in found
    ]


def budget_page(told: dict[str, Any], project: str, section: str) -> str:
    """The proposal as HTML: no script, no remote address."""
    return template("budget.html").render(
        told=told,
        project=project,
        section=section,
        columns=COLUMNS,
        rows=rows_of(told),
        fitted=[human(n) for n in (*FITTED_PARAMETERS, *FITTED_TOKENS)],
        picture=Markup(svg(by_parameters(told))),
    )
