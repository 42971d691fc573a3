"""画像页 profile page: a dataset's profile -> one HTML file that holds all it shows. No script, no remote address."""

from __future__ import annotations

from typing import Any

import altair as alt
from markupsafe import Markup

from data_contracts.reasons import sentence
from data_contracts.stages import CleanConfig
from tasks.portrait import CURVE, Curve, Profile
from tasks.reporting.chart import HALF, INK, KEPT, REFUSED, styled, svg
from tasks.reporting.page import template

HIGH = 150  # of one plot
SPREAD = 30.0  # a positive signal whose largest value is that many times its median is drawn on a logarithmic axis


def page(found: Profile) -> str:
    """The profile as HTML."""
    drawn = [(curve, Markup(svg(plot(curve)))) for curve in found.curves]
    return template("profile.html").render(
        p=found,
        plots=drawn,
        told={curve.signal: meaning(curve) for curve in found.curves},
        sentence=sentence,
        proposal=proposal(found),
    )


def proposal(found: Profile) -> str:
    """The proposed thresholds as YAML that can be pasted into a config; the present value stands behind each."""
    lines = [f"# {found.dataset}: keeps {found.kept_by_proposed:.4f} (wanted {found.keep:g}; now {found.kept:.4f})"]
    lines += ["clean:", f"  profile: {found.config.profile}"]
    for key, value in found.proposed.items():
        now = getattr(found.config, key)
        lines.append(f"  {key}: {value:g}  # {now:g}" if value != now else f"  {key}: {value:g}")
    return "\n".join(lines) + "\n"


def meaning(curve: Curve) -> str:
    """What the signal is, in the words of the config's thresholds."""
    described = [CleanConfig.model_fields[key].description or "" for key in curve.limits]
    return " / ".join(described)


def plot(curve: Curve) -> Any:
    """Quantiles of a signal: share of rows below a value; thresholds dashed as configured, dotted as proposed."""
    floor = min((v for v in curve.values if v > 0), default=1.0)
    median, most = curve.values[CURVE // 2], curve.values[-1]
    logarithmic = curve.values[0] >= 0 and median > 0 and most > SPREAD * median
    rows = [
        {"share": i / (CURVE - 1), "value": max(v, floor) if logarithmic else v} for i, v in enumerate(curve.values)
    ]
    low, high = rows[0]["value"], max(rows[-1]["value"], floor)
    scale = alt.Scale(
        type="log" if logarithmic else "linear", domain=[low, high if high > low else low + 1], clamp=True
    )
    y = alt.Y("value:Q", title=None, scale=scale, axis=alt.Axis(tickCount=4, format="~s" if most >= 1000 else ".3~r"))
    x = alt.X("share:Q", title=None, axis=alt.Axis(tickCount=5, format="%"), scale=alt.Scale(domain=[0, 1]))
    chart = _data(rows).mark_line(color=KEPT, strokeWidth=1.8).encode(x=x, y=y)
    for limits, colour, dash in ((curve.limits, INK, [5, 3]), (curve.proposed, REFUSED, [2, 2])):
        inside = [{"value": v} for v in limits.values() if low <= v <= high]
        if inside:
            chart = chart + _data(inside).mark_rule(color=colour, strokeDash=dash, strokeWidth=1.4).encode(y=y)
    return styled(chart.properties(height=HIGH), HALF)


def _data(rows: list[dict[str, float]]) -> Any:
    return alt.Chart(alt.InlineData(values=rows))
