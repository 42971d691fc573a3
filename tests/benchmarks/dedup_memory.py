"""A corpus of any size, and the memory that dedup of it takes. A program, so that nothing else is in its processes.

    python -m tests.benchmarks.dedup_memory make STORE MEGABYTES SHARED_DATA   prints the dataset's name
    python -m tests.benchmarks.dedup_memory run STORE DATASET WORKERS          prints what it took

Texts are made of real ones by repetition with edits: a quarter are copies with 1 in 100 characters changed, a tenth are
plain copies, the rest have two thirds of their sentences from other texts, so that what is left grows with the corpus.
They are made of texts of 300 characters and more: two mixtures of two sentences each would often be copies by chance, a
third of the next, and so on until one cluster holds a third of the corpus.
"""

from __future__ import annotations

import json
import os
import random
import resource
import sys
from collections.abc import Iterator
from pathlib import Path

import polars as pl

from data_contracts.config import Place
from data_contracts.stages import DedupConfig
from tasks.dedup import dedup
from tasks.executors import close_pools
from tasks.store import Store
from tests.benchmarks.measured import real_documents
from tests.given_documents import deposit, documents

SHARD_BYTES = 16_000_000
COMMON = "的一是了我不人在他有这个上们来到时大地为子中你说生国年着就那和要她出也得里后自以会"


def shards(base: list[str], megabytes: float) -> Iterator[pl.DataFrame]:
    rng = random.Random(11)
    pool = [s + "。" for t in base for s in t.split("。") if 8 < len(s) < 80]
    texts: list[str] = []
    filled = made = number = 0
    while made < megabytes * 1e6:
        texts.append(edited(rng, base[rng.randrange(len(base))], pool))
        size = len(texts[-1].encode())
        filled, made = filled + size, made + size
        if filled >= SHARD_BYTES or made >= megabytes * 1e6:
            yield documents(texts, source="repeated", start=number).sort("doc_id")
            number, filled, texts = number + len(texts), 0, []


def edited(rng: random.Random, text: str, pool: list[str]) -> str:
    kind = rng.random()
    if kind < 0.1:
        return text
    if kind < 0.35:
        characters = list(text)
        for place in rng.sample(range(len(text)), len(text) // 100 + 1):
            characters[place] = rng.choice(COMMON)
        return "".join(characters)
    return "".join(s + "。" if rng.random() < 0.33 else rng.choice(pool) for s in text.split("。"))


def make(store: str, megabytes: str, shared_data: str) -> str:
    base = real_documents(Path(shared_data), 20).filter(pl.col("text").str.len_chars() >= 300)["text"].to_list()
    return deposit(Store(store).open(), shards(base, float(megabytes)), stage="repeated").name


def run(store: str, name: str, workers: str) -> dict[str, object]:
    given = Store(store).manifest(name).handle
    made, _ = dedup.run(given, DedupConfig(), Place(store=store, workers=int(workers)))
    close_pools()
    spent, here, below = os.times(), *(resource.getrusage(w).ru_maxrss / 1e3 for w in (0, resource.RUSAGE_CHILDREN))
    size = Store(store).manifest(made)
    return {
        "megabytes": round(sum(s.text_bytes for s in size.shards) / 1e6, 1),
        "documents": made.rows + made.quarantined,
        "removed": made.quarantined,
        "cpu_seconds": round(sum(spent[:4]), 1),
        "peak_rss_mb": {"this process": round(here), **({"a worker": round(below)} if below else {})},
    }


if __name__ == "__main__":
    print(json.dumps({"make": make, "run": run}[sys.argv[1]](*sys.argv[2:])))
