"""正文 main text: HTML -> the text that a reader came for, as plain lines, one paragraph a line.

resiliparse drops navigation, headers, footers, sidebars and link clusters by rules, at 20 times the speed of
trafilatura; where its result is poor (few characters, or a tiny share of the page) trafilatura has a try and the
longer of the two wins. Both keep headings, list items and table cells as lines.

libxml2, below trafilatura, silently drops what lies deeper than 255 elements: its empty answer is an answer, not an
empty page, and the caller must count it (`MainText.text` is empty then).
"""

from __future__ import annotations

import functools
import importlib
import re
from collections.abc import Callable
from typing import NamedTuple

from resiliparse.extract.html2text import extract_plain_text
from resiliparse.parse.html import HTMLTree

from tasks.transforms.page_facts import date_of, title_of

_INDENTED = re.compile(r"<(?:pre|textarea)\b", re.I)
_SPACES = re.compile(r"\s+")
_BLANK = re.compile(r"[ \t\u00a0\u3000]+$")


class MainText(NamedTuple):
    """Text (empty when nothing was found), title and ISO date (None when not stated), and who found the text."""

    text: str
    title: str | None
    date: str | None
    extractor: str


def main_text(html: str, url: str, min_chars: int, min_text_ratio: float) -> MainText:
    """Find the main text of a page. Below `min_chars` characters, or `min_text_ratio` of the page, try twice."""
    tree = HTMLTree.parse(html)
    keep_indent = bool(_INDENTED.search(html))
    text, extractor = lines_of(by_resiliparse(tree), keep_indent), "resiliparse"
    if is_poor(text, html, min_chars, min_text_ratio):
        second = lines_of(by_trafilatura(html), keep_indent)
        if chars(second) > chars(text):
            text, extractor = second, "trafilatura"
    return MainText(text, title_of(tree), date_of(tree, html, url), extractor)


def by_resiliparse(tree: HTMLTree) -> str:
    """Main text by rules. Comments of readers are not main text."""
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
    return len(_SPACES.sub("", text))


def lines_of(text: str, keep_indent: bool = False) -> str:
    """One paragraph a line, no blank lines, no space at either end; `keep_indent` for pages with preformatted code."""
    ends = [_BLANK.sub("", line) for line in text.splitlines()]
    return "\n".join(
        line if keep_indent and line.startswith((" ", "\t")) else line.strip() for line in ends if line.strip()
    )
