"""核对 verdicts: compare what became of every planted page with what planted.csv says it must become."""

from __future__ import annotations

from collections.abc import Mapping

from deployments.demo import planted
from deployments.demo.planted import Case
from deployments.demo.website import Website

ABSENT, KEPT = "absent", "kept"


def faults(website: Website, ends: Mapping[str, str], texts: Mapping[str, str]) -> list[str]:
    """One sentence for every planted page that ended otherwise; empty when all is as written.

    Args:
        website: the site that was crawled, for its base URL.
        ends: URL -> `kept` or `stage:reason`, for every URL that the crawl knew.
        texts: URL -> text of the kept documents, title and text together.
    """
    found = [fault for case in planted.cases() for fault in _faults_of(case, website, ends, texts)]
    everything = "\n".join(texts.values())
    left = [value for value in planted.personal_values() if value.value in everything]
    return found + [f"{value.path}: a {value.kind} is left in the corpus" for value in left]


def _faults_of(case: Case, website: Website, ends: Mapping[str, str], texts: Mapping[str, str]) -> list[str]:
    url = place(case.path, website)
    end, wanted = ends.get(url, ABSENT), case.fate.split("|")
    found = []
    if end not in wanted:
        found.append(f"{case.path} ({case.what}): ended as {end}, must end as {' or '.join(wanted)}")
    if end == KEPT and case.probe and case.probe not in texts.get(url, ""):
        found.append(f"{case.path} ({case.what}): kept, but {case.probe!r} is not in its text")
    if case.duplicate_of:
        original = ends.get(place(case.duplicate_of, website), ABSENT)
        if (end == KEPT) == (original == KEPT):
            found.append(f"{case.path}: ended as {end} and {case.duplicate_of} as {original}; exactly one must be kept")
    return found


def place(path: str, website: Website) -> str:
    """The URL of a path in planted.csv; a whole URL stays as it is."""
    return website.url(path) if path.startswith("/") else path
