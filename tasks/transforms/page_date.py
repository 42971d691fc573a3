"""发布日期 page date: the day on which a page says that it was published, ISO form; None when it does not say.

The first of these that holds a day of the calendar between 1990 and 2100: <meta>, JSON-LD, the scripts of well-known
publishing systems, <time>, the URL, a labelled date (发布时间：2024年5月15日), a date and clock in an element that is
named after it (class="pub-time"). Only what the page labels counts: a date in the text says what it is about.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterable, Iterator
from typing import Any

from tasks.transforms.page_meta import after

_META = (
    "article:published_time", "og:published_time", "og:article:published_time", "datepublished", "pubdate",
    "publishdate", "publish_date", "publish-date", "published_time", "date", "dc.date", "dc.date.issued",
    "dcterms.created", "weibo:article:create_at", "og:release_date", "bytedance:published_time", "apub:time",
)  # fmt: skip
_JSON_LD = ("datePublished", "dateCreated", "uploadDate")
_DAY = re.compile(r"(?<!\d)(19[9]\d|20\d\d)\s*(?:[-/.]|年)\s*(\d{1,2})\s*(?:[-/.]|月)\s*(\d{1,2})(?!\d)")
_YEARS = (
    "199",
    r"20\d",
)  # first digits: a pattern that begins with two is found at 1 GB a CPU second, one with a choice not
_LIKE_A_DAY = tuple(  # where neither matches no pattern of a day does
    re.compile(rf"{years}\d(?:\s*[-/.年]\s*\d{{1,2}}\s*[-/.月]\s*\d|[01]\d[0-3]\d)") for years in _YEARS
)
_COMPACT_DAY = re.compile(r"(?<!\d)(19[9]\d|20\d\d)(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])(?!\d{1,5}(?!\d))")
_URL_DAY = re.compile(
    r"/(?:[a-z]_?)?(19[9]\d|20\d\d)[-/_]?(0?[1-9]|1[0-2])[-/_]?(0[1-9]|[12]\d|3[01])(?=[-/_.]|$)", re.I
)
_SCRIPT_KEYS = (
    "datePublished", "dateCreated", "pubDate", "pubtime", "publishTime", "publish_time", "newsTime", "createTime",
)  # fmt: skip
_SCRIPT = re.compile(r"""["']?\s*[:=]\s*["']([^"']{8,40})["']""")
_TIME = re.compile(r"""<time\b[^<>]{0,200}?\bdatetime=["']?([^"'>]{8,40})""", re.I)
_LABELS = ("发布", "發佈", "發布", "发表", "發表", "更新", "刊登", "时间", "時間", "日期")
_LABELLED = re.compile(
    r"[^<>\d]{0,12}(?:<[^>]{0,80}>\s*){0,3}((?:19[9]\d|20\d\d)\s*(?:[-/.]|年)\s*\d{1,2}\s*(?:[-/.]|月)\s*\d{1,2})"
)
_LOOKS = 20  # places of a label: 时间 is also a word of the text
_CLOCKED = tuple(
    re.compile(rf"{years}\d\s*(?:[-/.]|年)\s*\d{{1,2}}\s*(?:[-/.]|月)\s*\d{{1,2}}日?\s+\d{{1,2}}:\d\d")
    for years in _YEARS
)
_NAMED = re.compile(
    r"""<(?:span|div|p|em|i|li|td)\b[^>]{0,100}\b(?:class|id)=["'][^"'>]{0,60}?(?:time|date|pub)[^>]{0,100}>""", re.I
)
_TAG_CHARS = 500  # before a day and clock, in which the tag of its element is looked for


def page_date(metas: dict[str, str], linked: list[dict[str, Any]], html: str, url: str) -> str | None:
    """The day of publication that a page states. `metas` and `linked` are its <meta> elements and its JSON-LD."""
    stated = [metas.get(name, "") for name in _META]
    stated += [node[key] for node in linked for key in _JSON_LD if isinstance(node.get(key), str)]
    if day := _first(stated):
        return day
    has_days = any(pattern.search(html) for pattern in _LIKE_A_DAY)
    if has_days and (day := _first(text for key in _SCRIPT_KEYS for text in after(key, _SCRIPT, html))):
        return day
    if has_days and (day := _first(found[1] for found in [_TIME.search(html)] if found)):
        return day
    if (parts := _URL_DAY.search(url)) and (day := _day(*parts.groups())):
        return day
    if not has_days:
        return None
    return _first(text for label in _LABELS for text in after(label, _LABELLED, html, _LOOKS)) or _first(_named(html))


def _named(html: str) -> Iterator[str]:
    """Every day with a clock that begins an element which is named after it."""
    for found in sorted((m for pattern in _CLOCKED for m in pattern.finditer(html)), key=lambda m: m.start()):
        before = html[max(0, found.start() - _TAG_CHARS) : found.start()].rstrip()
        if _NAMED.fullmatch(before, max(0, before.rfind("<"))):
            yield found[0]


def _first(texts: Iterable[str]) -> str | None:
    return next((day for text in texts if (day := iso_day(text))), None)


def iso_day(text: str) -> str | None:
    """The first day of the calendar in a text, as ISO; None when there is none."""
    for pattern in (_DAY, _COMPACT_DAY):
        for found in pattern.finditer(text):
            if day := _day(*found.groups()):
                return day
    return None


def _day(year: str, month: str, day: str) -> str | None:
    try:
        return datetime.date(int(year), int(month), int(day)).isoformat()
    except ValueError:
        return None
