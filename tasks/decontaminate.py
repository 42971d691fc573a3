"""去污染 decontaminate: DOCUMENT -> DOCUMENT. What repeats an item of a benchmark is cut, refused, or only reported.

Both sides are folded (width, case, script, spaces and punctuation) and compared by runs of 13 characters. One run
convicts nobody: idioms, formulas and names of laws are as long. What does stands in tasks/transforms/contamination.py.

Row by row: a new shard costs only itself, and a shard that repeats nothing is passed on as it is, unwritten. What was
found stands beside the rows (`evidence.parquet`), also of rows that stay. Conservation: the characters that are kept,
quarantined and cut add up to those that came in.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import polars as pl

from data_contracts.dataset import EVIDENCE, KEPT, Dataset, Shard, digest_of
from data_contracts.decontamination import DecontaminateConfig
from data_contracts.errors import ConservationBroken
from data_contracts.schemas import DOCUMENT
from tasks import benchmarks, rows
from tasks.index_files import ITEMS, UNITS, build_index, open_index
from tasks.rows import Room
from tasks.stage import stage
from tasks.store import Store
from tasks.transforms.contamination import Cleansed, cleanse
from tasks.work import Inputs, Output, Work


@stage(schema=DOCUMENT, libraries=("numpy", "opencc", "polars"))
def decontaminate(documents: Inputs, tests: Sequence[Dataset], cfg: DecontaminateConfig, work: Work) -> Output:
    """去污染 decontaminate: DOCUMENT -> DOCUMENT. Passages that repeat items of benchmarks go; none without any."""
    shards = [s for s in work.shards(documents) if s.rows_kept]
    if not tests:
        return Output([untouched(s) for s in shards])
    items = work.shards(tests)
    key = digest_of([s.content for s in items])
    [[index]] = work.each(build_index, [(key, ([s.files[benchmarks.UNITS] for s in items], cfg))])
    jobs = [(f"{s.content}\0{index.content}", (s, index, cfg)) for s in shards]
    made = [shard for marked in work.each(mark_shard, jobs) for shard in marked]
    return Output(made, measures={"benchmarks": tally(work.store, made, index, cfg)})


def untouched(shard: Shard, text_bytes: int = 0) -> Shard:
    """A shard whose rows all go on as they are: the same file."""
    return Shard(
        content=shard.content,
        files={KEPT: shard.files[KEPT]},
        rows_in=shard.rows_kept,
        rows_kept=shard.rows_kept,
        chars=shard.chars,
        sources=shard.sources,
        text_bytes=text_bytes,
    )


def mark_shard(room: Room, shard: Shard, index: Shard, cfg: DecontaminateConfig) -> list[Shard]:
    """One shard's rows without what they repeat; ConservationBroken when characters are lost or made."""
    path = room.store.path(shard.files[KEPT])
    texts = pl.read_parquet(path, columns=["text"])["text"]
    size = int(texts.str.len_bytes().sum())
    cleansed = cleanse(texts.to_list(), open_index(room.store, index), cfg)
    if cleansed.findings.is_empty():
        return [untouched(shard, size)]
    units = pl.read_parquet(room.store.path(index.files[UNITS])).with_row_index("unit")
    marked, evidence = mark(pl.read_parquet(path), cleansed, units, cfg)
    cut = int(marked["count_cut_chars"].sum())
    made = rows.shard(room, marked, DOCUMENT, text_bytes=size)
    refused = int(marked.filter(pl.col("reason").is_not_null())["text"].str.len_chars().sum())
    if made.chars + refused + cut != shard.chars:
        raise ConservationBroken(
            f"decontaminate: {shard.chars} characters in, {made.chars} kept, {refused} quarantined, {cut} cut"
        )
    return [made.model_copy(update={"files": made.files | {EVIDENCE: room.put(evidence)}})]


def mark(
    documents: pl.DataFrame, cleansed: Cleansed, units: pl.DataFrame, cfg: DecontaminateConfig
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """(the same rows with the text that goes on and `reason`, the evidence: one row for every passage found).

    `benchmark`, `item` and `overlap` are those of the longest passage. A refused row keeps its whole text.
    """
    found = cleansed.findings.join(units, on="unit", how="left", maintain_order="left")
    longest = found.sort("chars", descending=True, maintain_order=True).unique("row", keep="first")
    worst = longest.select("row", "benchmark", "item", "overlap")
    chars, left = pl.col("text").str.len_chars(), pl.col("left").str.len_chars()
    guilty = pl.col("benchmark").is_not_null()
    goes = guilty & (pl.lit(cfg.remove == "document") | (chars - left > cfg.max_cut_ratio * chars))
    marked = (
        documents.with_columns(left=pl.Series(cleansed.texts, dtype=pl.String()))
        .with_row_index("row")
        .join(worst.with_columns(pl.col("row").cast(pl.UInt32)), on="row", how="left", maintain_order="left")
        .with_columns(
            reason=pl.when(goes).then(pl.lit("contaminated")),
            cut_chars=pl.when(guilty).then(chars.cast(pl.Int64) - left),
            count_contaminated=guilty.cast(pl.Int64),
        )
        .with_columns(
            text=pl.when(goes).then("text").otherwise("left"),
            count_cut_chars=pl.when(pl.col("reason").is_null()).then("cut_chars").fill_null(0),
        )
        .drop("row", "left")
    )
    named = documents.select("doc_id", "source").with_row_index("row").with_columns(pl.col("row").cast(pl.Int64))
    return marked, named.join(found, on="row", how="inner", maintain_order="right").drop("row")


def tally(store: Store, shards: Sequence[Shard], index: Shard, cfg: DecontaminateConfig) -> dict[str, dict[str, Any]]:
    """By benchmark: items, those long enough to be judged, those found in documents, and documents by source."""
    units = open_index(store, index).unit_chars
    items = pl.read_parquet(store.path(index.files[ITEMS]))
    long_enough = pl.Series(units >= cfg.min_chars).gather(items["unit"])
    found = pl.concat(
        [
            pl.DataFrame(
                schema={"benchmark": pl.String(), "unit": pl.UInt32(), "source": pl.String(), "doc_id": pl.String()}
            ),
            *(
                pl.read_parquet(store.path(s.files[EVIDENCE]), columns=["benchmark", "unit", "source", "doc_id"])
                for s in shards
                if EVIDENCE in s.files
            ),
        ]
    )
    hit = items.with_columns(judged=long_enough, found=pl.col("unit").is_in(found["unit"].implode()))
    by_item = hit.group_by("benchmark", "item", maintain_order=True).agg(pl.col("judged", "found").any())
    told = {}
    for (name,), part in by_item.group_by("benchmark", maintain_order=True):
        documents = found.filter(benchmark=name).unique(["doc_id", "source"])
        told[str(name)] = {
            "items": part.height,
            "judged": int(part["judged"].sum()),
            "found": int(part["found"].sum()),
            "documents": documents.height,
            "sources": dict(documents.group_by("source").len().sort("source").rows()),
        }
    return told
