"""标记量 markup: how deep a page nests and how many attributes one tag has, before any parser sees it.

Parsers are quadratic in both: 200,000 nested elements or 700,000 attributes on one tag take an HTML parser minutes, and
libxml2 drops whatever lies deeper than 255 elements without a word. Counting costs about 1 % of parsing.
"""

from __future__ import annotations

import re
from typing import NamedTuple

import numpy as np

MAX_DEPTH = 1000  # a page of the real web is rarely deeper than 60; a parser that is quadratic needs 0.02 s for this
MAX_ATTRIBUTES = 2000  # on one tag

# Elements that close themselves or are habitually left open say nothing about depth: void elements, p, li, td, ...
_OPEN_ENDED = {
    "br", "img", "input", "hr", "meta", "link", "area", "base", "col", "embed", "source", "track", "wbr", "param",
    "p", "li", "td", "tr", "th", "dd", "dt", "option", "thead", "tbody", "tfoot", "colgroup", "html", "head", "body",
}  # fmt: skip
_LONG_TAG = re.compile(rb"<[A-Za-z][^<>]{20000,}")
_HIDDEN = re.compile(rb"<!--.*?-->|<(script|style|textarea|title)\b.*?</\1\s*>", re.I | re.S)
_TAG = re.compile(rb"<(/?)([A-Za-z][A-Za-z0-9]*)")


class Load(NamedTuple):
    """The deepest nesting (a lower bound below MAX_DEPTH) and the most `=` signs in one tag."""

    depth: int
    attributes: int

    @property
    def is_bomb(self) -> bool:
        """Whether a parser should not be given this page."""
        return self.depth > MAX_DEPTH or self.attributes > MAX_ATTRIBUTES


def markup_load(body: bytes) -> Load:
    """Measure ASCII-compatible markup. Pages without that many tags are not looked at closely."""
    attributes = max((max(tag.count(b"="), len(tag.split())) for tag in _LONG_TAG.findall(body)), default=0)
    depth = _rough_depth(body)
    if depth > MAX_DEPTH:
        depth = _depth(_HIDDEN.sub(b"", body))
    return Load(depth, attributes)


def _rough_depth(body: bytes) -> int:
    """Most open tags at any point when every tag counts: never less than the depth, and cheap."""
    content = np.frombuffer(body, dtype=np.uint8)
    after = content[np.flatnonzero(content[:-1] == ord("<")) + 1]
    opens = ((after | 0x20) >= ord("a")) & ((after | 0x20) <= ord("z"))
    steps = opens.astype(np.int64) - (after == ord("/"))
    return int(np.cumsum(steps).max(initial=0))


def _depth(body: bytes) -> int:
    deepest = depth = 0
    for closing, name in _TAG.findall(body):
        if name.lower().decode("ascii") in _OPEN_ENDED:
            continue
        depth = max(0, depth - 1) if closing else depth + 1
        deepest = max(deepest, depth)
    return deepest
