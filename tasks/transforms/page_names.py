"""名称 page names: the class names and ids of a page, so that it is asked for no selector that cannot match.

A tree is walked with every selector held against every element: sixty selectors take longer than parsing the page. The
names that a page uses stand in its markup, where a pattern finds them at 200 MB a CPU second; a selector that needs
another name is left out. Names that only seem to be there (in a script, a URL, a comment) cost a selector and nothing
else.
"""

from __future__ import annotations

import re
from collections import defaultdict
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
    """CSS selectors in their order, found by a name without which they match nothing."""

    def __init__(self, *selectors: str) -> None:
        self.selectors = selectors
        self._always: set[int] = set()  # what asks for tags or other attributes
        self._by_word: dict[str, set[int]] = defaultdict(set)
        self._by_part: dict[str, set[int]] = defaultdict(set)
        for i, selector in enumerate(self.selectors):
            for way in selector.split(","):
                if part := _PART.search(way):
                    self._by_part[part[1].lower()].add(i)
                elif word := _WORD.search(way):
                    self._by_word[word[1].lower()].add(i)
                else:
                    self._always.add(i)

    def possible(self, names: Names) -> list[str]:
        """Those that may match an element of the page, in their order."""
        found = self._always.copy()
        for word in self._by_word.keys() & names.words:
            found |= self._by_word[word]
        for part, having in self._by_part.items():
            if part in names.joined:
                found |= having
        return [self.selectors[i] for i in sorted(found)]
