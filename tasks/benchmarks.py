"""测试集 benchmarks: evaluation files -> ITEMS, the texts that no model may have been trained on.

A unit is one field of one item. The files stand where other stages have parents: an edited benchmark is another
version, and everything that was held against it is held against it again.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
from pydantic import Field

from data_contracts.dataset import Shard
from data_contracts.decontamination import Benchmark
from data_contracts.errors import ConfigError
from data_contracts.model import Model
from tasks.readers.found import FoundFile, located
from tasks.readers.items import texts
from tasks.rows import Room
from tasks.stage import Stage
from tasks.work import Work

UNITS = "units.parquet"
COLUMNS = {"benchmark": pl.String(), "item": pl.String(), "field": pl.String(), "text": pl.String()}


class FoundBenchmark(Model):
    """A benchmark and its files, in order of name. Only the benchmark, without its path, is part of the stage's key."""

    benchmark: Benchmark
    files: tuple[FoundFile, ...] = Field((), exclude=True)
    folder: str = Field("", exclude=True, repr=False)


class ReadingBenchmark(Stage):
    """A stage that reads evaluation files outside the store."""

    def look(self, values: list[Any]) -> tuple[list[Any], Any]:
        """Hash the benchmark's files."""
        (benchmark,) = values
        folder, pattern, files = located(benchmark)
        found = FoundBenchmark(
            benchmark=benchmark.model_copy(update={"path": pattern}), files=files, folder=str(folder.absolute())
        )
        return [found], [[f.name, f.sha256] for f in files]


def _reading(body: Any) -> ReadingBenchmark:
    return ReadingBenchmark(body, "ITEMS", ("orjson", "pyarrow"), ())


@_reading
def ingest_benchmark(found: FoundBenchmark, work: Work) -> list[Shard]:
    """读入测试集 ingest: evaluation files -> ITEMS. The texts of the named fields of every item, one row each."""
    jobs = [(f"{f.name}\0{f.sha256}", (str(Path(found.folder) / f.name), f.name, found.benchmark)) for f in found.files]
    shards = [shard for made in work.each(read_items, jobs) for shard in made]
    empty = [field for field in found.benchmark.fields if not any(s.measures.get(field) for s in shards)]
    if empty:
        raise ConfigError(
            f"benchmark {found.benchmark.name}: no item of its {len(shards)} files has text in {', '.join(empty)}; "
            "correct `fields`"
        )
    return shards


def read_items(room: Room, path: str, name: str, benchmark: Benchmark) -> list[Shard]:
    """The units of one file."""
    rows = [(benchmark.name, *found) for found in texts(Path(path), name, benchmark)]
    frame = pl.DataFrame(rows, schema=COLUMNS, orient="row")
    file = room.put(frame)
    items = frame["item"].n_unique()
    return [
        Shard(
            content=file.sha256,
            files={UNITS: file},
            rows_in=items,
            rows_kept=items,
            chars=int(frame["text"].str.len_chars().sum()),
            text_bytes=int(frame["text"].str.len_bytes().sum()),
            measures={field: float(number) for field, number in frame["field"].value_counts().iter_rows()},
        )
    ]
