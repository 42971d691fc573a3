"""评测图 score pictures: what an assessment found, beside what it is held against."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import altair as alt

from tasks.reporting.chart import GRID, INK, KEPT, QUIET, REFUSED, Say, amount, drawn, named, styled
from tasks.reporting.facts import Scores

BASELINES = {
    "unigram": "字的一元模型 unigram",
    "bigram": "字的二元模型 bigram",
    "fourgram": "字的四元模型 4-gram",
    "uniform": "均匀分布 uniform",
}
SOURCES_SHOWN = 24  # those with the most text


def makers(found: Scores) -> dict[str, Callable[[Scores, Say], Any]]:
    """The charts that the scores allow, by name."""
    wanted = {
        "bits": (bits, found.bits_per_char is not None),
        "by_source": (by_source, len(found.sources) > 1),
        "pairs": (pairs, bool(found.pairs)),
        "questions": (questions, bool(found.questions)),
    }
    return {name: make for name, (make, there) in wanted.items() if there}


def bits(found: Scores, say: Say) -> Any:
    """Bits per character of the model beside its baselines; less is better."""
    model = say("本模型 model")
    rows = [{"name": model, "bits": found.bits_per_char, "colour": KEPT, "label": f"{found.bits_per_char:.3f}"}]
    for name, value in found.baselines.items():
        rows.append({"name": say(BASELINES.get(name, name)), "bits": value, "colour": QUIET, "label": f"{value:.3f}"})
    most = max(found.bits_per_char or 0.0, *found.baselines.values(), 0.0)
    base = drawn(rows).encode(y=named("name", [str(r["name"]) for r in rows]))
    bars = base.mark_bar(height=16).encode(
        x=amount("bits", say("每字比特数, 越低越好 bits per character, less is better"), most),
        color=alt.Color("colour:N", scale=None),
    )
    label = base.mark_text(align="left", dx=6, color=INK).encode(x="bits:Q", text="label:N")
    return styled((bars + label).properties(height=30 * len(rows) + 40))


def pairs(found: Scores, say: Say) -> Any:
    """Share of minimal pairs won, by phenomenon, with 95 % intervals; 0.5 is chance."""
    rows = [{"name": say(p.phenomenon), "share": p.accuracy, "low": p.low, "high": p.high} for p in found.pairs]
    base = drawn(rows).encode(y=named("name", [str(r["name"]) for r in rows]))
    title = say("选对的比例 share won (0.5 靠猜 chance)")
    x = alt.X("low:Q", title=title, scale=alt.Scale(domain=[0, 1]), axis=alt.Axis(tickCount=5))
    line = base.mark_rule(color=KEPT, strokeWidth=2).encode(x=x, x2="high:Q")
    dot = base.mark_point(color=KEPT, filled=True, size=60, opacity=1).encode(x="share:Q")
    chance = drawn([{"at": 0.5}]).mark_rule(color=INK, strokeDash=[4, 3]).encode(x="at:Q")
    return styled((chance + line + dot).properties(height=25 * len(rows) + 40))


def by_source(found: Scores, say: Say) -> Any:
    """Bits per character of every source: the model's dot beside those of its baselines; less is better."""
    shown = sorted(found.sources, key=lambda s: (-s.chars, s.source))[:SOURCES_SHOWN]
    shown.sort(key=lambda s: s.bits_per_char)
    kinds = {"model": say("本模型 model"), **{name: say(label) for name, label in BASELINES.items()}}
    colours = {"model": KEPT, "fourgram": REFUSED, "bigram": QUIET, "unigram": GRID}
    rows = [
        {"source": s.source, "kind": kinds[kind], "bits": value}
        for s in shown
        for kind, value in {**s.baselines, "model": s.bits_per_char}.items()
        if kind in colours
    ]
    there = [kind for kind in colours if kinds[kind] in {row["kind"] for row in rows}]
    scale = alt.Scale(domain=[kinds[k] for k in there], range=[colours[k] for k in there])
    legend = alt.Legend(orient="top", symbolType="circle", symbolStrokeWidth=0)
    dots = (
        drawn(rows)
        .mark_point(filled=True, size=80, opacity=1)
        .encode(
            y=named("source", [s.source for s in shown]),
            x=alt.X("bits:Q", title=say("每字比特数 bits per character"), scale=alt.Scale(zero=False)),
            color=alt.Color("kind:N", title=None, scale=scale, legend=legend),
            fill=alt.Color("kind:N", title=None, scale=scale, legend=legend),
        )
    )
    return styled(dots.properties(height=24 * len(shown) + 70))


def questions(found: Scores, say: Say) -> Any:
    """Share of questions answered rightly, by set, with 95 % intervals; a tick where guessing would be."""
    rows = [
        {"name": f"{q.name} ({q.questions:,})", "share": q.accuracy, "low": q.low, "high": q.high, "chance": q.chance}
        for q in found.questions
    ]
    base = drawn(rows).encode(y=named("name", [str(r["name"]) for r in rows]))
    title = say("答对的比例 share answered rightly (竖线: 靠猜 tick: chance)")
    x = alt.X("low:Q", title=title, scale=alt.Scale(domain=[0, 1]), axis=alt.Axis(tickCount=5))
    line = base.mark_rule(color=KEPT, strokeWidth=2).encode(x=x, x2="high:Q")
    dot = base.mark_point(color=KEPT, filled=True, size=60, opacity=1).encode(x="share:Q")
    chance = base.mark_tick(color=INK, thickness=2, size=16).encode(x="chance:Q")
    return styled((chance + line + dot).properties(height=25 * len(rows) + 40))
