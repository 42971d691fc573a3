"""Datasets of documents for tests of stages: written into a store as any stage would write them."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from pathlib import Path

import polars as pl

from data_contracts.dataset import Dataset, Manifest, digest_of, document_id
from data_contracts.schemas import DOCUMENT, filled
from tasks import rows
from tasks.rows import Room
from tasks.store import Store, now

POEM = "永和九年岁在癸丑暮春之初会于会稽山阴之兰亭修禊事也群贤毕至少长咸集此地有崇山峻岭茂林修竹又有清流激湍"


def invented(count: int = 400) -> list[str]:
    """Lines of four phrases out of an old preface, each with a number and a word of Latin letters."""
    dice = random.Random(4)
    words = [POEM[a : a + dice.randrange(1, 5)] for a in range(len(POEM) - 4)]
    return ["，".join("".join(dice.choices(words, k=6)) for _ in range(4)) + f"。{i} ok" for i in range(count)]


def documents(texts: Sequence[str], source: str = "given", start: int = 0) -> pl.DataFrame:
    """Rows of DOCUMENT; row i is named `SOURCE#(start + i)`."""
    names = [f"{source}#{start + i}" for i in range(len(texts))]
    return pl.DataFrame(
        {
            "doc_id": [document_id(source, n) for n in names],
            "url": [f"file:{n}" for n in names],
            "source": [source] * len(names),
            "licence": ["CC0-1.0"] * len(names),
            "text": list(texts),
        },
    ).pipe(whole)


def whole(frame: pl.DataFrame) -> pl.DataFrame:
    """A frame with all columns of DOCUMENT in their order; those that it lacks are null."""
    return filled(frame, DOCUMENT).select(pl.col(name).cast(kind) for name, kind in DOCUMENT.columns.items())


def deposit(store: Store, shards: Iterable[pl.DataFrame], stage: str = "given", scratch: Path | None = None) -> Dataset:
    """Put frames into a store as the shards of one dataset."""
    made = []
    with store.folder.scratch() as folder:
        for frame in shards:
            whole = frame.with_columns(reason=pl.lit(None, pl.String()))
            size = int(frame["text"].str.len_bytes().sum())
            made.append(rows.shard(Room(store, scratch or folder), whole, DOCUMENT, text_bytes=size))
    version = digest_of([s.content for s in made])[:16]
    manifest = Manifest(
        stage=stage, version=version, schema_label=DOCUMENT.label, parents=[], config={}, code="", libraries={},
        shards=made, created_at=now(),
    )  # fmt: skip
    return store.commit(manifest)


def split(frame: pl.DataFrame, parts: int) -> list[pl.DataFrame]:
    """A frame as so many shards, ordered by doc_id as stages order them."""
    return [frame[i::parts].sort("doc_id") for i in range(parts)]
