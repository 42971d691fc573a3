"""剪切 cuts: spans of a text widened to whole sentences, and the text without them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

Span = tuple[int, int]  # characters [start, stop)

_END = re.compile(r"[。！？!?…\n][」』”’）)]*")  # a sentence ends after this


def widened(text: str, spans: Iterable[Span], margin: int) -> list[Span]:
    """Spans with `margin` more characters on both sides and on to the next sentence, at most as far again.

    Merged where they touch, in order.
    """
    merged: list[Span] = []
    for start, stop in sorted(_wide(text, span, margin) for span in spans):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(stop, merged[-1][1]))
        else:
            merged.append((start, stop))
    return merged


def _wide(text: str, span: Span, margin: int) -> Span:
    near, far = max(0, span[0] - margin), max(0, span[0] - 2 * margin)
    ends = [m.end() for m in _END.finditer(text, far, near)]
    start = ends[-1] if ends else far
    near, far = span[1] + margin, span[1] + 2 * margin
    end = _END.search(text, near, far) or _END.match(text, far)
    return start, end.end() if end else min(len(text), far)


def without(text: str, spans: Sequence[Span]) -> str:
    """The text without some spans, which are in order and apart. Nothing is added where they were."""
    kept: list[str] = []
    at = 0
    for start, stop in spans:
        kept.append(text[at:start])
        at = stop
    kept.append(text[at:])
    return "".join(kept)
