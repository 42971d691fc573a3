"""标记 marking: what dedup found out, told to the rows of one shard.

A row that goes has `reason`, `duplicate_of` and `similarity`. A row that stays may lose paragraphs that stand in other
documents: `repeated_paragraphs` and `repeated_chars` count them, and PARAGRAPHS holds each with the document in which
it stays, so that the text before can be put together again. A document of which nothing would be left goes whole, and
names the document that holds the most of it; `similarity` is that share of its characters.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import polars.selectors as cs

from data_contracts.dataset import PARAGRAPHS, File, Shard
from data_contracts.errors import ConservationBroken
from data_contracts.schemas import DOCUMENT
from data_contracts.stages import DedupConfig
from tasks import rows
from tasks.copies import tables
from tasks.copies.keeping import FATES
from tasks.copies.signing import CARDS, UNIT_OF
from tasks.rows import Room
from tasks.transforms import clusters, paragraphs
from tasks.transforms.clusters import Table
from tasks.transforms.precedence import id_texts

_CHANGE = {
    "new_text": pl.String(), "new_reason": pl.String(), "new_duplicate_of": pl.String(), "new_similarity": pl.Float64(),
    "repeated_paragraphs": pl.UInt32(), "repeated_chars": pl.UInt32(),
}  # fmt: skip
# Columns of PARAGRAPHS: `line` counts from 0 in the text before, `documents` had the paragraph.
CUT = {
    "doc_id": pl.String(),
    "line": pl.UInt32(),
    "text": pl.String(),
    "kept_in": pl.String(),
    "documents": pl.UInt32(),
}


def mark_shard(
    room: Room, source: File, signed: Shard, removals: File | None, repeats: File | None, cfg: DedupConfig
) -> list[Shard]:
    """One shard's rows with their reason, split into kept and quarantined."""
    frame = pl.read_parquet(room.store.path(source))
    marked = frame.with_columns(marks(room, signed, removals))
    files, measures = {}, {}
    if repeats is not None:
        marked, cut = _cut(marked, tables.load(room.store, repeats), cfg)
        files[PARAGRAPHS] = room.put(cut)
        lost = int(frame["text"].str.len_chars().sum()) - int(marked["text"].str.len_chars().sum())
        if lost != (told := int(marked["repeated_chars"].sum())):
            raise ConservationBroken(f"{lost} characters fewer than before, {told} in repeated paragraphs")
        measures = {"repeated_paragraphs": float(cut.height), "repeated_chars": float(lost)}
    made = rows.shard(room, marked, DOCUMENT, text_bytes=int(frame["text"].str.len_bytes().sum()), measures=measures)
    return [made.model_copy(update={"files": made.files | files})]


def marks(room: Room, signed: Shard, removals: File | None) -> list[pl.Series]:
    """reason, duplicate_of and similarity of every row: a unit that stays keeps its best document, others none."""
    unit_of, cards = (tables.load(room.store, signed.files[name]) for name in (UNIT_OF, CARDS))
    unit_of = unit_of[:, 0]
    card = cards[unit_of]
    kept, alike = card[:, clusters.ID].copy(), np.ones(len(card))
    fate = (card[:, clusters.ROW] != np.arange(len(card))).astype(np.int64)  # index into FATES
    if removals is not None:
        found = tables.load(room.store, removals)
        of_row = _removal_of(found, unit_of, len(cards))
        gone = np.flatnonzero(of_row >= 0)
        why = found[of_row[gone]]
        kept[gone], alike[gone] = why[:, 1], np.ascontiguousarray(why[:, 2]).view(np.float64)
        fate[gone] = why[:, 3].astype(np.int64)
    names = pl.Series("duplicate_of", id_texts(kept), dtype=pl.String())
    made = pl.select(
        reason=pl.Series(FATES, dtype=pl.String()).gather(fate), duplicate_of=names, similarity=pl.Series(alike)
    )
    return made.with_columns(
        pl.when(pl.col("reason").is_not_null()).then(pl.col(c)).alias(c) for c in ("duplicate_of", "similarity")
    ).get_columns()


def _removal_of(removals: Table, unit_of: Table, units: int) -> clusters.Units:
    """The removal that concerns each row, -1 for none: that of its unit, or its own where it follows another text."""
    follows, whole = np.flatnonzero(removals[:, 4]), np.flatnonzero(removals[:, 4] == 0)
    of_unit = np.full(units, -1)
    of_unit[removals[whole, 0].astype(np.int64)] = whole
    of_row = of_unit[unit_of]
    of_row[removals[follows, 4].astype(np.int64) - 1] = follows
    return of_row


def _cut(marked: pl.DataFrame, repeats: Table, cfg: DedupConfig) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The rows without their repeated paragraphs, and these.

    Columns of `repeats`: row, digest (2), document that keeps the paragraph, documents that had it.
    """
    told = {(row, high, low): (doc, documents) for row, high, low, doc, documents in repeats.tolist()}
    touched = np.unique(repeats[:, 0]).astype(np.int64)
    texts = marked["text"].gather(touched).to_list()
    lines = paragraphs.long_lines(texts, cfg.min_paragraph_chars, cfg.fold_script)
    gone: list[dict[int, tuple[int, int]]] = [{} for _ in texts]
    for text, line, (high, low) in zip(lines.text.tolist(), lines.line.tolist(), lines.digest.tolist(), strict=True):
        if (why := told.get((int(touched[text]), high, low))) is not None:
            gone[text][line] = why
    changes, cut = [], []
    for row, text, mine in zip(touched.tolist(), texts, gone, strict=True):
        change, removed = _changed(text, mine)
        changes.append({"row": row, **change})
        cut += [{"doc_id": marked["doc_id"][row], **r} for r in removed]
    changed = pl.DataFrame(changes, schema={"row": pl.UInt32(), **_CHANGE})
    joined = marked.with_row_index("row").join(changed, on="row", how="left", maintain_order="left")
    taken = [pl.coalesce(f"new_{c}", c).alias(c) for c in ("text", "reason", "duplicate_of", "similarity")]
    counts = [pl.col(c).fill_null(0) for c in ("repeated_paragraphs", "repeated_chars")]
    return joined.with_columns(*taken, *counts).drop("row", cs.starts_with("new_")), pl.DataFrame(cut, schema=CUT)


def _changed(text: str, gone: dict[int, tuple[int, int]]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """What becomes of one text, and the lines that it loses. `gone`: line -> document that keeps it, documents."""
    split = text.split("\n")
    left = paragraphs.without(text, set(gone))
    breaks = min(len(gone), len(split) - 1)
    if len(text) != len(left) + sum(len(split[i]) for i in gone) + breaks:
        raise ConservationBroken(f"a text of {len(text)} characters keeps {len(left)} and loses {len(gone)} paragraphs")
    chars: dict[int, int] = {}
    for line, (doc, _) in gone.items():
        chars[doc] = chars.get(doc, 0) + len(split[line])
    if not left.strip():
        doc, most = min(chars.items(), key=lambda item: (-item[1], item[0]))
        why = {"new_reason": "repeated_paragraphs", "new_duplicate_of": f"{doc:016x}"}
        return {**why, "new_similarity": most / len(text)}, []
    removed = [
        {"line": i, "text": split[i], "kept_in": f"{doc:016x}", "documents": documents}
        for i, (doc, documents) in sorted(gone.items())
    ]
    return {"new_text": left, "repeated_paragraphs": len(gone), "repeated_chars": len(text) - len(left)}, removed
