"""正文 main text: HTML -> the text that a reader came for, as plain lines, one paragraph a line.

    root          the template marks one element as the article: all of it but navigation and share bars
    resiliparse   else its rules on the whole page, which drop navigation, sidebars and link clusters
    trafilatura   when that is poor (few characters, or a tiny share of the page); the longer of the two wins

Headings, list items, table cells and code stay as lines. libxml2, below trafilatura, silently drops what lies deeper
than 255 elements: its empty answer is an answer, not an empty page, and the caller must count it (`text` is empty).
"""

from __future__ import annotations

import functools
import importlib
import re
from collections.abc import Callable
from typing import NamedTuple

from resiliparse.extract.html2text import extract_plain_text
from resiliparse.parse.html import HTMLTree

from tasks.transforms.content_root import SKIPPED, content_root
from tasks.transforms.page_facts import Stated, page_facts

SURE_CHARS = 400  # a marked article of this length needs no second opinion
MIN_ROOT_SHARE = 0.3  # a shorter one must have this share of what the rules find, lest it is a teaser
_INDENTED = re.compile(r"<(?:pre|textarea)\b", re.I)


class MainText(NamedTuple):
    """Text (empty when none was found), what the page states about itself, and which of the three found the text."""

    text: str
    facts: Stated
    extractor: str


def main_text(html: str, url: str, min_chars: int, min_text_ratio: float) -> MainText:
    """Find the main text of a page. Below `min_chars` characters, or `min_text_ratio` of the page, try twice."""
    tree = HTMLTree.parse(html)
    facts = page_facts(tree, html, url)
    keep_indent = bool(_INDENTED.search(html))
    marked = by_root(tree)
    text, extractor = lines_of(marked or "", keep_indent), "root"
    if chars(text) < SURE_CHARS:
        tree = tree if marked is None else HTMLTree.parse(html)  # the first reading took it apart
        rules = lines_of(by_rules(tree), keep_indent)
        if chars(text) <= MIN_ROOT_SHARE * chars(rules):
            text, extractor = rules, "resiliparse"
        poor = is_poor(text, html, min_chars, min_text_ratio if extractor != "root" else 0.0)
        if poor and chars(extract_plain_text(tree)) > chars(text) + min_chars:  # else there is nothing more to find
            second = lines_of(by_trafilatura(html), keep_indent)
            if chars(second) > chars(text):
                text, extractor = second, "trafilatura"
    return MainText(text, facts, extractor)


def by_root(tree: HTMLTree) -> str | None:
    """Text of the element that the template marks as the article; None when it marks none.

    The tree is left with that element only: writing it out and parsing it again takes longer than reading it.
    """
    root = content_root(tree)
    if root is None or tree.body is None:
        return None
    tree.body.replace_children(root)
    return extract_plain_text(tree, noscript=False, skip_elements=SKIPPED)


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
