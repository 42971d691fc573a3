"""网址列表 lists: sitemaps (sitemaps.org: XML, index, text, gzip) and feeds (RSS 0.9 to 2.0, Atom) as sources of links.

Addresses are found by their tags, not by an XML parser: there are no entities to expand and nothing to nest.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator

from tasks.crawler import bodies, urls
from tasks.crawler.frontier import PAGE, SITEMAP

MAX_BYTES = 50 * 1024 * 1024  # sitemaps.org
MAX_URLS = 50_000  # sitemaps.org
_TEXT = rb"(?:\s{0,20}<!\[CDATA\[([^\]<]{1,2200})\]\]>|([^<]{1,2200})</"
_LOC = re.compile(rb"<loc>" + _TEXT + rb"loc>)")
_FEED = re.compile(rb"<(?:rss|feed|rdf:RDF)[\s>]", re.I)
_LINK = re.compile(rb"<link>" + _TEXT + rb"link>)|<link\s([^<>]{1,2200})>", re.I)
_HREF = re.compile(rb"""(?:^|\s)href\s{0,9}=\s{0,9}["']([^"']{1,2200})["']""", re.I)
_REL = re.compile(rb"""(?:^|\s)rel\s{0,9}=\s{0,9}["']([^"']{0,99})["']""", re.I)


def urls_of(url: str, body: bytes, *, sitemaps: bool = True, feeds: bool = True) -> tuple[int, tuple[str, ...]] | None:
    """What a sitemap or feed lists, and whether that is more of them or pages; None when the body is neither."""
    if body[:2] == b"\x1f\x8b":
        try:
            body = bodies.gunzip(body, MAX_BYTES)
        except (bodies.BodyTooLarge, bodies.BodyUnreadable):
            return None
    body = body.removeprefix(b"\xef\xbb\xbf")
    head = body[:4096]
    if sitemaps and (b"<sitemapindex" in head or b"<urlset" in head):
        kind = SITEMAP if b"<sitemapindex" in head else PAGE
        return kind, _targets(url, [match[1] or match[2] for match in _LOC.finditer(body)])
    if feeds and _FEED.search(head):
        return PAGE, _targets(url, list(_entries(body)))
    if sitemaps and head.lstrip()[:4] == b"http":
        return PAGE, _targets(url, [line.strip() for line in body[: 1 << 23].split(b"\n")])
    return None


def _entries(body: bytes) -> Iterator[bytes]:
    """Addresses of a feed's entries and of its next page (RFC 5005): RSS has them as text, Atom as attributes."""
    for found in _LINK.finditer(body):
        if text := found[1] or found[2]:
            yield text
        elif found[3] and (href := _HREF.search(found[3])):
            rel = _REL.search(found[3])
            if rel is None or rel[1].lower() in (b"alternate", b"next", b"prev-archive"):
                yield href[1]


def _targets(url: str, raw: list[bytes]) -> tuple[str, ...]:
    texts = (one.decode("utf-8", "replace") for one in raw[:MAX_URLS])
    found = (urls.join(url, html.unescape(text)) for text in texts)
    return tuple(dict.fromkeys(target for target in found if target and target != url))
