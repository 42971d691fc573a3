"""签名 signing: what every later step must know of a shard, so that none of them reads its texts again."""

from __future__ import annotations

import polars as pl

from data_contracts.dataset import File, Shard
from data_contracts.stages import DedupConfig
from tasks.copies import tables
from tasks.rows import Room
from tasks.transforms.precedence import columns_of
from tasks.transforms.signatures import sign

NAMES = UNITS, BANDS, CARDS, UNIT_OF, ADDRESSES = (
    "units.table", "bands.table", "cards.table", "unit_of.table", "addresses.table",
)  # fmt: skip


def sign_shard(room: Room, source: File, cfg: DedupConfig) -> list[Shard]:
    """The tables of one shard; how many bands and addresses they have stands in the measures."""
    made = sign(read(room, source, cfg, "url", "source"), cfg)
    files = {name: tables.put(room, table) for name, table in zip(NAMES, made, strict=True)}
    measures = {"bands": float(len(made.bands)), "addresses": float(len(made.addresses))}
    return [Shard(content=files[CARDS].sha256, files=files, rows_in=len(made.units), measures=measures)]


def read(room: Room, source: File, cfg: DedupConfig, *more: str) -> pl.DataFrame:
    """The texts of a shard with their ids and what the keep rule looks at, as far as the shard has it."""
    path = room.store.path(source)
    there = pl.read_parquet_schema(path)
    wanted = dict.fromkeys(("doc_id", "text", *more, *columns_of(cfg.keep)))
    return pl.read_parquet(path, columns=[name for name in wanted if name in there])
