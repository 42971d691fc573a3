"""图 pictures: altair charts of a run's facts, as SVG for the page and PNG for Prefect's Markdown."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from functools import partial
from typing import Any

import altair as alt

from data_contracts.reasons import REASONS
from tasks.reporting import score_pictures
from tasks.reporting.chart import HALF, INK, KEPT, QUIET, REFUSED, Say, amount, chinese, drawn, named, styled
from tasks.reporting.facts import Classified, Distribution, Duplicates, Facts, StageFacts, Training

REASONS_SHOWN = 14


def pictures(facts: Facts, say: Say = chinese, only: Collection[str] | None = None) -> dict[str, Any]:
    """The charts that the facts allow, by name; `only` names those that are wanted."""
    stages = [s for s in facts.stages if s.is_documents]
    run, scores, copies = facts.training, facts.scores, facts.duplicates
    makers: dict[str, Callable[[], Any]] = {}
    if stages:
        makers["funnel"] = lambda: funnel(stages, say)
    if any(s.reasons for s in stages):
        makers["reasons"] = lambda: reasons(stages, say)
    for one in (*facts.distributions, *(facts.scored.distributions if facts.scored else ())):
        makers[f"spread_{one.signal}"] = partial(spread, one, say)
    for trained in facts.scored.classifiers if facts.scored else ():
        makers[f"reliability_{trained.signal}"] = partial(reliability, trained, say)
        makers[f"deciles_{trained.signal}"] = partial(deciles, trained, say)
    if copies and copies.similarity:
        makers["similarity"] = lambda: similarity(copies, say)
    if run:
        makers["loss"] = lambda: loss(run, say)
    if run and run.schedule:
        makers["schedule"] = lambda: schedule(run.schedule, say)
    if run and run.speed:
        makers["speed"] = lambda: speed(run, say)
    if scores:
        makers |= {name: partial(make, scores, say) for name, make in score_pictures.makers(scores).items()}
    return {name: make() for name, make in makers.items() if only is None or name in only}


def funnel(stages: Sequence[StageFacts], say: Say) -> Any:
    """Rows of every stage that handles documents: kept, and quarantined behind them."""
    rows = [
        {
            "stage": say(s.title),
            "kept": s.kept,
            "all": s.kept + s.quarantined,
            "label": f"{s.kept:,}" + (f"  (-{s.quarantined:,})" if s.quarantined else ""),
        }
        for s in stages
    ]
    base = drawn(rows).encode(y=named("stage", [say(s.title) for s in stages]))
    refused = base.mark_bar(color=REFUSED, height=15).encode(
        x=amount("kept", say("行 rows"), max(s.rows_in for s in stages)), x2="all:Q"
    )
    kept = base.mark_bar(color=KEPT, height=15).encode(x=alt.X("kept:Q"))
    label = base.mark_text(align="left", dx=6, color=INK).encode(x="all:Q", text="label:N")
    return styled((kept + refused + label).properties(height=25 * len(rows) + 40))


def reasons(stages: Sequence[StageFacts], say: Say) -> Any:
    """Why rows were quarantined, most first."""
    found = [(s, reason, n) for s in stages for reason, n in s.reasons.items()]
    found.sort(key=lambda one: -one[2])
    rows = [
        {
            "reason": f"{say(REASONS[r].zh) if say is chinese else ''} {r}".strip() + f" · {s.stage}",
            "n": n,
            "label": f"{n:,}",
        }
        for s, r, n in found[:REASONS_SHOWN]
    ]
    base = drawn(rows).encode(y=named("reason", [str(r["reason"]) for r in rows]))
    bars = base.mark_bar(color=REFUSED, height=13).encode(x=amount("n", say("行 rows"), found[0][2]))
    label = base.mark_text(align="left", dx=6, color=INK).encode(x="n:Q", text="label:N")
    return styled((bars + label).properties(height=23 * len(rows) + 40))


def spread(one: Distribution, say: Say) -> Any:
    """A histogram of one signal, quarantined documents on top of kept ones, and the limits of the config."""
    rows: list[dict[str, Any]] = []
    for b in one.bins:
        at = {"low": b.low, "high": b.high}
        rows.append({**at, "from": 0, "to": b.kept, "colour": KEPT})
        rows.append({**at, "from": b.kept, "to": b.kept + b.quarantined, "colour": REFUSED})
    scale = alt.Scale(type="log" if one.logarithmic else "linear", nice=False, zero=False)
    axis = alt.Axis(title=None, tickCount=5, format="~s" if one.logarithmic else "~g", grid=False)
    bars = (
        drawn([r for r in rows if r["to"] > r["from"]])
        .mark_bar(stroke=None)
        .encode(
            x=alt.X("low:Q", scale=scale, axis=axis),
            x2="high:Q",
            y=alt.Y("from:Q", axis=alt.Axis(title=None, tickCount=3)),
            y2="to:Q",
            color=alt.Color("colour:N", scale=None),
        )
    )
    first, last = one.bins[0].low, one.bins[-1].high
    limits = [{"at": v} for v in (one.low_limit, one.high_limit) if v is not None and first <= v <= last]
    rule = drawn(limits).mark_rule(color=INK, strokeDash=[4, 3]).encode(x="at:Q")
    chart = bars + rule if limits else bars
    return styled(chart.properties(height=140, title=say(one.title)), HALF)


def reliability(one: Classified, say: Say) -> Any:
    """What was said of held-out texts and what was so: on the dashed line where probabilities come true."""
    rows = [{"said": r.said, "was": r.was, "texts": r.texts} for r in one.reliability]
    unit = alt.Scale(domain=[0, 1])
    x = alt.X("said:Q", title=say("所说的概率 said"), scale=unit, axis=alt.Axis(tickCount=5, grid=False))
    y = alt.Y("was:Q", title=say("实际的比例 was so"), scale=unit, axis=alt.Axis(tickCount=5))
    line = drawn(rows).encode(x=x, y=y)
    size = alt.Size("texts:Q", legend=None, scale=alt.Scale(range=[25, 160]))
    dots = line.mark_point(color=KEPT, filled=True, opacity=1).encode(size=size)
    ideal = drawn([{"said": 0, "was": 0}, {"said": 1, "was": 1}]).mark_line(color=INK, strokeDash=[4, 3])
    chart = ideal.encode(x=x, y=y) + line.mark_line(color=KEPT, strokeWidth=1.6) + dots
    return styled(chart.properties(height=190, title=say(f"{one.title}: 校准 calibration")), HALF)


def deciles(one: Classified, say: Say) -> Any:
    """Ten equal parts of the held-out texts in order of their score: the share of the positive side in each."""
    rows = [{"decile": i, "share": d.share} for i, d in enumerate(one.deciles, 1)]
    axis = alt.Axis(labelAngle=0, ticks=False)
    bars = (
        drawn(rows)
        .mark_bar(color=KEPT)
        .encode(
            x=alt.X("decile:O", title=say("十分位, 由低到高 decile, lowest first"), axis=axis),
            y=alt.Y(
                "share:Q", title=say("正例比例 positive"), scale=alt.Scale(domain=[0, 1]), axis=alt.Axis(tickCount=5)
            ),
        )
    )
    return styled(bars.properties(height=190, title=say(f"{one.title}: 十分位 deciles")), HALF)


def similarity(found: Duplicates, say: Say) -> Any:
    """Near duplicates by the share of equal signature slots."""
    bins: dict[float, int] = {}
    for step, n in found.similarity.items():
        low = min(float(step), 0.95)  # a similarity of 1 belongs to the last bin
        bins[low] = bins.get(low, 0) + n
    rows = [{"low": low, "high": low + 0.05, "n": n, "zero": 0} for low, n in bins.items()]
    chart = (
        drawn(rows)
        .mark_bar(color=KEPT, stroke=None)
        .encode(
            x=alt.X(
                "low:Q",
                title=say("近似重复的相似度 similarity of near duplicates"),
                scale=alt.Scale(domain=[min(0.6, *bins), 1.0]),
                axis=alt.Axis(grid=False, tickCount=8),
            ),
            x2="high:Q",
            y2="zero:Q",
            y=alt.Y("n:Q", title=say("篇 documents"), axis=alt.Axis(tickCount=3)),
        )
    )
    return styled(chart.properties(height=150))


def loss(run: Training, say: Say) -> Any:
    """Training loss of every step and validation loss, nats per token."""
    train = [{"step": r["step"], "loss": r["loss"], "split": say("训练 training")} for r in run.steps if "loss" in r]
    held = [
        {"step": r["step"], "loss": r["loss"], "split": say("验证 validation")} for r in run.validation if "loss" in r
    ]
    colour = alt.Color(
        "split:N",
        title=None,
        scale=alt.Scale(domain=[say("训练 training"), say("验证 validation")], range=[KEPT, REFUSED]),
        legend=alt.Legend(orient="top-right"),
    )
    x = alt.X("step:Q", title=say("步 step"), axis=alt.Axis(tickCount=6, grid=False))
    y = alt.Y("loss:Q", title=say("损失, nat/词元 loss"), scale=alt.Scale(zero=False))
    chart = drawn(train).mark_line(strokeWidth=1.6, clip=True).encode(x=x, y=y, color=colour)
    if held:
        base = drawn(held).encode(x=x, y=y, color=colour)
        chart = chart + base.mark_line(strokeWidth=1.6) + base.mark_point(filled=True, size=45, opacity=1)
    return styled(chart.properties(height=260))


def speed(run: Training, say: Say) -> Any:
    """Tokens per second while training."""
    rows = [{"step": r["step"], "speed": r["tokens_per_second"]} for r in run.speed if "tokens_per_second" in r]
    chart = (
        drawn(rows)
        .mark_line(color=KEPT, strokeWidth=1.4)
        .encode(
            x=alt.X("step:Q", title=say("步 step"), axis=alt.Axis(tickCount=6, grid=False)),
            y=alt.Y("speed:Q", title=say("词元/秒 tokens/s"), axis=alt.Axis(format="~s", tickCount=4)),
        )
    )
    return styled(chart.properties(height=150))


def schedule(rows: Sequence[dict[str, float]], say: Say) -> Any:
    """Learning rates of every step, as planned before the run."""
    names = {
        "learning_rate": say("学习率 learning rate"),
        "matrix_learning_rate": say("矩阵 matrices"),
    }
    shown = {name: label for name, label in names.items() if name in rows[0]}
    points = [{"step": r["step"], "rate": r[name], "of": label} for r in rows for name, label in shown.items()]
    colour = alt.Color(
        "of:N",
        title=None,
        scale=alt.Scale(domain=list(shown.values()), range=[KEPT, REFUSED][: len(shown)]),
        legend=alt.Legend(orient="top") if len(shown) > 1 else None,
    )
    chart = (
        drawn(points)
        .mark_line(strokeWidth=1.6)
        .encode(
            x=alt.X("step:Q", title=say("步 step"), axis=alt.Axis(tickCount=6, grid=False)),
            y=alt.Y("rate:Q", title=say("学习率 learning rate"), axis=alt.Axis(tickCount=4, format="~g")),
            color=colour,
        )
    )
    return styled(chart.properties(height=150))


def rates(rows: Sequence[dict[str, float]], suggested: float | None, say: Say) -> Any:
    """Loss against the learning rate of a range test, smoothed and as it was, and the rate that is suggested."""
    x = alt.X(
        "learning_rate:Q",
        title=say("学习率 learning rate"),
        scale=alt.Scale(type="log", nice=False),
        axis=alt.Axis(tickCount=6, format="~e", grid=False),
    )
    y = alt.Y("loss:Q", title=say("损失, nat/词元 loss"), scale=alt.Scale(zero=False), axis=alt.Axis(tickCount=5))
    raw = drawn([{"learning_rate": r["learning_rate"], "loss": r["loss"]} for r in rows])
    mean = drawn([{"learning_rate": r["learning_rate"], "loss": r["smoothed"]} for r in rows])
    chart = raw.mark_line(color=QUIET, strokeWidth=1).encode(x=x, y=y)
    chart = chart + mean.mark_line(color=KEPT, strokeWidth=1.8).encode(x=x, y=y)
    if suggested is not None:
        at = drawn([{"learning_rate": suggested}])
        chart = chart + at.mark_rule(color=REFUSED, strokeDash=[4, 3]).encode(x=x)
    return styled(chart.properties(height=220))


def by_size(rows: Sequence[dict[str, Any]], field: str, title: str, marked: int) -> Any:
    """One figure of several vocabularies against their size; the marked size stands out."""
    named = [{**row, "label": f"{row['size']:,}"} for row in rows]
    x = alt.X(
        "size:Q",
        title="词元数 tokens",
        scale=alt.Scale(type="log", nice=False, padding=30),
        axis=alt.Axis(values=[row["size"] for row in rows], format="~s", grid=False),
    )
    y = alt.Y(f"{field}:Q", title=None, scale=alt.Scale(zero=False), axis=alt.Axis(tickCount=4, format="~s"))
    line = drawn(named).mark_line(color=KEPT, strokeWidth=1.6).encode(x=x, y=y)
    dots = drawn(named).mark_point(color=KEPT, filled=True, size=45, opacity=1).encode(x=x, y=y)
    best = drawn([row for row in named if row["size"] == marked])
    dot = best.mark_point(color=REFUSED, filled=True, size=110, opacity=1).encode(x=x, y=y)
    label = best.mark_text(color=INK, dy=-14).encode(x=x, y=y, text="label:N")
    return styled((line + dots + dot + label).properties(height=200, title=title))
