"""行文所在 prose root: the element that holds the prose of a page, where its template marks none, or too much.

Prose has punctuation; menus and lists of other pages are links. From the top, the way down leads into the child with
most Chinese punctuation marks; the element on that way where marks² / characters of links is greatest is the one: a
step down must lose more chaff than wheat. An element off that way that is named as an article may be better still: a
short article is the lesser part of a portal's page. Boxes that are named as what they are (comments, footer, related)
are taken out first.
"""

from __future__ import annotations

from typing import Any

MIN_MARKS = 5  # punctuation marks below which nothing can be said about where the prose is
MIN_SHARE = 0.7  # of the marks at the top that the prose must hold
MAX_LINK_SHARE = 0.6  # of the characters of a prose element
_ALL_SHARE = 0.97  # a child with this share of its parent's marks is the better one without further look
_BASE_CHAFF = 50  # characters of links in any article; keeps the measure from favouring a paragraph without links
_STAYS = ("p", "ul", "ol", "table", "tbody", "tr", "pre", "blockquote", "span", "dl", "h1", "h2", "h3")  # inside prose
_ARTICLES = ("article", "content", "detail", "entry", "story", "text", "post")
_NAMED_ARTICLE = ", ".join(f'[{attribute}*="{name}"]' for name in _ARTICLES for attribute in ("class", "id"))
_MAY_HOLD = ("div", "section", "article", "main", "td")
_MAX_ARTICLES = 300
_CODE = "script, style, template"
_NOT_PROSE = (
    "nav, aside, footer, form, button, select, iframe, noscript, [hidden], "
    '[aria-hidden="true"], [style*="display:none"], [style*="display: none"]'
)
_NAMES = (
    "comment", "footer", "copyright", "sidebar", "crumb", "share", "related", "recommend", "popup", "modal", "advert",
    "statement", "pagination",
)  # fmt: skip
_NAMED = ", ".join(f'[{attribute}*="{name}"]' for name in _NAMES for attribute in ("class", "id"))
_BOXES = ("div", "section", "ul", "dl", "header", "table", "p")  # a span of class comment is a comment in code
_MAX_BOXES = 2000  # a slice of a collection is taken at once; going through one is quadratic
_MARKS = "，。、！？；："


def marks(text: str) -> int:
    """Chinese punctuation marks of a text."""
    return sum(map(text.count, _MARKS))


def take_out_boxes(top: Any) -> None:
    """Remove what is named as no prose from below `top`, unless it bears half of the marks there: names lie."""
    for box in top.query_selector_all(_CODE)[:_MAX_BOXES]:
        box.decompose()
    most = marks(top.text) / 2
    for box in top.query_selector_all(_NOT_PROSE)[:_MAX_BOXES]:
        if marks(box.text) < most:
            box.decompose()
    for box in top.query_selector_all(_NAMED)[:_MAX_BOXES]:
        if box.tag in _BOXES and marks(box.text) < most:
            box.decompose()


def prose_root(top: Any) -> Any | None:
    """The element below `top`, or itself, that holds the prose; None where there is too little of it."""
    weight = marks(top.text)
    if weight < MIN_MARKS:
        return None
    enough = MIN_SHARE * weight
    best, most, score = top, weight, 0.0  # a score of 0 was not needed yet
    node = top
    while (child := _heaviest(node, weight)) and child[1] >= enough:
        node, weight = child
        if weight >= _ALL_SHARE * most:
            best, most, score = node, weight, 0.0
            continue
        score = score or most**2 / _chaff(best)
        if (mine := weight**2 / _chaff(node)) > score:
            best, most, score = node, weight, mine
    return best


def named_article(top: Any, found: Any) -> Any:
    """The element below `top` that is named as an article and holds prose better than the one that was found."""
    score = marks(found.text) ** 2 / _chaff(found)
    for element in top.query_selector_all(_NAMED_ARTICLE)[:_MAX_ARTICLES]:
        if element.tag in _MAY_HOLD and (weight := marks(element.text)) >= MIN_MARKS:
            mine = weight**2 / _chaff(element)
            if mine > score:
                found, score = element, mine
    return found


def is_link_list(node: Any) -> bool:
    """Whether links make up so much of an element that it is no prose, punctuated as it may be."""
    return _chaff(node) > MAX_LINK_SHARE * len(node.text)


def _chaff(node: Any) -> int:
    return _BASE_CHAFF + sum(len(link.text) for link in node.query_selector_all("a[href]")[:_MAX_BOXES])


def _heaviest(node: Any, left: int) -> tuple[Any, int] | None:
    """The child with most of the `left` marks and their number; None when it is a part of the prose itself."""
    best, most = None, MIN_MARKS - 1
    child = node.first_element_child
    while child is not None and left > most:
        mine = marks(child.text)
        if mine > most:
            best, most = child, mine
        left -= mine
        child = child.next_element_sibling
    return None if best is None or best.tag in _STAYS else (best, most)
