"""比较页 contest page: models compared -> one HTML file with all that it shows. No script, no remote address."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from markupsafe import Markup

from data_contracts.model import Model
from data_contracts.units import human
from tasks.contest import BITS, Contest, Contrast, Round
from tasks.reporting.chart import HALF, svg
from tasks.reporting.contest_pictures import ALPHA, COSTS, SPLITS, differences, learning, standing
from tasks.reporting.page import template, when

TITLE = "模型比较 models compared"
NAMES = {BITS: Markup("每字比特数<br>bits per character")}
SMALL = 4  # models whose differences by source are drawn; the table has all


class Verdict(Model):
    """What a comparison of two corpora says in a sentence, and what is to be said of its noise."""

    zh: str
    en: str
    noise: str = ""


def page(
    found: Contest,
    *,
    title: str = TITLE,
    at: str = "",
    verdict: Verdict | None = None,
    settings: Sequence[tuple[str, str, str]] = (),
    notes: Sequence[str] = (),
) -> str:
    """The comparison as HTML. `settings` are lines (key, A, B) of what differs between two configs."""
    rounds, sources = found.table("headline"), found.table("sources")
    ahead = teams(found, rounds[0])
    others = [i for i in range(len(found.models)) if i != found.reference]
    curves = [learning(found, split, cost, *ahead) for split in SPLITS for cost in COSTS]
    drawn_sources = others if sources and len(others) <= SMALL else ()
    return template("contest.html").render(
        c=found,
        title=title,
        when=when(at) if at else "",
        verdict=verdict,
        headline=headline(found, rounds[0]),
        headline_rounds=rounds,
        sources=sources,
        groups=found.table("groups"),
        beside=found.table("beside"),
        names=NAMES,
        figure=figure,
        difference=difference,
        said=said,
        p_value=p_value,
        charts={
            "standing": Markup(svg(standing(found, rounds[0]))),
            "differences": Markup(svg(differences(found, rounds[:1]))),
            "sources": [Markup(svg(differences(found, sources, i, HALF))) for i in drawn_sources],
        },
        curves=[Markup(svg(chart)) for chart in curves if chart is not None],
        facts=[label for label in found.models[0].facts if any(side.facts[label] for side in found.models)],
        told={"standing": best_of(found, rounds[0]), "differences": sure(found, rounds)},
        settings=settings,
        notes=notes,
    )


def winner(one: Round) -> int:
    """The model with the best figure."""
    places = [(f.value if one.less_is_better else -f.value, i) for i, f in enumerate(one.figures) if f]
    return min(places)[1]


def teams(found: Contest, bits: Round) -> tuple[str, str]:
    """Whose curves stand out: the best team's, and the reference's, or the second best where the reference is best."""
    order = sorted((f.value, found.models[i].team) for i, f in enumerate(bits.figures) if f)
    best, own = order[0][1], found.models[found.reference].team
    others = [team for _, team in order if team != best]
    return best, own if own != best else (others or [best])[0]


def headline(found: Contest, bits: Round) -> list[tuple[str, str, str]]:
    """The page's most important figures: label, value, note."""
    return [
        ("模型 models", f"{len(found.models):,}", ""),
        ("共同的留出文档 common held-out documents", f"{bits.units:,}", f"{human(bits.chars)} 字 characters"),
        ("参照 reference", found.models[found.reference].label, ""),
    ]


def figure(one: Round, model: int) -> Markup:
    """A figure with its interval in a cell of a table."""
    given = one.figures[model]
    if given is None:
        return Markup("-")
    shown = [f"{v:.3f}" if one.less_is_better else f"{100 * v:.1f}%" for v in (given.value, given.low, given.high)]
    return Markup('{} <br><span class="soft">{} … {}</span>').format(*shown)


def difference(one: Round, c: Contrast) -> list[str]:
    """A difference and the two ends of its interval: bits per character, or percentage points."""
    values = (c.difference, c.low, c.high)
    return [f"{v:+.3f}" if one.less_is_better else f"{100 * v:+.1f}" for v in values]


def said(one: Round, c: Contrast) -> tuple[str, str]:
    """The class and the words of a verdict, at 5 % after correction."""
    if one.too_few:
        return "soft", "太少 too few"
    if c.corrected >= ALPHA or not c.difference:
        return "soft", "分不出 not told apart"
    better = (c.difference < 0) == one.less_is_better
    return ("good", "更好 better") if better else ("bad", "更差 worse")


def p_value(p: float) -> str:
    """`0.032`, or `< 0.001`."""
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def best_of(found: Contest, bits: Round) -> str:
    """Who pays least for a character, said plainly."""
    i = winner(bits)
    value: Any = bits.figures[i]
    return (
        f"{found.models[i].label} 付出最少: 每字 {value.value:.3f} 比特, {bits.units:,} 篇共同的留出文档。"
        f"{found.models[i].label} pays least, {value.value:.3f} bits per character on {bits.units:,} common documents."
    )


def sure(found: Contest, rounds: Sequence[Round]) -> str:
    """How many differences are no accident."""
    every = [(one, c) for one in rounds if not one.too_few for c in one.contrasts]
    clear = [said(one, c)[0] for one, c in every if said(one, c)[0] != "soft"]
    better = clear.count("good")
    worse = len(clear) - better
    return (
        f"{len(every)} 个差别里 {len(clear)} 个在 5 % 水平上成立 (Holm 校正后): {better} 个更好, {worse} 个更差。"
        f"Of {len(every)} differences {len(clear)} hold at 5 % after correction: {better} better, {worse} worse."
    )
