"""行文所在 prose root: the element that holds the prose of a page, where its template marks none, or too much.

Prose has punctuation; menus and lists of other pages are links. From the top, the way down leads into the child with
most Chinese punctuation marks; the element on that way where marks² / characters of links is greatest is the one: a
step down must lose more chaff than wheat. An element off that way that is named as an article may be better still: a
short article is the lesser part of a portal's page. Boxes that are named as what they are (comments, footer, related)
are taken out first.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

from tasks.transforms.page_names import Names, Selectors

MIN_MARKS = 5  # punctuation marks below which nothing can be said about where the prose is
MIN_SHARE = 0.7  # of the marks at the top that the prose must hold
MAX_LINK_SHARE = 0.6  # of the characters of a prose element
_ALL_SHARE = 0.97  # a child with this share of its parent's marks is the better one without further look
_BASE_CHAFF = 50  # characters of links in any article; keeps the measure from favouring a paragraph without links
_STAYS = ("p", "ul", "ol", "table", "tbody", "tr", "pre", "blockquote", "span", "dl", "h1", "h2", "h3")  # inside prose
_ARTICLES = ("article", "content", "detail", "entry", "story", "text", "post")
_NAMED_ARTICLE = Selectors(*(f'[{attribute}*="{name}"]' for name in _ARTICLES for attribute in ("class", "id")))
_MAY_HOLD = ("div", "section", "article", "main", "td")
_MAX_ARTICLES = 300
_CODE = ("script", "style", "template")
_NO_PROSE = (
    "script, style, template, nav, aside, footer, form, button, select, iframe, noscript, [hidden], "
    '[aria-hidden="true"], [style*="display:none"], [style*="display: none"]'
)
_NAMES = (
    "comment", "footer", "copyright", "sidebar", "crumb", "share", "related", "recommend", "popup", "modal", "advert",
    "statement", "pagination",
)  # fmt: skip
_NAMED = Selectors(*(f'[{attribute}*="{name}"]' for name in _NAMES for attribute in ("class", "id")))
_BOXES = ("div", "section", "ul", "dl", "header", "table", "p")  # a span of class comment is a comment in code
_MAX_BOXES = 2000  # a slice of a collection is taken at once; going through one is quadratic
_MARKS = "，。、！？；："


def marks(text: str) -> int:
    """Chinese punctuation marks of a text."""
    return sum(map(text.count, _MARKS))


class Element:
    """An element, the marks in it, and what else was measured of it, once and only if it was asked for."""

    def __init__(self, node: Any, weight: int) -> None:
        self.node, self.marks = node, weight

    @cached_property
    def chaff(self) -> int:
        """Characters of its links, and those of any article."""
        links = self.node.query_selector_all("a[href]")[:_MAX_BOXES]
        return _BASE_CHAFF + sum(len(link.text) for link in links)

    @property
    def score(self) -> float:
        """How much prose it holds beside its links."""
        return self.marks**2 / self.chaff


def take_out_boxes(top: Any, names: Names) -> None:
    """Remove what is named as no prose from below `top`, unless it bears half of the marks there: names lie."""
    boxes = []
    for box in top.query_selector_all(_NO_PROSE)[:_MAX_BOXES]:
        if box.tag in _CODE:
            box.decompose()
        else:
            boxes.append(box)
    most = marks(top.text) / 2
    for box in boxes:
        if marks(box.text) < most:
            box.decompose()
    if named := _NAMED.possible(names):
        for box in top.query_selector_all(", ".join(named))[:_MAX_BOXES]:
            if box.tag in _BOXES and marks(box.text) < most:
                box.decompose()


def prose_root(top: Any) -> Element | None:
    """The element below `top`, or itself, that holds the prose; None where there is too little of it."""
    node = best = Element(top, marks(top.text))
    if node.marks < MIN_MARKS:
        return None
    enough = MIN_SHARE * node.marks
    while (child := _heaviest(node)) and child.marks >= enough:
        node = child
        if node.marks >= _ALL_SHARE * best.marks or node.score > best.score:
            best = node
    return best


def named_article(top: Any, found: Element, names: Names) -> Element:
    """The element below `top` that is named as an article and holds prose better than the one that was found."""
    if named := _NAMED_ARTICLE.possible(names):
        for node in top.query_selector_all(", ".join(named))[:_MAX_ARTICLES]:
            if node.tag in _MAY_HOLD and (weight := marks(node.text)) >= MIN_MARKS:
                found = max(found, Element(node, weight), key=lambda element: element.score)
    return found


def is_link_list(element: Element) -> bool:
    """Whether links make up so much of an element that it is no prose, punctuated as it may be."""
    return element.chaff > MAX_LINK_SHARE * len(element.node.text)


def _heaviest(parent: Element) -> Element | None:
    """The child with most of the marks; None when it is a part of the prose itself."""
    best, most, left = None, MIN_MARKS - 1, parent.marks
    child = parent.node.first_element_child
    while child is not None and left > most:
        mine = marks(child.text)
        if mine > most:
            best, most = child, mine
        left -= mine
        child = child.next_element_sibling
    return None if best is None or best.tag in _STAYS else Element(best, most)
