"""名称 page names: the class names and ids of a page, so that it is asked for no selector that cannot match.

A tree is walked with every selector held against every element: sixty selectors take longer than parsing the page. The
names that a page uses stand in its markup, where a pattern finds them at 200 MB a CPU second; a selector that needs
another name is left out. Names that only seem to be there (in a script, a URL, a comment) cost a selector and nothing
else.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from html import unescape
from typing import NamedTuple

_VALUE = rb"""\s*=\s*("[^"]*|'[^']*|[^\s"'>]*)"""
_CLASS, _ID = re.compile(b"class" + _VALUE), re.compile(b"id" + _VALUE)  # as one pattern: three times as slow
_QUOTES = b"\"'"
_WORD = re.compile(r"[.#]([\w-]+)")
_PART = re.compile(r"\[(?:class|id)\*=\"([\w-]+)\"\]")


class Names(NamedTuple):
    """The class names and ids of a page, and all of them as one text. Lower case: without a doctype case is nothing."""

    words: frozenset[str]
    joined: str


def page_names(html: str) -> Names:
    """At least the class names and ids that the page's elements have."""
    markup = html.encode("utf-8", "replace").lower()
    values = {*_CLASS.findall(markup), *_ID.findall(markup)}
    joined = b" ".join(values).translate(None, _QUOTES).decode("utf-8", "replace")
    if "&" in joined:
        joined = unescape(joined)
    return Names(frozenset(joined.split()), joined)


class Selectors:
    """CSS selectors in their order, each with the names without which it matches nothing."""

    def __init__(self, selectors: Iterable[str]) -> None:
        self._needs = [(selector, [_need(way) for way in selector.split(",")]) for selector in selectors]

    def possible(self, names: Names) -> list[str]:
        """Those that may match an element of the page, in their order."""
        words, joined = names
        return [
            selector
            for selector, ways in self._needs
            if any(need <= words and all(part in joined for part in parts) for need, parts in ways)
        ]


def _need(selector: str) -> tuple[frozenset[str], list[str]]:
    """Class names and ids that one selector needs, and what must be part of one."""
    return frozenset(w.lower() for w in _WORD.findall(selector)), [p.lower() for p in _PART.findall(selector)]
