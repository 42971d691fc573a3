"""页面事实 page facts: what a page says about itself beside its text: title, date, author, site and own address.

Title: og:title, else the h1 that the <title> repeats, else <title> without the site's name, else h1. The others stand
in page_date, page_byline and page_meta. Each is null when the page does not say.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from resiliparse.parse.html import HTMLTree

from tasks.transforms.page_byline import author, site_name
from tasks.transforms.page_date import page_date
from tasks.transforms.page_meta import canonical_url, flat, json_ld, meta_elements

MAX_TITLE_CHARS = 300
MAX_BYLINE_CHARS = 100_000  # of a page that are searched for labels such as 作者：
_SITE_BREAK = re.compile(
    r"\s*[_|｜»]+\s*|\s+[-\u2013\u2014·•]+\s+|-{2,}"
)  # a lone hyphen belongs to words (Debian-Edu)


class Stated(NamedTuple):
    """What a page states; None where it does not say. The date is ISO."""

    title: str | None
    date: str | None
    author: str | None
    site_name: str | None
    canonical_url: str | None


def page_facts(tree: HTMLTree, html: str, url: str) -> Stated:
    """What a page says about itself."""
    metas, linked = meta_elements(html), json_ld(html)
    top = html[:MAX_BYLINE_CHARS]
    heading = _heading(tree.document)
    site = site_name(metas, linked, top, flat(tree.title), heading)
    return Stated(
        title=_title(metas, flat(tree.title), heading, site),
        date=page_date(metas, linked, top, url),
        author=author(metas, linked, top, site),
        site_name=site,
        canonical_url=canonical_url(html, url),
    )


def _title(metas: dict[str, str], full: str, heading: str | None, site: str | None) -> str | None:
    stated = flat(metas.get("og:title"))
    if stated:
        return without_site(stated, site)
    if heading and (not full or (heading in full and heading not in _SITE_BREAK.split(full)[1:])):
        return heading[:MAX_TITLE_CHARS]
    return without_site(full, site) if full else None


def _heading(document: Any) -> str | None:
    """The first of three h1 that has text. Most pages have one, near the top: the walk ends there."""
    first = document.query_selector("h1") if document else None
    if first is None:
        return None
    others = () if flat(first.text) else document.query_selector_all("h1")[1:3]
    return next((text for heading in (first, *others) if (text := flat(heading.text))), None)


def without_site(title: str, site: str | None = None) -> str:
    """Turn 秋天_散文_某某网 into 秋天; a leading site name goes as well when the page states it."""
    parts = [p for p in _SITE_BREAK.split(title) if p]
    if len(parts) > 1 and site and parts[0] == site:
        parts = parts[1:]
    if len(parts) == 1 and site and title.endswith(f"-{site}"):
        return title.removesuffix(f"-{site}")[:MAX_TITLE_CHARS]
    return (parts[0] if parts else title)[:MAX_TITLE_CHARS]
