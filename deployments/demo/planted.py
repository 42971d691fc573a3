"""埋设的网页 planted: `planted.csv` says which pages are planted, how each is made, and what each must end as.

Columns: `path` on the site (or a whole URL elsewhere) · `what` · `make`, `of`, `how`: the maker, its page or text, its
settings · `fate`: `kept`, `absent` (never a row of the crawl), or `stage:reason`; alternatives parted by `|` ·
`duplicate_of`: of the two exactly one is kept · `probe`: text that the kept document must hold · `note`.
"""

from __future__ import annotations

import csv
from collections.abc import Callable
from functools import cache
from typing import NamedTuple

from deployments.demo import personal_data, planted_bytes, planted_copies, planted_texts
from deployments.demo.answers import Answer
from deployments.demo.personal_data import Value
from deployments.demo.sections import Leaf, leaves
from deployments.demo.texts import FOLDER, own

ELSEWHERE = "elsewhere"  # a maker of nothing: a URL outside the site that its pages link to
TRAP = "trap"  # made per request by the server: pages without end


class Case(NamedTuple):
    """One line of planted.csv."""

    path: str
    what: str
    make: str
    of: str
    how: str
    fate: str
    duplicate_of: str
    probe: str
    note: str


@cache
def cases() -> tuple[Case, ...]:
    """All planted cases, in file order."""
    with (FOLDER / "planted.csv").open(encoding="utf-8", newline="") as file:
        return tuple(Case(**row) for row in csv.DictReader(file))


def _leaf(case: Case) -> Leaf:
    """The regular page a case is made from: `of`, or the one whose place it takes."""
    return leaves()[case.of or case.path]


MAKERS: dict[str, Callable[[Case], Answer]] = {
    "encoded": lambda case: planted_bytes.encoded(_leaf(case), case.how),
    "traditional": lambda case: planted_copies.traditional(case.of, case.how),
    "mojibake": lambda case: planted_bytes.mojibake(_leaf(case), case.how),
    "dirty": lambda case: planted_bytes.dirty(_leaf(case)),
    "nested": lambda case: planted_bytes.nested(_leaf(case), int(case.how)),
    "untyped": lambda case: Answer(_leaf(case).html().encode(), content_type=None),
    "slow": lambda case: planted_bytes.slow(_leaf(case), float(case.how)),
    "file": lambda case: planted_bytes.file(case.how),
    "oversize": lambda case: planted_bytes.oversize(int(case.how)),
    "empty": lambda case: Answer(),
    "status": lambda case: planted_bytes.failure(int(case.how)),
    "redirect": lambda case: Answer(status=int(case.how), location=case.of),
    "refresh": lambda case: planted_bytes.refresh(case.of),
    "copied": lambda case: planted_copies.copied(_leaf(case), case.how),
    "noisy": lambda case: planted_copies.noisy(_leaf(case), case.path, case.how),
    "own": lambda case: planted_texts.shown(case.of, case.path, case.how),
    "dead_links": lambda case: planted_texts.dead_links(),
    "menu": lambda case: planted_texts.menu(),
    "keywords": lambda case: planted_texts.keywords(),
    "digits": lambda case: planted_texts.digit_table(),
    "repeated": lambda case: planted_texts.repeated(case.of, case.path),
}


def answers() -> dict[str, Answer]:
    """Every planted page of the site by path."""
    return {case.path: MAKERS[case.make](case) for case in cases() if case.make not in (ELSEWHERE, TRAP)}


def personal_values() -> list[Value]:
    """All synthetic personal data on the site, in the order of the pages."""
    texts = own()
    return [
        value
        for case in cases()
        if case.make == "own"
        for value in personal_data.fill(case.path, texts[case.of].text)[1]
    ]
