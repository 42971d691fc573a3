"""跳过的文档 skipped: the documents of the steps that the trainer skipped as spikes, by id, source and URL.

The trainer knows files and numbers of blocks (RUN/skipped.jsonl, lightning_modules/spikes.py); which document lies
where follows from the table beside the blocks, what its URL is from the documents that were encoded.

RUN/skipped_documents.csv      step, doc_id, source, url
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from data_contracts.dataset import KEPT, Manifest, Shard
from tasks.lookup import rows_of
from tasks.store import Store

BLOCKS_FILE, DOCUMENTS_FILE = "skipped.jsonl", "skipped_documents.csv"
_COLUMNS = {"step": pl.Int64(), "doc_id": pl.String(), "source": pl.String(), "url": pl.String()}


def name_documents(store: Store, blocks: Sequence[Manifest], folder: Path) -> int:
    """Write the documents of the skipped steps; how many steps those are, 0 where none was or none could be."""
    path = folder / BLOCKS_FILE
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    steps = [json.loads(line) for line in lines if line]
    if not steps:
        return 0
    places = {str(store.path(s.files["train.bin"])): (m, s) for m in blocks for s in m.shards if "train.bin" in s.files}
    asked: dict[str, list[tuple[int, int]]] = {}
    for step in steps:
        for file, block in step["blocks"]:
            asked.setdefault(file, []).append((step["step"], block))
    frames = [_named(store, *places[file], where) for file, where in asked.items()]
    found = pl.concat([pl.DataFrame(schema=_COLUMNS), *frames]).unique().sort("step", "doc_id")
    found.write_csv(folder / DOCUMENTS_FILE)
    return len(steps)


def _named(store: Store, manifest: Manifest, shard: Shard, where: Sequence[tuple[int, int]]) -> pl.DataFrame:
    """Rows of _COLUMNS for (step, block) of one shard."""
    order = in_order(pl.read_parquet(store.path(shard.files[KEPT])))
    starts, size = order["start"].to_numpy(), int(manifest.measures["block_tokens"])
    steps, blocks = np.array(where, dtype=np.int64).T
    first = np.searchsorted(starts, blocks * size, side="right") - 1  # a block has the targets up to its last index
    last = np.searchsorted(starts, (blocks + 1) * size, side="right") - 1
    counts = np.maximum(last, 0) - np.maximum(first, 0) + 1
    rows = np.repeat(np.maximum(first, 0), counts) + np.concatenate([np.arange(n) for n in counts])
    met = order[rows.tolist()].select(pl.Series("step", np.repeat(steps, counts)), "doc_id", "source").unique()
    documents = store.manifest(manifest.parents[0])
    told: list[dict[str, Any]] = [
        {"doc_id": row["doc_id"], "url": row.get("url")}
        for _, row in rows_of(store, documents, KEPT, met["doc_id"].unique().to_list(), ("doc_id", "url"))
    ]
    urls = pl.DataFrame(told, schema={"doc_id": pl.String(), "url": pl.String()}).unique("doc_id")
    named: pl.DataFrame = met.join(urls, on="doc_id", how="left").select(list(_COLUMNS))
    return named


def in_order(table: pl.DataFrame) -> pl.DataFrame:
    """Training documents as they stand in their stream, every copy (tasks/transforms/packing.py): rounds of copies."""
    once = table.filter(pl.col("split") == "train").sort("start")
    most = int(once["copies"].to_numpy().max(initial=0))
    rounds = [once.filter(pl.col("copies") > done) for done in range(most)]
    whole = pl.concat(rounds) if rounds else once
    return whole.with_columns(start=pl.col("tokens").cum_sum() - pl.col("tokens"))
