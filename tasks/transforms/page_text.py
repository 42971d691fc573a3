"""网页到文本 page to text: what the killable worker does with one page. Imports neither Prefect nor polars.

The order is cheap checks first: size of markup, decoding, then parsing. A page that must not be parsed, cannot be
decoded or holds no text comes back with a reason.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from tasks.transforms.decode import Decoded, decode
from tasks.transforms.main_text import Wanted, lines_of, main_text
from tasks.transforms.markup import markup_load

MAX_DAMAGED_RATIO = 0.05  # share of U+FFFD above which a page counts as not decoded; one bad byte in 20 characters


class Page(NamedTuple):
    """One page as it goes to the worker, and what is wanted of it."""

    body: bytes
    content_type: str | None
    url: str
    wanted: Wanted = Wanted()


def page_text(page: Page) -> dict[str, Any]:
    """Columns of one document: text, those of `Stated`, encoding, decoded_by, extractor, reason (null with text)."""
    decoded = decode(page.body, page.content_type)
    found: dict[str, Any] = {"encoding": decoded.encoding, "decoded_by": decoded.how}
    if decoded.damaged_ratio > MAX_DAMAGED_RATIO:
        return found | {
            "reason": "undecodable",
            "error": f"{decoded.damaged_ratio:.0%} of it is not {decoded.encoding}",
        }
    if is_plain_text(page.content_type):
        return _with_text(found, {"text": lines_of(decoded.text, keep_indent=True), "extractor": "plain"})
    load = markup_load(page.body if decoded.how not in ("utf-16", "bom") else decoded.text.encode("utf-8", "replace"))
    if load.is_bomb:
        return found | {
            "reason": "markup_bomb",
            "error": f"{load.depth} levels, {load.attributes} attributes on one tag",
        }
    return _with_text(found, _html(decoded, page))


def _html(decoded: Decoded, page: Page) -> dict[str, Any]:
    found = main_text(decoded.text, page.url, page.wanted)
    return {"text": found.text, **found.facts._asdict(), "extractor": found.extractor}


def _with_text(found: dict[str, Any], more: dict[str, Any]) -> dict[str, Any]:
    return found | more | {"reason": None if more["text"] else "no_main_text"}


def is_plain_text(content_type: str | None) -> bool:
    """Whether the header says text without markup."""
    return (content_type or "").split(";")[0].strip().lower() == "text/plain"
