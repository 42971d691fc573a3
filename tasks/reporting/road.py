"""血缘图 the lineage as a drawing: one box a dataset, parents above children; SVG, coloured by the style sheet."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from tasks.reporting.facts import Node

WIDTH, BOX, HIGH, STEP, GAP = 760, 224, 44, 68, 20
A_ROW = 3  # boxes beside each other at most; the rest of a rank is counted


def road(nodes: Sequence[Node]) -> str:
    """The drawing, "" without nodes."""
    if not nodes:
        return ""
    ranks = _ranks(nodes)
    places, drawn = _places(nodes, ranks)
    height = (max(ranks.values()) + 1) * STEP - (STEP - HIGH) + 8
    edges = [_edge(places[p], places[n.name]) for n in nodes if n.name in places for p in n.parents if p in places]
    inside = "".join([*edges, *drawn])
    return f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="血缘图 lineage">{inside}</svg>'


def _ranks(nodes: Sequence[Node]) -> dict[str, int]:
    """Row of every box, from 0: below all its parents; a source stands right above what reads it first."""
    ranks: dict[str, int] = {}
    for node in nodes:  # parents stand before children
        ranks[node.name] = 1 + max((ranks[p] for p in node.parents if p in ranks), default=-1)
    for node in nodes:
        if not node.parents:
            readers = [ranks[n.name] for n in nodes if node.name in n.parents]
            ranks[node.name] = min(readers, default=1) - 1
    return ranks


def _places(nodes: Sequence[Node], ranks: dict[str, int]) -> tuple[dict[str, tuple[float, float]], list[str]]:
    """Top left corner of every box that is drawn, and the boxes."""
    places: dict[str, tuple[float, float]] = {}
    drawn: list[str] = []
    for rank in range(max(ranks.values()) + 1):
        row = [n for n in nodes if ranks[n.name] == rank]
        shown = row[:A_ROW]
        left = (WIDTH - len(shown) * BOX - (len(shown) - 1) * GAP) / 2
        for i, node in enumerate(shown):
            x, y = left + i * (BOX + GAP), rank * STEP + 4.0
            places[node.name] = (x, y)
            drawn.append(_box(x, y, node))
        if len(row) > A_ROW:
            drawn.append(f'<text class="detail" x="{WIDTH - 12}" y="{rank * STEP + 26}">+{len(row) - A_ROW}</text>')
    return places, drawn


def _box(x: float, y: float, node: Node) -> str:
    version = node.name.split("/")[-1]
    return (
        f'<rect x="{x:g}" y="{y:g}" width="{BOX}" height="{HIGH}" rx="6"/>'
        f'<text class="title" x="{x + 12:g}" y="{y + 18:g}">{escape(node.title)}</text>'
        f'<text class="detail" x="{x + BOX - 12:g}" y="{y + 35:g}" text-anchor="end">{escape(node.detail)}</text>'
        f'<text class="version" x="{x + 12:g}" y="{y + 35:g}">{escape(version)}</text>'
    )


def _edge(start: tuple[float, float], end: tuple[float, float]) -> str:
    x0, y0, x1, y1 = start[0] + BOX / 2, start[1] + HIGH, end[0] + BOX / 2, end[1]
    if x0 == x1 and y1 - y0 > STEP:  # around the boxes in between
        side = x0 + BOX / 2
        return (
            f'<path d="M{side:g},{y0 - HIGH / 2:g} C{side + 60:g},{y0 - HIGH / 2:g} {side + 60:g},{y1 + HIGH / 2:g} '
            f'{side:g},{y1 + HIGH / 2:g}"/>'
        )
    middle = (y1 - y0) / 2
    return f'<path d="M{x0:g},{y0:g} C{x0:g},{y0 + middle:g} {x1:g},{y1 - middle:g} {x1:g},{y1:g}"/>'
