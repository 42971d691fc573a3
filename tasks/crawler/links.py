"""链接 links: what a page points at, read from its bytes in one linear pass.

No tree is built: a tree of 200,000 nested elements or of 10 MB of attributes takes every HTML library here longer than
18 seconds, and one such page must not hold a crawl. Only the tags that matter are looked at; comments, scripts and
styles are skipped as the HTML standard says. All bytes of the markup itself are ASCII in every encoding of the Chinese
web but UTF-16, so the encoding is asked for only when an address holds other bytes.
"""

from __future__ import annotations

import html
import re
from dataclasses import dataclass, field
from typing import NamedTuple

from tasks.crawler import urls
from tasks.transforms import decode

MAX_LINKS = 20_000  # of one page
MAX_ATTRIBUTES = 100  # of one tag that are looked at
FEED_TYPES = frozenset({b"application/rss+xml", b"application/atom+xml", b"application/rdf+xml"})
REFRESH_SECONDS = 10  # a page that sends its reader away later than this is a page, not a redirect

_START = re.compile(
    rb"<(?:(!--)|(script|style|textarea|title|xmp)(?=[\s/>])"
    rb"|(a|area|base|meta|link|frame|iframe|/?noscript)(?=[\s/>]))",
    re.I,
)
_CLOSE = {
    name: re.compile(rb"</" + name + rb"(?=[\s/>])", re.I)
    for name in (b"script", b"style", b"textarea", b"title", b"xmp")
}
# Possessive quantifiers (*+): what was read is never given back, so no input takes more than one pass.
_GAP = re.compile(rb"[\s/=]*+")
_ATTRIBUTE = re.compile(rb"""(>)|([^\s=>/]++)(?:\s*+=\s*+(?:"([^"]*+)"|'([^']*+)'|([^\s>"'][^\s>]*+)|(?=>)))?""")
_UNCLOSED = re.compile(rb"""\s*+=\s*+["']""")
_REFRESH = re.compile(rb"""\s*+([0-9]*+)(?:\.[0-9]*+)?\s*+[;,]\s*+(?:url\s*+=\s*+)?["']?([^"']+)""", re.I)


class Policy(NamedTuple):
    """What of a page's own words about its links is listened to."""

    nofollow: bool = True  # links and pages that say nofollow lead nowhere
    canonical: bool = True  # a page that names another URL as the canonical one stands back behind it
    feeds: bool = True  # feeds that a page names are links


POLICY = Policy()


@dataclass
class Markup:
    """The raw addresses of a page, as bytes between the quotes."""

    policy: Policy
    hrefs: list[bytes] = field(default_factory=list)
    base: bytes | None = None
    refresh: bytes | None = None
    canonical: bytes | None = None
    nofollow: bool = False


def scan(body: bytes, policy: Policy = POLICY) -> Markup:
    """Read addresses from HTML bytes in an ASCII-compatible encoding. Never raises; anything unclosed ends the page."""
    found = Markup(policy)
    in_noscript = False
    place = 0
    while start := _START.search(body, place):
        comment, raw, tag = start.groups()
        if comment:
            end = body.find(b"-->", start.end() - 2)  # <!--> is a whole comment
            if end < 0:
                break
            place = end + 3
        elif raw:
            close = _CLOSE[raw.lower()].search(body, start.end())
            if close is None:
                break
            place = close.end()
        else:
            name = tag.lower()
            attributes, place = _attributes(body, start.end())
            if place < 0 or len(found.hrefs) >= MAX_LINKS:
                break
            if name.endswith(b"noscript"):
                in_noscript = name == b"noscript"
            else:
                _take(found, name, attributes, in_noscript)
    return found


def _attributes(body: bytes, place: int) -> tuple[dict[bytes, bytes], int]:
    """Attributes of the tag whose name ends at `place`, and where the tag ends (-1: never)."""
    attributes: dict[bytes, bytes] = {}
    for _ in range(MAX_ATTRIBUTES):
        gap = _GAP.match(body, place)
        one = _ATTRIBUTE.match(body, gap.end() if gap else place)
        if one is None:
            return attributes, -1  # the page ends inside the tag
        place = one.end()
        if one[1]:
            return attributes, place
        if _UNCLOSED.match(body, place):
            return attributes, -1  # a quote that nothing closes swallows the rest of the page
        attributes.setdefault(one[2].lower(), one[3] or one[4] or one[5] or b"")
    end = body.find(b">", place)
    return attributes, end + 1 if end >= 0 else -1


