"""段落 paragraphs: which of them stand in many documents, and texts without those.

A paragraph is a line of the text. Two are one when their folded keys are (tasks/transforms/fold.py); those whose key is
short are never looked at. One that stands in more than so many documents stays in the best of these, by the keep rule,
and there wherever it stands: a refrain within a document is not torn. From the others it goes, wherever it stands.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tasks.transforms.clusters import Table, Units, numbered, settled
from tasks.transforms.digests import as_table, digests
from tasks.transforms.flat_text import batches, chosen
from tasks.transforms.fold import fold

# Columns of a table of paragraphs: digest (2), precedence of the document (3), its row.
DIGEST, RANK, ID, ROW = slice(0, 2), slice(2, 5), 4, 5


class Lines(NamedTuple):
    """The long lines of texts: which text, which line of it (from 0), and the digest of its key."""

    text: Units
    line: Units
    digest: Table


class Repeated(NamedTuple):
    """Rows of a table of paragraphs that go, the row that stays for each, and the documents that it stood in."""

    gone: Units
    kept: Units
    documents: Units


def long_lines(texts: Sequence[str], min_chars: int, fold_script: bool) -> Lines:
    """The lines of every text whose key has at least `min_chars` characters, in order."""
    found: list[tuple[Units, Units]] = [(np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64))]
    made: list[bytes] = []
    for part in batches(texts):
        split = [t.split("\n") for t in texts[part]]
        counts = np.array([len(lines) for lines in split])
        keys = fold([line for lines in split for line in lines], fold_script)
        long = np.diff(keys.offsets) >= min_chars
        starts = np.repeat(np.cumsum(counts) - counts, counts)
        text = np.repeat(np.arange(len(counts)) + part.start, counts)
        found.append((text[long], (np.arange(len(starts)) - starts)[long]))
        made += digests(chosen(keys, long))
    text, line = (np.concatenate(side) for side in zip(*found, strict=True))
    return Lines(text, line, as_table(made))


def listed(lines: Lines, rank: Table, rows: npt.NDArray[np.int64]) -> Table:
    """The table of paragraphs of texts: one row per paragraph and text, sorted. Text i is row `rows[i]`."""
    table = np.column_stack([lines.digest, rank[lines.text], rows[lines.text].astype(np.uint64)])
    return np.unique(table, axis=0)


def repeated(table: Table, max_documents: int) -> Repeated:
    """Which paragraphs of a table go, because more than `max_documents` rows have them."""
    number, _ = numbered(table[:, DIGEST])
    documents = np.bincount(number, minlength=1)[number]
    cluster = settled(table[:, DIGEST], table[:, RANK])
    gone = cluster.gone & (documents[cluster.order] > max_documents)
    return Repeated(cluster.order[gone], cluster.kept[gone], documents[cluster.order[gone]])


def without(text: str, lines: set[int]) -> str:
    """The text without some of its lines."""
    return "\n".join(line for i, line in enumerate(text.split("\n")) if i not in lines)
