"""编号唯一 unique ids: when two records claim one id, say which keeps it, by a rule that does not depend on luck.

    pages       the latest capture keeps the id; an earlier one is quarantined: `exact_duplicate` when its bytes are the
                same, else `superseded`
    documents   the first keeps the id; a later one with the same text is quarantined as `exact_duplicate`, one with
                another text gets an id of its own, made of the id and its text

Files are read one by one, each cached for itself, so that records of different files meet only here. Only shards that
hold a repeated id are written again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import polars as pl

from data_contracts.dataset import KEPT, QUARANTINED, Shard, digest_of, document_id
from data_contracts.schemas import PAGE, Schema
from tasks import rows
from tasks.readers.record import text_hash
from tasks.rows import Room
from tasks.store import Store
from tasks.work import Work


class Claim(NamedTuple):
    """One row that claims a repeated id: where it lies, what it holds, when it was fetched."""

    doc_id: str
    shard: int
    row: int
    source: str
    url: str
    content: str  # hash of its body or text
    fetched_at: str


class Fate(NamedTuple):
    """What becomes of a row that does not keep its id: a reason and its error, or a new id."""

    row: int
    reason: str | None
    error: str | None
    new_id: str | None


def with_unique_ids(work: Work, shards: Sequence[Shard], schema: Schema) -> list[Shard]:
    """The same shards, where each id is kept by one row. Reads the id columns; 16 bytes a row in memory."""
    claims = _claims(work.store, shards, schema)
    fates = _page_fates(claims) if schema is PAGE else _document_fates(claims)
    touched = sorted(fates)
    jobs = [(f"{shards[i].content}\0{digest_of(fates[i])}", (shards[i], fates[i], schema)) for i in touched]
    settled = dict(zip(touched, work.each(settle, jobs), strict=True))
    return [s for i, shard in enumerate(shards) for s in settled.get(i, [shard])]


def settle(room: Room, shard: Shard, fates: list[Fate], schema: Schema) -> list[Shard]:
    """Write a shard again with some rows renamed or refused; nothing is lost."""
    change = pl.DataFrame(
        [tuple(f) for f in fates],
        schema={"row": pl.UInt32(), "reason": pl.String(), "error": pl.String(), "new_id": pl.String()},
        orient="row",
    )
    kept = pl.read_parquet(room.store.path(shard.files[KEPT])).with_row_index("row")
    marked = kept.join(change, on="row", how="left", maintain_order="left").drop("row")
    marked = marked.with_columns(doc_id=pl.coalesce("new_id", "doc_id")).drop("new_id")
    if QUARANTINED in shard.files:
        refused = pl.read_parquet(room.store.path(shard.files[QUARANTINED]))
        marked = pl.concat([marked, refused], how="diagonal_relaxed")
    return [rows.shard(room, marked, schema, text_bytes=shard.text_bytes, measures=shard.measures)]


def _claims(store: Store, shards: Sequence[Shard], schema: Schema) -> dict[str, list[Claim]]:
    """All rows of each id that more than one row claims, in order of shards and rows."""
    paths = [store.path(s.files[KEPT]) for s in shards]
    if not paths:
        return {}
    ids = [pl.scan_parquet(p).select("doc_id") for p in paths]
    repeated = pl.concat(ids).group_by("doc_id").len().filter(pl.col("len") > 1).select("doc_id").collect()
    if repeated.is_empty():
        return {}
    found: dict[str, list[Claim]] = {}
    for number, path in enumerate(paths):
        frame = pl.scan_parquet(path).with_row_index("row").join(repeated.lazy(), on="doc_id", how="semi").collect()
        for row in frame.sort("row").iter_rows(named=True):
            content = row["digest"] if schema is PAGE else text_hash(row["text"])
            claim = Claim(
                row["doc_id"], number, row["row"], row["source"], row["url"], content, row.get("fetched_at") or ""
            )
            found.setdefault(claim.doc_id, []).append(claim)
    return found


def _page_fates(claims: dict[str, list[Claim]]) -> dict[int, list[Fate]]:
    fates: dict[int, list[Fate]] = {}
    for group in claims.values():
        winner = max(group, key=lambda c: (c.fetched_at, c.shard, c.row))
        for claim in group:
            if claim is not winner:
                reason = "exact_duplicate" if claim.content == winner.content else "superseded"
                error = f"the capture of {winner.fetched_at} was kept"
                fates.setdefault(claim.shard, []).append(Fate(claim.row, reason, error, None))
    return fates


def _document_fates(claims: dict[str, list[Claim]]) -> dict[int, list[Fate]]:
    fates: dict[int, list[Fate]] = {}
    for group in claims.values():
        seen: dict[str, str] = {group[0].content: group[0].url}
        for claim in group[1:]:
            if claim.content in seen:
                fate = Fate(claim.row, "exact_duplicate", f"same id and text as {seen[claim.content]}", None)
            else:
                fate = Fate(claim.row, None, None, document_id(claim.source, f"{claim.doc_id}#{claim.content}"))
            seen.setdefault(claim.content, claim.url)
            fates.setdefault(claim.shard, []).append(fate)
    return fates
