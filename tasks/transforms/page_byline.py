"""署名 page byline: who wrote a page and which site published it, as the page states; None where it does not say.

Author: JSON-LD, a labelled byline (作者：, 文/, 记者), <meta name=author>, rel or itemprop "author". Meta elements come
late because publishing systems put numbers, their own name or the site's there. An editor (责任编辑) is no author.
Site: og:site_name, application-name, JSON-LD publisher, the tail of <title> that names a site, meta source and 来源：,
which on reprints is the medium that the text came from and so comes last.
"""

from __future__ import annotations

import re
from typing import Any

from tasks.transforms.page_meta import after, flat, name_in

MAX_NAME_CHARS = 40
MAX_TAIL_CHARS = 20  # of the last part of a title that repeats the heading; longer ones are slogans
_ARTICLES = ("Article", "NewsArticle", "BlogPosting", "TechArticle", "Report", "DiscussionForumPosting", "WebPage")
_AUTHOR_META = ("article:author", "og:article:author", "author", "dc.creator", "dcterms.creator", "byl")
_SITE_META = ("og:site_name", "application-name", "apple-mobile-web-app-title", "site_name", "sitename")
_SPACE = r"(?:\s|&[a-z]{2,6};|<[^>]{0,200}>)"
_COLON = rf"{_SPACE}{{0,3}}[:：丨|/]{_SPACE}{{0,8}}"  # without it a label is a word of the text
_PERSON = r"(?:[\u4e00-\u9fff·]{2,12}?|[A-Za-z][A-Za-z0-9_.\-]{1,19}(?: [A-Z][A-Za-z.\-]{1,19})?)"
_END = rf"(?={_SPACE}|$|[（(）)】\]|/丨，,;；。]|责任|责编|编辑|来源|日期|时间|发布)"
_SHORT = r"[\u4e00-\u9fff]{2,4}?"  # a name of two to four characters: what follows 记者 or 文 is often no name
_BYLINES = {
    "作者": re.compile(rf"{_COLON}({_PERSON}(?:、{_PERSON}){{0,4}}?){_END}"),
    "文": re.compile(rf"[丨|/]\s?({_SHORT}){_END}"),
    "记者": re.compile(rf"{_SPACE}?[:：丨|/]?{_SPACE}{{1,8}}({_SHORT}(?:[、 ]{_SHORT}){{0,4}}?)(?=[）)】\]])"),
}
_SOURCE = re.compile(rf"{_COLON}([\u4e00-\u9fffA-Za-z0-9·.\-]{{2,20}}?){_END}")
_MARKS = ('rel="author"', 'itemprop="author"')
_MARKED = re.compile(rf"""[^>]{{0,200}}>{_SPACE}{{0,8}}([^<>{{}}]{{2,40}})<""")
_NOBODY = re.compile(
    r"[\d\W_]*|.*(?:评论员|部长|主任|教授|博士|院长|编辑部|版权|所有)|.*(?:https?:|//|@).*|(?:佚名|未知|网络|網絡|匿名|不详|原创|转载|本站|本网|小编|编辑|作者|记者|责编|"
    r"管理员|admin|administrator|root|author|editor|unknown|none|null|undefined)|.*\b(?:Team|Inc|Ltd|CMS)\b.*",
    re.I,
)
_SITE_ENDS = re.compile(
    r"[^的，。！？]{0,12}(?:网|網|网站|網站|报|報|社|论坛|論壇|社区|社區|博客|百科|在线|频道|頻道|新闻|资讯|資訊|官网|站|小筑|"
    r"文库|图书馆|电视台|日报|晚报)|[A-Za-z][\w. ]{0,20}(?:Docs?|Blog|Wiki|\.(?:com|cn|net|org)(?:\.cn)?)",
    re.I,
)
_SITE_BREAK = re.compile(
    r"\s*[_|｜»]+\s*|\s+[-\u2013\u2014·•]+\s+|-{2,}|(?<=[\u4e00-\u9fff】」》”？！])-(?=[\u4e00-\u9fff])"
)


def author(metas: dict[str, str], linked: list[dict[str, Any]], html: str, site: str | None) -> str | None:
    """Who the page says wrote it. `site`, the name of the site, is nobody."""
    articles = [n for n in linked if set(_kinds(n)) & set(_ARTICLES)]
    stated = [name_in(n.get("author")) for n in articles]
    stated.append(_labelled(html))
    stated += [metas.get(name) for name in _AUTHOR_META]
    stated += (name for mark in _MARKS for name in after(mark, _MARKED, html, 1))
    return next((name for text in stated if (name := _somebody(text, site))), None)


def site_name(
    metas: dict[str, str], linked: list[dict[str, Any]], html: str, title: str, heading: str | None
) -> str | None:
    """Which site the page says it belongs to. `title` is the whole content of <title>, `heading` the h1."""
    tails: list[str] = _SITE_BREAK.split(title)[:0:-1]
    stated: list[str | None] = [metas.get(name) for name in _SITE_META]
    stated += [name_in(n.get("publisher")) for n in linked]
    stated += [name_in(n) for n in linked if "WebSite" in _kinds(n)]
    named: list[str] = sorted((t for t in tails if _SITE_ENDS.fullmatch(t)), key=str.isascii)
    stated += named  # 财经网 before CAIJING.COM.CN
    if heading and title.startswith(heading):
        stated += [t for t in tails[:1] if title.endswith(t) and len(t) <= MAX_TAIL_CHARS]
    stated.append(re.sub(r"^来源\s*[:：]\s*", "", metas.get("source", "")))
    stated += after("来源", _SOURCE, html)
    names = (flat(text) for text in stated)
    return next((n for n in names if 2 <= len(n) <= MAX_NAME_CHARS and not _NOBODY.fullmatch(n)), None)


def _kinds(node: dict[str, Any]) -> list[str]:
    kinds = node.get("@type")
    return [k for k in (kinds if isinstance(kinds, list) else [kinds]) if isinstance(k, str)]


def _labelled(html: str) -> str | None:
    found = (name for label, pattern in _BYLINES.items() for name in after(label, pattern, html))
    return next((name for name in found if not _NOBODY.fullmatch(name)), None)


def _somebody(text: str | None, site: str | None) -> str | None:
    name = flat(text).strip("：:、，, ")
    if not 2 <= len(name) <= MAX_NAME_CHARS or _NOBODY.fullmatch(name) or name == site:
        return None
    return name
