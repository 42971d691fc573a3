"""索引文件 the gram index as files of the store: built by one cached job, mapped into memory by every worker."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise

import numpy as np
import polars as pl

from data_contracts.dataset import File, Shard, digest_of
from data_contracts.decontamination import DecontaminateConfig
from tasks.rows import Room
from tasks.store import Store
from tasks.transforms.flat_text import flat_text
from tasks.transforms.fold import fold
from tasks.transforms.gram_index import GramIndex, build

UNITS, ITEMS = "units.parquet", "items.parquet"
_MAPPED_BYTES = 1_000_000  # smaller arrays are read; an empty one cannot be mapped


def build_index(room: Room, sources: Sequence[File], cfg: DecontaminateConfig) -> list[Shard]:
    """The index of all texts of all benchmarks, one file an array, and what its units are.

    units.parquet   benchmark, item, field (of the first item that holds it), items (how many do); row i is unit i
    items.parquet   benchmark, item, unit: a row for every unit of every item
    """
    texts = pl.concat([pl.read_parquet(room.store.path(s)) for s in sources])
    texts = texts.with_columns(key=folded(texts["text"], cfg.fold_script))
    units = (
        texts.group_by("benchmark", "key", maintain_order=True)  # equal texts of a benchmark are one unit
        .agg(pl.col("item", "field").first(), items=pl.col("item").n_unique())
        .with_row_index("unit")
    )
    items = texts.join(units, on=["benchmark", "key"], how="inner", maintain_order="left")
    index = build(flat_text(units["key"].to_list()), cfg.ngram_chars, cfg.max_units_per_ngram)
    files = {}
    for name, array in index._asdict().items():
        path = room.scratch / f"{name}.npy"
        np.save(path, array, allow_pickle=False)
        files[path.name] = room.put(path)
    files[UNITS] = room.put(units.select("benchmark", "item", "field", "items"))
    files[ITEMS] = room.put(items.select("benchmark", "item", "unit").unique(maintain_order=True))
    return [Shard(content=digest_of(files), files=files, rows_in=units.height, rows_kept=units.height)]


def folded(texts: pl.Series, fold_script: bool) -> pl.Series:
    """The key of every text (tasks/transforms/fold.py)."""
    keys = fold(texts.to_list(), fold_script)
    whole, ends = keys.codes.tobytes().decode("utf-32-le"), keys.offsets.tolist()
    return pl.Series([whole[a:b] for a, b in pairwise(ends)], dtype=pl.String())


def open_index(store: Store, shard: Shard) -> GramIndex:
    """The index of a shard that `build_index` made. Every process maps it once."""
    arrays = {name: shard.files[f"{name}.npy"] for name in GramIndex._fields}
    return _mapped(str(store.root), tuple(arrays.items()))


@lru_cache(maxsize=1)
def _mapped(root: str, arrays: tuple[tuple[str, File], ...]) -> GramIndex:
    store = Store(root)
    found = {
        name: np.load(store.path(file), mmap_mode="r" if file.bytes > _MAPPED_BYTES else None).view(np.ndarray)
        for name, file in arrays
    }
    return GramIndex(**found)
