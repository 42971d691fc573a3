"""套话 boilerplate: DOCUMENT -> DOCUMENT. Remove the lines that a site repeats across its pages.

Three steps, as in dedup. Counting (per shard, cached): in how many documents of each host a short line stands. Judging
(global, in this process): which lines go. Marking (per shard, cached by the lines that go from it). So a new shard
costs its own counting, the judging, and the marking of those shards that hold a line whose fate changed.

Text goes, rows do not: a page of which nothing is left is quarantined as `only_boilerplate` with its text. What went
lies beside the shard as evidence, a line a row, where `ziliu why` finds it. Conserved, and checked in every shard:
characters in = characters kept + characters removed with their line ends + characters quarantined.
"""

from __future__ import annotations

import polars as pl

from data_contracts.boilerplate import BoilerplateConfig
from data_contracts.dataset import EVIDENCE, KEPT, File, Shard, digest_of
from data_contracts.errors import ConservationBroken
from data_contracts.schemas import DOCUMENT
from tasks import rows
from tasks.rows import Room
from tasks.stage import stage
from tasks.transforms import site_lines
from tasks.work import Inputs, Output, Work

HOSTS, LINES = "hosts.parquet", "lines.parquet"
SHOWN = 50  # repeated lines that the manifest names


@stage(schema=DOCUMENT, libraries=("polars",))
def boilerplate(documents: Inputs, cfg: BoilerplateConfig, work: Work) -> Output:
    """套话 boilerplate: DOCUMENT -> DOCUMENT. Menus, notices and buttons that a site repeats go."""
    shards = [s for s in work.shards(documents) if s.rows_kept]
    counted = [made[0] for made in work.each(count_shard, [(s.content, (s.files[KEPT], cfg)) for s in shards])]
    gone = _judged(work, counted, cfg)
    jobs = []
    for shard, count in zip(shards, counted, strict=True):
        here = pl.read_parquet(work.store.path(count.files[LINES]), columns=["host", "line"])
        own = gone.select("host", "line", "where").join(here, on=["host", "line"], how="semi", maintain_order="left")
        jobs.append((f"{shard.content}\0{digest_of(own.rows())}", (shard.files[KEPT], own, cfg)))
    most = gone.sort("documents", "host", "line", descending=[True, False, False]).head(SHOWN)
    named = {f"{host} {line}": number for host, line, number in most.select("host", "line", "documents").rows()}
    return Output(
        [made[0] for made in work.each(mark_shard, jobs)],
        measures={"repeated_lines": gone.height, "most_repeated": named},
    )


def count_shard(room: Room, source: File, cfg: BoilerplateConfig) -> list[Shard]:
    """Counts of one shard, as two Parquet files."""
    documents = pl.read_parquet(room.store.path(source), columns=["url", "text"])
    hosts, lines = site_lines.counted(documents, cfg)
    files = {HOSTS: room.put(hosts), LINES: room.put(lines)}
    return [Shard(content=files[LINES].sha256, files=files, rows_in=documents.height, rows_kept=documents.height)]


def _judged(work: Work, counted: list[Shard], cfg: BoilerplateConfig) -> pl.DataFrame:
    if not counted:
        return pl.DataFrame(schema={"host": pl.String, "line": pl.String, "where": pl.String, "documents": pl.UInt32})
    hosts, lines = (pl.scan_parquet([work.store.path(s.files[name]) for s in counted]) for name in (HOSTS, LINES))
    return site_lines.repeated(hosts, lines, cfg)


def mark(documents: pl.DataFrame, gone: pl.DataFrame, cfg: BoilerplateConfig) -> pl.DataFrame:
    """The same rows with what is left of `text`, the lines that went (`removed`), counts, and a reason for empty ones.

    Raises ConservationBroken when characters in are not those kept, removed and quarantined.
    """
    changed = site_lines.without(documents, gone, cfg)
    frame = documents.with_row_index("row").join(
        changed.rename({"text": "rest"}), on="row", how="left", maintain_order="left"
    )
    emptied = (pl.col("left") == 0).fill_null(value=False)
    ends = pl.col("removed").list.len()  # each line went with its line end
    size = pl.col("removed").list.eval(pl.element().str.len_chars()).list.sum() + ends
    marked = frame.with_columns(
        text=pl.when(emptied | pl.col("rest").is_null()).then("text").otherwise("rest"),
        count_removed_lines=ends.fill_null(0).cast(pl.Int64),
        count_removed_chars=pl.when(emptied).then(0).otherwise(size).fill_null(0).cast(pl.Int64),
        count_documents_changed=(ends > 0).fill_null(value=False).cast(pl.Int64),
        reason=pl.when(emptied).then(pl.lit("only_boilerplate")),
    )
    _conserved(documents, marked)
    return marked.drop("row", "rest", "left")


def _conserved(before: pl.DataFrame, after: pl.DataFrame) -> None:
    given, left = (int(f["text"].str.len_chars().sum()) for f in (before, after))
    removed = int(after["count_removed_chars"].sum())
    if given != left + removed:
        raise ConservationBroken(f"boilerplate: {given} characters in, {left} left and {removed} removed")


def mark_shard(room: Room, source: File, gone: pl.DataFrame, cfg: BoilerplateConfig) -> list[Shard]:
    """One shard's rows without the lines that go, split into kept and quarantined; what went beside them."""
    documents = pl.read_parquet(room.store.path(source))
    marked = mark(documents, gone, cfg)
    removed = marked.filter(pl.col("removed").is_not_null()).select("doc_id", "removed").explode("removed")
    made = rows.shard(room, marked.drop("removed"), DOCUMENT, text_bytes=int(documents["text"].str.len_bytes().sum()))
    files = {**made.files, EVIDENCE: room.put(removed)} if removed.height else made.files
    return [made.model_copy(update={"files": files})]
