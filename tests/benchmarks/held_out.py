"""留出 held out: how well extraction does on sites that its settings never saw.

Thresholds and lists of names were set with every checked page in sight, so plain scores on these pages flatter. Here
every site is scored with settings that were found without it:

    thresholds   of DRAWS random ones around those in use, the ones that do best on all other sites; with several, the mean
    names        without the names of templates, forums and boxes that of all checked sites only this one uses

What cannot be taken back is the rules themselves: they too were written by someone who had seen these pages.
"""

from __future__ import annotations

import contextlib
import random
from collections import defaultdict
from collections.abc import Callable, Iterator
from statistics import fmean
from typing import Any, NamedTuple

import pytest
from resiliparse.parse.html import HTMLTree

from tasks.transforms import content_root, forum_posts, main_text, prose_root
from tasks.transforms.decode import decode
from tasks.transforms.page_names import Selectors

DRAWS = 48
THRESHOLDS: dict[tuple[Any, str], tuple[float, ...]] = {
    (prose_root, "MIN_MARKS"): (3, 5, 8, 12),
    (prose_root, "MIN_SHARE"): (0.5, 0.6, 0.7, 0.8, 0.9),
    (prose_root, "MAX_LINK_SHARE"): (0.4, 0.5, 0.6, 0.7, 0.8),
    (prose_root, "_ALL_SHARE"): (0.9, 0.95, 0.97, 0.99),
    (prose_root, "_BASE_CHAFF"): (10, 25, 50, 100, 200),
    (main_text, "MIN_MARKS"): (3, 5, 8, 12),
    (main_text, "SURE_CHARS"): (100, 200, 400, 800),
    (main_text, "MIN_SHARE"): (0.1, 0.2, 0.3, 0.5),
    (content_root, "MIN_ROOT_CHARS"): (50, 100, 150, 300),
}
NAMES = (
    (content_root, "_ROOTS"),
    (main_text, "SKIPPED"),
    (forum_posts, "_SOFTWARE"),
    (prose_root, "_NAMED"),
    (prose_root, "_NAMED_ARTICLE"),
)
Setting = tuple[float, ...]


class Checked(NamedTuple):
    """A page, its text, the site that it is from, and the set of pages in which it counts."""

    body: bytes
    wanted: str
    site: str
    kind: str


def held_out(
    pages: list[Checked], extract: Callable[[bytes], str], f1: Callable[[str, str], float]
) -> dict[str, float]:
    """Mean F1 of every kind of pages, each page scored by settings that were found on other sites."""

    def marks_of(some: list[Checked]) -> list[float]:
        return [f1(page.wanted, extract(page.body)) for page in some]

    drawn = draws()
    marks = {}
    for setting in drawn:
        with thresholds(setting):
            marks[setting] = marks_of(pages)
    only_here = names_of_one_site(pages)
    unseen: dict[str, list[float]] = defaultdict(list)
    for site in sorted({page.site for page in pages}):
        others = [page.site != site for page in pages]
        value = {s: round(fmean(by_kind(pages, marks[s], others).values()), 4) for s in drawn}
        here = [page for page in pages if page.site == site]
        found = []
        for setting in (s for s in drawn if value[s] == max(value.values())):
            with thresholds(setting), without_names(only_here[site]):
                found.append(marks_of(here))
        for page, each in zip(here, zip(*found, strict=True), strict=True):
            unseen[page.kind].append(fmean(each))
    return {kind: round(fmean(each), 3) for kind, each in unseen.items()}


def by_kind(pages: list[Checked], marks: list[float], counted: list[bool]) -> dict[str, float]:
    found: dict[str, list[float]] = defaultdict(list)
    for page, mark, counts in zip(pages, marks, counted, strict=True):
        if counts:
            found[page.kind].append(mark)
    return {kind: fmean(each) for kind, each in found.items()}


def draws() -> list[Setting]:
    choose = random.Random(7).choice
    return list(dict.fromkeys(tuple(choose(values) for values in THRESHOLDS.values()) for _ in range(DRAWS)))


@contextlib.contextmanager
def thresholds(setting: Setting) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for (module, name), value in zip(THRESHOLDS, setting, strict=True):
            patch.setattr(module, name, value)
        yield


@contextlib.contextmanager
def without_names(gone: set[str]) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for module, name in NAMES:
            kept = (s for s in getattr(module, name).selectors if s not in gone)
            patch.setattr(module, name, Selectors(*kept))
        yield


def names_of_one_site(pages: list[Checked]) -> dict[str, set[str]]:
    """For every site the selectors that match on its pages alone."""
    asked = {selector for module, name in NAMES for selector in getattr(module, name).selectors}
    sites: dict[str, set[str]] = defaultdict(set)
    for page in pages:
        document = HTMLTree.parse(decode(page.body).text).document
        for selector in asked:
            if document and document.query_selector(selector):
                sites[selector].add(page.site)
    found: dict[str, set[str]] = defaultdict(set)
    for selector, where in sites.items():
        if len(where) == 1:
            found[where.pop()].add(selector)
    return found
