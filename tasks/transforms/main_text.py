"""正文 main text: HTML -> the text that a reader came for, as plain lines, one paragraph a line.

    posts         a thread of known forum software: the words of each post
    root          the template marks one element as the article: the prose in it, with its lists, tables and code
    prose         else the element that holds nearly all prose of the page
    resiliparse   else its rules on the whole page, which drop navigation, sidebars and link clusters
    trafilatura   when that is poor (few characters, or a tiny share of the page); the longer of the two wins

libxml2, below trafilatura, silently drops what lies deeper than 255 elements: its empty answer is an answer, not an
empty page, and the caller must count it (`text` is empty).
"""

from __future__ import annotations

import functools
import importlib
import re
from collections.abc import Callable
from typing import Any, NamedTuple

from resiliparse.extract.html2text import extract_plain_text
from resiliparse.parse.html import HTMLTree

from tasks.transforms.content_root import SKIPPED, content_root
from tasks.transforms.forum_posts import forum_posts, text_of_posts
from tasks.transforms.page_facts import Stated, page_facts
from tasks.transforms.page_names import Names, page_names
from tasks.transforms.prose_root import MIN_MARKS, is_link_list, marks, named_article, prose_root, take_out_boxes

SURE_CHARS = 400  # a text of this length that was marked or has prose needs no second opinion
MAX_BLOCKS = 10_000  # of code, or tables, of one page
MIN_SHARE = 0.3  # a shorter one without prose must have this share of what the rules find, lest it is a teaser
_INDENTED = re.compile(r"<(?:pre|textarea)\b", re.I)


class MainText(NamedTuple):
    """Text (empty when none was found), what the page states about itself, and which of the five found the text."""

    text: str
    facts: Stated
    extractor: str


class Wanted(NamedTuple):
    """What ExtractConfig says about text: below `min_chars` characters or `min_text_ratio` of its page, try twice."""

    min_chars: int = 100
    min_text_ratio: float = 0.002
    keep_code: bool = True
    keep_tables: bool = True


def main_text(html: str, url: str, wanted: Wanted) -> MainText:
    """Find the main text of a page."""
    if not (wanted.keep_code and wanted.keep_tables):
        html = without_blocks(html, wanted)
    tree = HTMLTree.parse(html)
    facts = page_facts(tree, html, url)
    keep_indent = bool(_INDENTED.search(html))
    found, extractor = by_structure(tree, page_names(html))
    text = lines_of(found, keep_indent)
    if marks(text) < MIN_MARKS and chars(text) < SURE_CHARS:
        tree = HTMLTree.parse(html)  # the first reading took it apart
        rules = lines_of(by_rules(tree), keep_indent)
        if chars(text) <= MIN_SHARE * chars(rules):
            text, extractor = rules, "resiliparse"
        poor = is_poor(text, html, wanted.min_chars, wanted.min_text_ratio if extractor == "resiliparse" else 0.0)
        whole = extract_plain_text(tree) if poor else ""
        if marks(whole) > marks(text) and chars(whole) > chars(text) + wanted.min_chars:  # else there is no more prose
            second = lines_of(by_trafilatura(html), keep_indent)
            if chars(second) > chars(text):
                text, extractor = second, "trafilatura"
    return MainText(text, facts, extractor)


def without_blocks(html: str, wanted: Wanted) -> str:
    """The page without its blocks of code, or without its tables; a table that bears half of the prose is layout."""
    tree = HTMLTree.parse(html)
    if tree.document is None or tree.body is None:
        return html
    if not wanted.keep_code:
        for block in tree.document.query_selector_all("pre, textarea")[:MAX_BLOCKS]:
            block.decompose()
    if not wanted.keep_tables:
        most = marks(tree.body.text or "") / 2
        for table in tree.document.query_selector_all("table")[:MAX_BLOCKS]:
            if marks(table.text or "") < most:
                table.decompose()
    return str(tree)


def by_structure(tree: HTMLTree, names: Names) -> tuple[str, str]:
    """Text of what the forum's software or the template marks, else of the prose; "" where neither says anything.

    The tree is left with that element only: writing it out and parsing it again takes longer than reading it.
    """
    if tree.body is None:
        return "", "resiliparse"
    skipped = SKIPPED.possible(names)
    if posts := forum_posts(tree, names):
        return text_of_posts(posts, skipped), "posts"
    marked = content_root(tree, names)
    top = tree.body if marked is None else marked
    take_out_boxes(top, names)
    prose = prose_root(top)
    if marked is None:
        prose = prose and named_article(top, prose, names)
        if prose is None or prose.node == tree.body or is_link_list(prose):
            return "", "resiliparse"
    root: Any = marked if prose is None else prose.node
    tree.body.replace_children(root)
    text = extract_plain_text(tree, noscript=False, skip_elements=skipped)
    return text, "prose" if marked is None else "root"


def by_rules(tree: HTMLTree) -> str:
    """Main text of the whole page by resiliparse's rules. Comments of readers are not main text."""
    return extract_plain_text(tree, main_content=True, comments=False, form_fields=False, noscript=False)


def by_trafilatura(html: str) -> str:
    """Main text by trafilatura's cascade; empty when it finds none or libxml2 gave up."""
    return _trafilatura()(html, include_comments=False, include_tables=True, fast=True) or ""


@functools.cache
def _trafilatura() -> Callable[..., str | None]:
    """Imported on first need: it costs half a second, and most workers never need it."""
    extract: Callable[..., str | None] = importlib.import_module("trafilatura").extract
    return extract


def is_poor(text: str, html: str, min_chars: int, min_text_ratio: float) -> bool:
    """Whether a text is so short, alone or beside its page, that a second extractor should try."""
    found = chars(text)
    return found < min_chars or found < min_text_ratio * len(html)


def chars(text: str) -> int:
    """Characters that are not white space."""
    return len("".join(text.split()))


def lines_of(text: str, keep_indent: bool = False) -> str:
    """One paragraph a line, no blank lines, no space at either end; `keep_indent` for pages with preformatted code."""
    if keep_indent:
        lines = [line.rstrip() if line.startswith((" ", "\t")) else line.strip() for line in text.splitlines()]
    else:
        lines = [line.strip() for line in text.splitlines()]
    return "\n".join(line for line in lines if line)
