"""网站 website: the whole sample site as a mapping from URL path to answer; a pure function of its base URL."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from html import escape
from urllib.parse import quote

from deployments.demo import planted, planted_bytes, planted_texts
from deployments.demo.answers import Answer
from deployments.demo.sections import MISCELLANY, SECTIONS, index_page, index_pages, leaves
from deployments.demo.templates import Link

DISALLOWED = "/neibu/"  # the folder that robots.txt closes
TRAP = "/rili/"  # an endless calendar
SITEMAP_URLS = 400  # URLs in one sitemap file
MODIFIED = "2026-02-01"

ROBOTS = """User-agent: *
Disallow: {disallowed}
Disallow: /*?print=
Allow: /

Sitemap: {base}/sitemap.xml
"""


@dataclass(frozen=True)
class Website:
    """The site under one base URL, such as `http://127.0.0.1:8765` (no slash at the end)."""

    base: str

    def answer(self, target: str) -> Answer | None:
        """What is answered for a path with its query, percent signs undone; None for a page that is not there."""
        trap = re.fullmatch(re.escape(TRAP) + r"(?:\?page=(\d{1,6}))?", target)
        if trap:
            return planted_texts.calendar(int(trap[1] or 1))
        return self.answers.get(target)

    @cached_property
    def answers(self) -> dict[str, Answer]:
        """Every URL of the site but the endless ones, planted pages over regular ones."""
        made = {path: Answer(leaf.html().encode()) for path, leaf in leaves().items()}
        for path, html in self._indices().items():
            made[path] = Answer(html.encode())
        for name in ("top", "side", "list"):
            made[f"/guanggao/{name}.png"] = planted_bytes.file("png")
        made |= planted.answers()
        made["/robots.txt"] = Answer(self.robots().encode(), "text/plain; charset=utf-8")
        return made | self._sitemaps()

    @cached_property
    def digest(self) -> str:
        """SHA-256 over all answers: equal digests mean equal sites."""
        total = sha256()
        for path, answer in sorted(self.answers.items()):
            total.update(
                f"{path}\0{answer.status}\0{answer.content_type}\0{answer.location}\0{answer.copies}\0".encode()
            )
            total.update(answer.body)
        return total.hexdigest()

    def robots(self) -> str:
        """robots.txt: one closed folder, one closed query, no delay."""
        return ROBOTS.format(disallowed=DISALLOWED, base=self.base)

    def _indices(self) -> dict[str, str]:
        links: dict[str, list[Link]] = {section.folder: [] for section in SECTIONS}
        for path, leaf in leaves().items():
            links[path.split("/")[1]].append((path, leaf.page.text.title))
        pages: dict[str, str] = {}
        for section in SECTIONS:
            pages |= index_pages(section.folder, section.name, links[section.folder])
        pages |= index_pages(*MISCELLANY, self._planted_links())
        front = [(f"/{s.folder}/", s.name) for s in SECTIONS] + [(f"/{MISCELLANY[0]}/", MISCELLANY[1]), (TRAP, "日历")]
        pages["/"] = index_page("首页", front + [link for s in SECTIONS for link in links[s.folder][:5]])
        return pages

    def _planted_links(self) -> list[Link]:
        """Links to the planted pages that no section lists."""
        regular = leaves()
        return [
            (case.path, case.what) for case in planted.cases() if case.path not in regular and case.make != planted.TRAP
        ]

    def _sitemaps(self) -> dict[str, Answer]:
        """A sitemap index and its files; like many real ones they also list what robots.txt closes."""
        paths = [
            p for p in [*leaves(), *(c.path for c in planted.cases())] if p.startswith("/") and not p.startswith(TRAP)
        ]
        unique = list(dict.fromkeys(paths))
        groups = [unique[n : n + SITEMAP_URLS] for n in range(0, len(unique), SITEMAP_URLS)]
        space = 'xmlns="http://www.sitemaps.org/schemas/sitemap/0.9"'
        start = '<?xml version="1.0" encoding="UTF-8"?>\n'
        files = {
            f"/sitemap_{n}.xml": start
            + f"<urlset {space}>\n"
            + "".join(f"<url><loc>{escape(self.url(p))}</loc><lastmod>{MODIFIED}</lastmod></url>\n" for p in group)
            + "</urlset>\n"
            for n, group in enumerate(groups, 1)
        }
        listed = "".join(f"<sitemap><loc>{self.base}{path}</loc></sitemap>\n" for path in files)
        files["/sitemap.xml"] = f"{start}<sitemapindex {space}>\n{listed}</sitemapindex>\n"
        return {path: Answer(text.encode(), "application/xml") for path, text in files.items()}

    def url(self, path: str) -> str:
        """The absolute URL of a path of this site, percent-encoded."""
        return self.base + quote(path, safe="/?=&.-_~:")
