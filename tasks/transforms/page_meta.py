"""页面自述 page meta: what a page states about itself for machines: <meta>, JSON-LD, <link rel=canonical>.

By pattern, not by the tree: ten times as fast, and a page that breaks its own statements is read as far as it goes.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterator
from html import unescape
from typing import Any
from urllib.parse import urljoin, urlsplit, urlunsplit

_HEAD_CHARS = 50_000  # of a page whose head has no end
_META = re.compile(r"<meta\b[^>]{0,4000}>", re.I)
_ATTRIBUTE = re.compile(r"""([\w:-]+)\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+))""")
_LD_TYPE = "application/ld+json"
_MAX_BLOCKS, _MAX_NODES, _MAX_TAG_CHARS = 8, 200, 2000  # JSON-LD of a page that goes on for ever
_SPACES = re.compile(r"\s+")


def flat(text: str | None) -> str:
    """One line without white space at its ends; "" for nothing."""
    return _SPACES.sub(" ", text or "").strip()


def after(label: str, pattern: re.Pattern[str], html: str, looks: int = 5) -> Iterator[str]:
    """What follows the first `looks` places of a label; finding the label first is a hundred times as fast."""
    place = html.find(label) if label[0] in html else -1  # one character, absent, is told ten times as fast as two
    while place >= 0 and looks > 0:
        if found := pattern.match(html, place + len(label)):
            yield flat(unescape(found[1]))
        place = html.find(label, place + 1)
        looks -= 1


def meta_elements(html: str) -> dict[str, str]:
    """Content of the <meta> elements of a page's head by property, name or itemprop in lower case; the first wins."""
    end = html.find("</head>")
    found: dict[str, str] = {}
    for tag in _META.findall(html, 0, end if end >= 0 else _HEAD_CHARS):
        attributes = _attributes(tag)
        name = attributes.get("property") or attributes.get("name") or attributes.get("itemprop")
        if name and flat(attributes.get("content")):
            found.setdefault(name.lower().replace(" ", ""), unescape(attributes["content"]))
    return found


def _attributes(tag: str) -> dict[str, str]:
    return {name.lower(): value or bare or single for name, value, single, bare in _ATTRIBUTE.findall(tag)}


def json_ld(html: str) -> list[dict[str, Any]]:
    """Every object of a page's JSON-LD that has a type, outermost first; blocks that are no JSON are passed over."""
    found: list[dict[str, Any]] = []
    place = html.find(_LD_TYPE)
    for _ in range(_MAX_BLOCKS):
        start = html.find(">", place, place + _MAX_TAG_CHARS) + 1 if place >= 0 else 0
        end = html.find("</script", start) if start else -1
        if end < 0:
            break
        with contextlib.suppress(ValueError, RecursionError):
            found.extend(_typed(json.loads(html[start:end], strict=False)))
        place = html.find(_LD_TYPE, end)
    return found[:_MAX_NODES]


def _typed(value: Any) -> Iterator[dict[str, Any]]:
    """Objects at the top, in a list, or in @graph: the only places where publishers put their page."""
    for node in value if isinstance(value, list) else [value]:
        if isinstance(node, dict):
            if "@type" in node:
                yield node
            if isinstance(node.get("@graph"), list):
                yield from (n for n in node["@graph"] if isinstance(n, dict) and "@type" in n)


def name_in(value: Any) -> str | None:
    """The name that a JSON-LD value stands for: a text, an object with a name, or the first of a list."""
    if isinstance(value, list):
        return next((name for v in value[:5] if (name := name_in(v))), None)
    if isinstance(value, dict):
        value = value.get("name")
    return flat(unescape(value)) or None if isinstance(value, str) else None


def canonical_url(html: str, url: str) -> str | None:
    """The address that the page calls its own (rel=canonical), absolute, without fragment; None when it states none.

    Only http(s) addresses with a host count. The one that the page was fetched from counts as none.
    """
    href, place = "", html.find("canonical")
    for _ in range(_MAX_BLOCKS):
        start = html.rfind("<", max(0, place - _MAX_TAG_CHARS), place) if place >= 0 else -1
        if start < 0:
            break
        tag = html[start : html.find(">", place, place + _MAX_TAG_CHARS) + 1]
        attributes = _attributes(tag) if tag[:5].lower() == "<link" else {}
        if attributes.get("rel", "").lower() == "canonical":
            href = flat(unescape(attributes.get("href", "")))
            break
        place = html.find("canonical", place + 1)
    if not href:
        return None
    try:
        parts = urlsplit(urljoin(url, href))
        host = parts.hostname
    except ValueError:
        return None
    stated = urlunsplit(parts._replace(fragment="", path=parts.path or "/"))
    return stated if parts.scheme in ("http", "https") and host and "@" not in parts.netloc and stated != url else None
