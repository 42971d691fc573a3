"""坏文本 planted texts: pages whose text a right pipeline refuses, and forum posts with synthetic personal data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from html import escape

from deployments.demo import personal_data, templates
from deployments.demo.answers import Answer
from deployments.demo.sections import MENU, MISCELLANY, leaves
from deployments.demo.templates import FOOTER, UTF8_META, Page
from deployments.demo.texts import Text, own

# Loopback only: pages of this project never link to private or metadata addresses.
FORBIDDEN = ("http://127.0.0.1:9/", "http://127.0.0.1:9/admin/")
TEMPLATES: dict[str, Callable[[Page], str]] = {
    "news": templates.news,
    "blog": templates.blog,
    "forum": templates.forum,
    "table": templates.old_table,
}


def _page(text: Text, template: str, **more: str) -> Answer:
    page = Page(text=text, section=(f"/{MISCELLANY[0]}/", MISCELLANY[1]), menu=MENU, **more)  # type: ignore[arg-type]
    return Answer(TEMPLATES[template](page).encode())


def shown(id_: str, path: str, template: str) -> Answer:
    """One of our own texts, its slots filled with the personal data of its page."""
    text = own()[id_]
    return _page(replace(text, text=personal_data.fill(path, text.text)[0]), template)


def repeated(id_: str, path: str) -> Answer:
    """A text whose paragraphs stand there six times."""
    text = own()[id_]
    return _page(replace(text, id=path, text="\n\n".join([text.text] * 6)), "news")


def menu() -> Answer:
    """Menus and lists of links, and nothing else."""
    links = [(leaf.path, leaf.page.text.title) for leaf in leaves().values() if leaf.path.startswith("/caipu/")]
    items = "\n".join(f'<li><a href="{escape(href)}">{escape(name)}</a></li>' for href, name in links)
    nav = "".join(f'<a href="{href}">{name}</a>' for href, name in MENU)
    html = f"""<!DOCTYPE html><html><head>{UTF8_META}<title>全站导航</title></head>
<body><nav>{nav}</nav><ul class="sitemap">{items}</ul><nav>{nav}</nav>{FOOTER}</body></html>"""
    return Answer(html.encode())


def keywords() -> Answer:
    """Search bait: words in rows without a single sentence or function word."""
    words = own()["keywords"].text.split()
    rows = [" ".join(words[n : n + 12]) for n in range(0, len(words), 12)]
    return _page(replace(own()["keywords"], text="\n\n".join(rows)), "news")


def digit_table() -> Answer:
    """A price list: every word with a number behind it."""
    words = own()["keywords"].text.split()
    priced = [f"{word}{personal_data.digits(f'price {n}', 3)}" for n, word in enumerate(words)]
    rows = [" ".join(priced[n : n + 8]) for n in range(0, len(priced), 8)]
    return _page(Text("digits", "今日报价", "\n\n".join(rows)), "table")


def calendar(number: int) -> Answer:
    """One page of an endless calendar; every page links to the next."""
    year, month = 2026 + (number - 1) // 12, (number - 1) % 12 + 1
    days = "".join(f"<td>{day}</td>" for day in range(1, 29))
    html = f"""<!DOCTYPE html><html><head>{UTF8_META}<title>{year}年{month}月日历</title></head>
<body><table><tr>{days}</tr></table><a href="/rili/?page={number + 1}">下个月</a></body></html>"""
    return Answer(html.encode())


def dead_links() -> Answer:
    """A text with links to ports of this machine that nobody may be sent to."""
    links = "".join(f'<li><a href="{url}">{url}</a></li>' for url in FORBIDDEN)
    return _page(own()["ports"], "news", extra=f"<ul>{links}</ul>")
