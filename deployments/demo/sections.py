"""栏目 sections: the regular pages of the sample site, one text a page, and the paged index of each section."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from hashlib import sha256
from html import escape

from deployments.demo import templates
from deployments.demo.templates import ADVERT, FOOTER, Link, Page, anchor
from deployments.demo.texts import Text, archive

INDEX_LINKS = 20  # links on one index page
RELATED_LINKS = 8
REMARKS = (
    ("山中客", "收藏了，谢谢楼主分享。"),
    ("路人甲", "写得真好，顶一下！"),
    ("小鱼儿", "沙发！"),
    ("夜归人", "每次读都有新的体会。"),
    ("晴天", "请问还有后续吗？"),
    ("老王", "已阅，不错不错。"),
    ("江南雨", "学习了。"),
)


@dataclass(frozen=True)
class Section:
    """A folder of the site: which archives it shows, in which template."""

    folder: str
    name: str
    genre: str
    archives: tuple[str, ...]
    template: Callable[[Page], str]


SECTIONS = (
    Section("falv", "法律法规", "statutes", ("statutes",), templates.statute),
    Section("xiaoshuo", "古典小说", "novels", ("novels",), templates.news),
    Section("guwen", "古文", "classical prose", ("classics",), templates.old_table),
    Section("shici", "诗词", "poems", ("poems",), templates.blog),
    Section("caipu", "菜谱", "recipes", ("recipes",), templates.forum),
    Section("wendang", "技术文档", "documentation", ("rust_book", "webpack", "javaguide"), templates.docs),
)
MISCELLANY = ("zaji", "杂记")  # the folder of planted pages that are no section's
MENU: tuple[Link, ...] = (
    ("/", "首页"),
    *((f"/{s.folder}/", s.name) for s in SECTIONS),
    (f"/{MISCELLANY[0]}/", MISCELLANY[1]),
)


@dataclass(frozen=True)
class Leaf:
    """A regular page: its text and how it is shown."""

    path: str
    page: Page
    template: Callable[[Page], str]

    def html(self, **changes: object) -> str:
        """The whole document; `changes` replace fields of the page."""
        return self.template(replace(self.page, **changes))  # type: ignore[arg-type]


def path_of(section: Section, kind: str, number: int, text: Text) -> str:
    """Numbered files as most sites have, Chinese file names for recipes, folders for documentation."""
    if section.folder == "caipu":
        return f"/caipu/{text.id}.html"
    if section.folder == "wendang":
        return f"/wendang/{kind}/{text.id}.html"
    return f"/{section.folder}/{number}.html"


def _remarks(text: Text) -> tuple[tuple[str, str], ...]:
    start = sha256(text.id.encode()).digest()[0]
    return tuple(REMARKS[(start + n) % len(REMARKS)] for n in range(start % 4))


def _leaves(section: Section) -> list[Leaf]:
    texts = [(kind, text) for kind in section.archives for text in archive(kind)]
    links = [(path_of(section, kind, n, text), text.title) for n, (kind, text) in enumerate(texts, 1)]
    found = []
    for n, (_, text) in enumerate(texts):
        start = sha256(text.id.encode()).digest()[1] % len(texts)
        related = tuple(links[(start + 7 * k) % len(links)] for k in range(RELATED_LINKS))
        page = Page(
            text=text,
            section=(f"/{section.folder}/", section.name),
            menu=MENU,
            related=related,
            previous=links[n - 1] if n else None,
            following=links[n + 1] if n + 1 < len(links) else None,
            comments=_remarks(text),
        )
        found.append(Leaf(links[n][0], page, section.template))
    return found


@cache
def leaves() -> dict[str, Leaf]:
    """All regular pages by path, section after section."""
    return {leaf.path: leaf for section in SECTIONS for leaf in _leaves(section)}


def index_path(folder: str, number: int) -> str:
    """`/falv/`, `/falv/list_2.html`, ..."""
    return f"/{folder}/" if number == 1 else f"/{folder}/list_{number}.html"


def index_pages(folder: str, name: str, links: list[Link]) -> dict[str, str]:
    """The paged list of a section: path -> HTML. Every index page links to all others of its section."""
    count = max(1, -(-len(links) // INDEX_LINKS))
    pager = " ".join(anchor((index_path(folder, n), f"第{n}页")) for n in range(1, count + 1))
    return {
        index_path(folder, n): index_page(name, links[(n - 1) * INDEX_LINKS : n * INDEX_LINKS], pager)
        for n in range(1, count + 1)
    }


def index_page(name: str, links: list[Link], pager: str = "") -> str:
    """A page of links only."""
    items = "\n".join(f"<li>{anchor(link)}</li>" for link in links)
    menu = " ".join(anchor(link) for link in MENU)
    return f"""<!DOCTYPE html>
<html lang="zh-CN"><head>{templates.UTF8_META}<title>{escape(name)}_字流样例站</title></head>
<body><div class="nav">{menu}</div>
{ADVERT.format("list")}
<div class="list"><h1>{escape(name)}</h1><ul>
{items}
</ul></div>
<div class="pages">{pager}</div>
{FOOTER}
</body></html>"""
