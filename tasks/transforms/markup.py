"""标记量 markup: how deep a page nests and how many attributes one tag has, before any parser sees it.

Parsers are quadratic in both: 200,000 nested elements or 700,000 attributes on one tag take an HTML parser minutes, and
libxml2 drops whatever lies deeper than 255 elements without a word. Pages that are plainly harmless, nearly all, are
told by counting, in a sixth of the time that parsing takes.
"""

from __future__ import annotations

import re
from typing import NamedTuple

MAX_DEPTH = 1000  # a page of the real web is rarely deeper than 60; a parser that is quadratic needs 0.02 s for this
MAX_ATTRIBUTES = 2000  # on one tag

# Elements that close themselves or are habitually left open say nothing about depth: void elements, p, li, td, ...
_OPEN_ENDED = {
    "br", "img", "input", "hr", "meta", "link", "area", "base", "col", "embed", "source", "track", "wbr", "param",
    "p", "li", "td", "tr", "th", "dd", "dt", "option", "thead", "tbody", "tfoot", "colgroup", "html", "head", "body",
}  # fmt: skip
_LONG_TAG = re.compile(rb"<[A-Za-z][^<>]{20000,}")
_HALF_OF_IT = 10_000  # bytes: a long tag has a window of this size, at one of its multiples, without "<"
_WINDOW = 8192  # bytes whose tags are counted together
_HIDDEN = re.compile(rb"<!--.*?-->|<(script|style|textarea|title)\b.*?</\1\s*>", re.I | re.S)
_TAG = re.compile(rb"<(/?)([A-Za-z][A-Za-z0-9]*)")


class Load(NamedTuple):
    """The deepest nesting (an upper bound below MAX_DEPTH) and the most `=` signs in one tag."""

    depth: int
    attributes: int

    @property
    def is_bomb(self) -> bool:
        """Whether a parser should not be given this page."""
        return self.depth > MAX_DEPTH or self.attributes > MAX_ATTRIBUTES


def markup_load(body: bytes) -> Load:
    """Measure ASCII-compatible markup. Pages without that many tags are not looked at closely."""
    attributes = 0
    if any(body.find(b"<", i, i + _HALF_OF_IT) < 0 for i in range(0, len(body) - _HALF_OF_IT, _HALF_OF_IT)):
        attributes = max((max(tag.count(b"="), len(tag.split())) for tag in _LONG_TAG.findall(body)), default=0)
    depth = _rough_depth(body)
    if depth > MAX_DEPTH:
        depth = _depth(_HIDDEN.sub(b"", body))
    return Load(depth, attributes)


def _rough_depth(body: bytes) -> int:
    """Most open tags at any point, comments too: never less than the depth, but for tags closed in comments."""
    deepest = depth = 0
    for start in range(0, len(body), _WINDOW):
        end = start + _WINDOW
        closed = body.count(b"</", start, end)
        opened = body.count(b"<", start, end) - closed
        deepest = max(deepest, depth + opened)
        depth = max(depth - closed, 0) + opened  # the deepest end: whatever closes does so before anything opens
    return deepest


def _depth(body: bytes) -> int:
    deepest = depth = 0
    for closing, name in _TAG.findall(body):
        if name.lower().decode("ascii") in _OPEN_ENDED:
            continue
        depth = max(0, depth - 1) if closing else depth + 1
        deepest = max(deepest, depth)
    return deepest