def _take(found: Markup, name: bytes, attributes: dict[bytes, bytes], in_noscript: bool) -> None:
    if name in (b"a", b"area"):
        refused = found.policy.nofollow and b"nofollow" in attributes.get(b"rel", b"").lower()
        if (href := attributes.get(b"href")) and not refused:
            found.hrefs.append(href)
    elif name == b"link":
        _take_link(found, attributes.get(b"href"), attributes)
    elif name in (b"frame", b"iframe"):
        if source := attributes.get(b"src"):
            found.hrefs.append(source)
    elif name == b"base":
        if found.base is None and (href := attributes.get(b"href")):
            found.base = href
    elif attributes.get(b"name", b"").lower() in (b"robots", b"ziliu"):
        words = attributes.get(b"content", b"").lower()
        found.nofollow = found.nofollow or (found.policy.nofollow and (b"nofollow" in words or b"none" in words))
    elif attributes.get(b"http-equiv", b"").lower() == b"refresh" and not in_noscript and found.refresh is None:
        target = _REFRESH.match(attributes.get(b"content", b""))
        if target and int(target[1] or b"0") <= REFRESH_SECONDS:
            found.refresh = target[2].strip()


def _take_link(found: Markup, href: bytes | None, attributes: dict[bytes, bytes]) -> None:
    words = attributes.get(b"rel", b"").lower().split()
    if href and b"canonical" in words and found.policy.canonical and found.canonical is None:
        found.canonical = href
    elif href and b"alternate" in words and attributes.get(b"type", b"").lower().strip() in FEED_TYPES:
        found.hrefs += [href] if found.policy.feeds else []


@dataclass(frozen=True)
class Links:
    """URLs: `links` in the order of the page, no repeats; `refresh` is where the page sends its reader.

    `canonical` is the URL by which the page wants to be known, when that is another one.
    """

    links: tuple[str, ...] = ()
    refresh: str | None = None
    canonical: str | None = None


def extract(url: str, body: bytes, content_type: str | None, policy: Policy = POLICY) -> Links:
    """Links of an HTML page whose content-encoding is undone. A page that says nofollow gives its refresh only."""
    utf16 = b"\0" in body[:1024]
    if utf16:
        body = decode.decode(body, content_type).text.encode("utf-8", "replace")
    found = scan(body, policy)
    charset: str | None = "utf-8" if utf16 else None

    def resolve(base: str, raw: bytes) -> str | None:
        nonlocal charset
        if len(raw) > 8 * urls.MAX_URL_CHARS:
            return None
        try:
            text = raw.decode("ascii")
            query_charset = "utf-8"
        except UnicodeDecodeError:
            charset = charset or decode.decode(body, content_type).encoding
            text, query_charset = raw.decode(charset, "replace"), charset
        if "&" in text:
            text = html.unescape(text)
            if not text.isascii():
                query_charset = charset = charset or decode.decode(body, content_type).encoding
        return urls.join(base, text, "utf-8" if query_charset.startswith("utf-16") else query_charset)

    base = (resolve(url, found.base) if found.base else None) or url
    refresh = resolve(base, found.refresh) if found.refresh else None
    if refresh == url:
        refresh = None  # a page that reloads itself
    canonical = resolve(base, found.canonical) if found.canonical else None
    if canonical == url or (canonical and urls.origin_of(canonical) + "/" == canonical):
        canonical = None  # templates that name the front page on every page are a common mistake
    if found.nofollow:
        return Links((), refresh, canonical)
    unique = dict.fromkeys(link for raw in found.hrefs if (link := resolve(base, raw)) and link != url)
    return Links(tuple(unique), refresh, canonical)


def location(url: str, raw: bytes) -> str | None:
    """Target of a Location header: UTF-8 when its bytes are, else GB18030, as Chinese servers send it."""
    try:
        return urls.join(url, raw.decode("utf-8"))
    except UnicodeDecodeError:
        return urls.join(url, raw.decode("gb18030", "replace"), "gb18030")
