"""血缘 lineage: what a dataset or a model was made of, back to the crawl.

ancestors(store, manifest)     every manifest behind one, nearest first
archives_of(manifest)          WARC files of a crawl
sources_of(store, manifest)    rows, characters and licence of every source that is in it
card_facts(store, dataset)     what a model card says about its data
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import polars as pl

from data_contracts.dataset import KEPT, Dataset, File, Manifest
from data_contracts.errors import DatasetMissing
from tasks.store import Store


def ancestors(store: Store, manifest: Manifest) -> list[Manifest]:
    """Every manifest behind one, itself left out, nearest first, each once."""
    seen: dict[str, Manifest] = {}
    todo = list(manifest.parents)
    while todo:
        name = todo.pop(0)
        if name not in seen:
            seen[name] = store.manifest(name)
            todo.extend(seen[name].parents)
    return list(seen.values())


def find(store: Store, wanted: str) -> list[Manifest]:
    """The datasets that a version, a name "stage/version", a stage, a channel or a run stands for, newest last.

    `clean~1` is the dataset before the newest of clean, `corpus/news~1` what the channel pointed to before.
    """
    name, _, back = wanted.partition("~")
    if name != wanted and back.isdecimal():
        return _earlier(store, name, int(back))
    channels = store.channels()
    if wanted in channels:
        return [store.manifest(channels[wanted])]
    run = store.folder.read(f"runs/{wanted}/stages.json")
    if run:
        return [store.manifest(s["dataset"]) for s in json.loads(run)["stages"]]
    every = store.datasets()
    found = [m for m in every if f"{m.stage}/{m.version}" == wanted or m.version.startswith(wanted)]
    found = found or [m for m in every if m.stage == wanted or m.measures.get("run") == wanted]
    if not found:
        raise DatasetMissing(
            f"no dataset, channel or run in {store.root} is called {wanted!r}; `ziliu show` lists them"
        )
    return found


def _earlier(store: Store, name: str, back: int) -> list[Manifest]:
    """A stage's dataset or a channel's, so many before the newest."""
    pointed = [entry["dataset"] for entry in store.history(name)]
    found = [store.manifest(d) for d in pointed] or [m for m in store.datasets() if m.stage == name]
    if back >= len(found):
        raise DatasetMissing(f"{name} has {len(found)} datasets in {store.root}, none so far back as ~{back}")
    return [found[-1 - back]]


def newest_run(store: Store) -> str | None:
    """The name of the newest run that touched a dataset."""
    runs = [n.split("/")[1] for n in store.folder.names("runs") if n.endswith("/stages.json")]
    return max(runs, default=None)


def archives_of(manifest: Manifest) -> dict[str, File]:
    """WARC files of a crawl by their names; empty for every other dataset."""
    return {name: file for s in manifest.shards for name, file in s.files.items() if name.endswith(".warc.gz")}


def sources_of(store: Store, manifest: Manifest) -> list[dict[str, Any]]:
    """Source, licence, documents and characters of a dataset of documents, most characters first.

    The shards have counted them; texts are read only where a dataset is older than that.
    """
    if all(s.sources or not s.rows_kept for s in manifest.shards):
        columns = {"source": pl.String(), "licence": pl.String(), "documents": pl.Int64(), "chars": pl.Int64()}
        rows = [row for shard in manifest.shards for row in shard.sources]
        counted = pl.LazyFrame(rows, schema=columns, orient="row").group_by("source", "licence").sum()
    else:
        frame = store.scan(f"{manifest.stage}/{manifest.version}", KEPT)
        counted = frame.group_by("source", "licence").agg(
            documents=pl.len(), chars=pl.col("text").str.len_chars().sum()
        )
    return counted.sort("chars", "source", descending=[True, False]).collect(engine="streaming").to_dicts()


def card_facts(store: Store, blocks: Dataset, others: Sequence[Dataset] = ()) -> dict[str, Any]:
    """What a model card says about its data: versions of every stage behind the blocks, and every source's licence.

    Times and places are left out: two crawls that saw the same bytes give the same card.
    """
    manifest = store.manifest(blocks)
    behind = ancestors(store, manifest)
    return {
        "blocks": blocks.name,
        "corpus": manifest.parents[0],
        "tokenizer": manifest.parents[1],
        "stages": [f"{m.stage}/{m.version}" for m in behind],
        "sources": sources_of(store, store.manifest(manifest.parents[0])),
    } | ({"others": [card_facts(store, other) for other in others]} if others else {})
