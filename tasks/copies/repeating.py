"""重复段落 repeating: paragraphs that stand in more documents than the config allows. Off unless it is asked for.

    list_paragraphs  a shard               -> the long paragraphs of the documents that stay
    recur            a part of these       -> which of them go from which row, and where each stays

What is repeated across a site (menus, notices) is taken out by extract, which knows the site. Here a formula of law, a
refrain or a quotation that many documents share would go too, and tear them: therefore the default is to look for none.
"""

from __future__ import annotations

import numpy as np

from data_contracts.dataset import KEPT, File, Shard
from data_contracts.stages import DedupConfig
from tasks.copies import tables
from tasks.copies.marking import marks
from tasks.copies.signing import read
from tasks.copies.tables import Part
from tasks.rows import Room
from tasks.transforms import paragraphs
from tasks.transforms.precedence import precedence
from tasks.work import Work

LISTED, REPEATS = "listed.table", "repeats.table"


def repeats(
    work: Work, shards: list[Shard], signed: list[Shard], gone: list[File | None], cfg: DedupConfig
) -> list[File | None]:
    """For every shard a table of the paragraphs that go: row, digest (2), document that keeps it, documents."""
    if not cfg.max_paragraph_documents:
        return [None] * len(shards)
    jobs = [
        (f"{shard.content}\0{lost and lost.sha256}", (shard.files[KEPT], own, lost, cfg))
        for shard, own, lost in zip(shards, signed, gone, strict=True)
    ]
    made = [found[0] for found in work.each(list_paragraphs, jobs)]
    listed = tables.put_list(work.store, (s.files[LISTED] for s in made))
    parts = tables.each_part(work, recur, tables.WIDE * sum(s.rows_in for s in made), (listed,), cfg)
    found = tables.put_list(work.store, (s.files[REPEATS] for s in parts))
    return [tables.own_rows(work, found, number) for number in range(len(shards))]


def list_paragraphs(room: Room, source: File, signed: Shard, removals: File | None, cfg: DedupConfig) -> list[Shard]:
    """The long paragraphs of the rows that stay."""
    documents = read(room, source, cfg)
    stay = np.flatnonzero(marks(room, signed, removals)[0].is_null().to_numpy())
    lines = paragraphs.long_lines(documents["text"].gather(stay).to_list(), cfg.min_paragraph_chars, cfg.fold_script)
    table = paragraphs.listed(lines, precedence(documents, cfg.keep)[stay], stay)
    file = tables.put(room, table)
    return [Shard(content=file.sha256, files={LISTED: file}, rows_in=len(table))]


def recur(room: Room, part: Part, listed: File, cfg: DedupConfig) -> list[Shard]:
    """Of one part of the paragraphs: shard, row, digest, document that keeps it, documents that have it."""
    rows, places = tables.between(room.store, listed, part)
    found = paragraphs.repeated(rows, cfg.max_paragraph_documents)
    gone = rows[found.gone]
    table = np.column_stack(
        [
            places[found.gone] >> np.uint64(32),
            gone[:, paragraphs.ROW],
            gone[:, paragraphs.DIGEST],
            rows[found.kept, paragraphs.ID],
            found.documents.astype(np.uint64),
        ]
    )
    file = tables.put(room, table[np.lexsort(table.T[::-1])])
    return [Shard(content=file.sha256, files={REPEATS: file}, rows_in=len(table))]
