"""比较图 contest pictures: models beside each other, one message a chart.

standing      who pays least for a character
differences   how far each is from the reference, in all or by source: left of the line is better
learning      loss against tokens or seconds; the best team in blue, the reference in orange, the rest quiet
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import altair as alt

from tasks.contest import Contest, Round
from tasks.reporting.chart import HALF, INK, KEPT, QUIET, REFUSED, WIDTH, drawn, named, styled

ALPHA = 0.05
REFERENCE = " (参照 reference)"
UNITS = {"bits_per_char": "每字比特数 bits per character", "loss": "损失, nat/词元 loss"}
SPLITS = {"train": "训练 training", "validation": "验证 validation"}
COSTS = {"tokens": "词元 tokens", "seconds": "训练秒数 seconds of training"}


def standing(found: Contest, one: Round) -> Any:
    """Every model's figure with its interval, best first."""
    places = [(i, figure) for i, figure in enumerate(one.figures) if figure]
    places.sort(key=lambda place: place[1].value if one.less_is_better else -place[1].value)
    rows = [
        {
            "name": found.models[i].label + REFERENCE * (i == found.reference),
            "value": f.value,
            "low": f.low,
            "high": f.high,
            "label": f"{f.value:.3f}",
        }
        for i, f in places
    ]
    base = drawn(rows).encode(y=named("name", [str(r["name"]) for r in rows]))
    x = alt.X(
        "low:Q",
        title="每字比特数, 越低越好 bits per character, less is better",
        scale=alt.Scale(zero=False, nice=True),
        axis=alt.Axis(tickCount=5),
    )
    line = base.mark_rule(color=KEPT, strokeWidth=2).encode(x=x, x2="high:Q")
    dot = base.mark_point(color=KEPT, filled=True, size=70, opacity=1).encode(x="value:Q")
    label = base.mark_text(dy=-11, color=INK, fontSize=11).encode(x="value:Q", text="label:N")
    return styled((line + dot + label).properties(height=36 * len(rows) + 40))


def differences(found: Contest, rounds: Sequence[Round], model: int | None = None, width: int = WIDTH) -> Any:
    """Differences of bits per character to the reference: of one model by source, or of all models in one round."""
    rows = [
        {
            "name": one.name if model is not None else found.models[c.model].label,
            "value": c.difference,
            "low": c.low,
            "high": c.high,
            "label": f"{c.difference:+.3f}",
            "colour": colour(one, c.difference, c.corrected),
        }
        for one in rounds
        for c in one.contrasts
        if model in (None, c.model)
    ]
    rows.sort(key=lambda row: float(str(row["value"])))
    base = drawn(rows).encode(y=named("name", [str(r["name"]) for r in rows]))
    fixed = alt.Color("colour:N", scale=None)
    x = alt.X(
        "low:Q",
        title="与参照的差, 比特/字 difference, bits",
        scale=alt.Scale(zero=True, nice=True),
        axis=alt.Axis(tickCount=5, format="+~g"),
    )
    line = base.mark_rule(strokeWidth=2).encode(x=x, x2="high:Q", color=fixed)
    dot = base.mark_point(filled=True, size=60, opacity=1).encode(x="value:Q", color=fixed, fill=fixed)
    label = base.mark_text(dy=-11, color=INK, fontSize=11).encode(x="value:Q", text="label:N")
    zero = drawn([{"at": 0}]).mark_rule(color=INK, strokeDash=[4, 3]).encode(x="at:Q")
    chart = (zero + line + dot + label).properties(height=34 * len(rows) + 40)
    if model is not None:
        chart = chart.properties(title=found.models[model].label)
    return styled(chart, width)


def colour(one: Round, difference: float, p: float) -> str:
    """Blue for better, orange for worse, grey for what chance may have made."""
    if p >= ALPHA or one.too_few or not difference:
        return QUIET
    return KEPT if (difference < 0) == one.less_is_better else REFUSED


def learning(found: Contest, split: str, cost: str, best: str, second: str) -> Any:
    """Curves of all models; None where no run has one. Only two teams are named: the rest is quiet."""
    at = 0 if cost == "tokens" else 1
    rank = {second: 1, best: 2}
    order = sorted(found.models, key=lambda side: rank.get(side.team, 0))
    units = {side.unit for side in order if side.curves.get(split)}
    if len(units) != 1:  # nats per token and bits per character do not go on one axis
        return None
    rows, ends = list[dict[str, Any]](), dict[str, dict[str, Any]]()
    for side in order:
        shade = KEPT if side.team == best else REFUSED if side.team == second else QUIET
        curve = side.curves.get(split, [])
        rows += [{"model": side.model, "x": p[at], "loss": p[2], "colour": shade} for p in curve]
        if curve and side.team in rank:
            ends[side.team] = {"label": side.team, "colour": shade}
    x = alt.X("x:Q", title=COSTS[cost], axis=alt.Axis(tickCount=4, format="~s", grid=False))
    low, high = min(row["loss"] for row in rows), max(row["loss"] for row in rows)
    room = alt.Scale(domain=[low, high + 0.25 * (high - low or 1)], zero=False)  # for the names, above the curves
    y = alt.Y("loss:Q", title=None, scale=room, axis=alt.Axis(tickCount=4))
    fixed = alt.Color("colour:N", scale=None)
    chart = drawn(rows).mark_line(strokeWidth=1.6, clip=True).encode(x=x, y=y, color=fixed, detail="model:N")
    for number, end in enumerate(
        reversed(ends.values())
    ):  # above the ends of the curves, where falling ones leave room
        mark = drawn([{**end, "x": max(row["x"] for row in rows)}]).mark_text(align="right", fontSize=11.5)
        chart = chart + mark.encode(x=x, y=alt.value(8 + 16 * number), text="label:N", color=fixed)
    title = f"{SPLITS[split]}, {UNITS[units.pop()]}"
    return styled(chart.properties(height=200, title=title), HALF)
