"""A two-stage road of the tests' own: real stages over invented documents."""

from __future__ import annotations

import os
import time
from pathlib import Path

import polars as pl

from data_contracts.dataset import Shard, document_id
from data_contracts.model import Model
from data_contracts.schemas import DOCUMENT
from tasks import rows
from tasks.rows import Room
from tasks.stage import stage
from tasks.work import Inputs, Work
from tests.given_documents import whole


class Invented(Model):
    shards: tuple[str, ...] = ("a", "b", "c")
    rows: int = 20


class Least(Model):
    min_chars: int = 10
    calls: str = ""  # a folder in which every real call leaves a file


class Slow(Model):
    seconds: float = 0.0


def note_process(folder: str, seconds: float) -> int:
    """Leave the number of this process as a file's name, after so many seconds."""
    time.sleep(seconds)
    Path(folder, str(os.getpid())).touch()
    return os.getpid()


def documents(name: str, count: int) -> pl.DataFrame:
    ids = [document_id("toy", f"{name}{i}") for i in range(count)]
    return pl.DataFrame(
        {
            "doc_id": ids,
            "url": [f"file:{name}#{i}" for i in range(count)],
            "source": ["toy"] * count,
            "licence": ["CC0"] * count,
            "text": [f"{name}{'字' * i}" for i in range(count)],
        },
    ).pipe(whole)


def invent(room: Room, name: str, count: int) -> list[Shard]:
    frame = documents(name, count).with_columns(reason=pl.lit(None, pl.String()))
    return [rows.shard(room, frame, DOCUMENT, text_bytes=count)]


def mark(frame: pl.LazyFrame, cfg: Least) -> pl.LazyFrame:
    if cfg.calls:
        Path(cfg.calls, f"{time.time_ns()}-{os.getpid()}").touch()
    chars = pl.col("text").str.len_chars()
    return frame.with_columns(
        length=chars,
        count_long=(chars > 15).cast(pl.Int64),
        reason=pl.when(chars < cfg.min_chars).then(pl.lit("too_short")),
    )


def losing(frame: pl.LazyFrame, cfg: Least) -> pl.LazyFrame:
    return mark(frame, cfg).filter(pl.col("reason").is_null())


def misnaming(frame: pl.LazyFrame, cfg: Least) -> pl.LazyFrame:
    return frame.with_columns(reason=pl.lit("length_filter"))


def dying(room: Room, name: str) -> list[Shard]:
    os._exit(9)


def mark_scored(frame: pl.LazyFrame, cfg: Least) -> pl.LazyFrame:
    return frame.with_columns(quality=pl.lit(0.75), spam=pl.lit(0.25), reason=pl.lit(None, pl.String))


@stage(schema=DOCUMENT)
def scored(documents: Inputs, cfg: Least, work: Work) -> list[Shard]:
    """打分 scored: DOCUMENT -> DOCUMENT."""
    return work.each_shard(mark_scored, documents, cfg)


@stage(schema=DOCUMENT)
def source(cfg: Invented, work: Work) -> list[Shard]:
    """发明 source: -> DOCUMENT. Invented documents."""
    return [s for made in work.each(invent, [(f"{n} {cfg.rows}", (n, cfg.rows)) for n in cfg.shards]) for s in made]


@stage(schema=DOCUMENT, libraries=("polars",))
def least(given: Inputs, cfg: Least, work: Work) -> list[Shard]:
    """最短 least: DOCUMENT -> DOCUMENT. Refuses short ones."""
    return work.each_shard(mark, given, cfg)


@stage(schema=DOCUMENT)
def lossy(given: Inputs, cfg: Least, work: Work) -> list[Shard]:
    """丢失 lossy: a stage that breaks law 2."""
    return work.each_shard(losing, given, cfg)


@stage(schema=DOCUMENT)
def misnamed(given: Inputs, cfg: Least, work: Work) -> list[Shard]:
    """误名 misnamed: a stage whose reason is not in the list."""
    return work.each_shard(misnaming, given, cfg)


@stage(schema=DOCUMENT)
def mortal(cfg: Slow, work: Work) -> list[Shard]:
    """夭折 mortal: its worker is killed."""
    return [s for made in work.each(dying, [("x", ("x",)), ("y", ("y",))]) for s in made]
