"""读入 ingest: VISIT -> PAGE, WARC files -> PAGE, and JSONL, Parquet, text -> DOCUMENT or EXAMPLE.

A broken record is quarantined with its error and the rest goes through, up to `max_unreadable_ratio`. Files outside the
store are known by their bytes: each is one job under the hash of its content and its name below the source's folder, so
that moving the folder changes nothing and a new file costs only itself. They are streamed: memory is bounded by
`shard_bytes` and the largest record, not by the file.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import polars as pl

from data_contracts.dataset import KEPT, Dataset, File, Shard, digest_of, document_id
from data_contracts.schemas import DOCUMENT, EXAMPLE, PAGE, Schema
from data_contracts.sources import JsonLinesSource, ParquetSource, TextSource, WarcSource
from data_contracts.stages import IngestConfig
from tasks import rows
from tasks.readers import jsonl, parquet, plain
from tasks.readers.found import FoundFile, FoundSource, find
from tasks.readers.record import Record, rows_of
from tasks.readers.warc import Capture, capture_at, captures
from tasks.rows import Room
from tasks.stage import Body, Stage, stage
from tasks.store import Store
from tasks.unique_ids import with_unique_ids
from tasks.unreadable import refuse_too_many
from tasks.work import Work

BUNDLES_PER_SHARD = 4  # small text files are read in bundles of about a quarter of a shard's bytes


class Reading(Stage):
    """A stage that reads files outside the store: their names and hashes stand where others have parents."""

    def look(self, values: list[Any]) -> tuple[list[Any], Any]:
        """Hash the source's files."""
        source, *rest = values
        found = find(source)
        return [found, *rest], found.listing


def reading(schema: Schema) -> Callable[[Body], Reading]:
    """Make the stage of a body that reads files outside the store."""
    return lambda body: Reading(body, schema, ("fastwarc", "orjson", "pyarrow", "resiliparse"), ())


@stage(schema=PAGE, libraries=("fastwarc",))
def ingest_visits(visits: Dataset, cfg: IngestConfig, work: Work) -> list[Shard]:
    """读入抓取 ingest: VISIT -> PAGE. Read each visited page out of its WARC object, ordered by document id."""
    jobs = [(s.content, (s.files[KEPT], cfg)) for s in work.shards(visits) if s.rows_kept]
    shards = [shard for made in work.each(read_visits, jobs) for shard in made]
    refuse_too_many(work, shards, cfg.max_unreadable_ratio)
    return shards


@reading(PAGE)
def ingest_archives(found: FoundSource, cfg: IngestConfig, work: Work) -> list[Shard]:
    """读入归档 ingest: WARC files -> PAGE. Torn files give what is whole; the latest capture of a URL is kept."""
    files = {f.sha256: f for f in found.files}.values()  # one file under two names is one file
    jobs = [(f"{f.sha256}\0{found.digest}", (str(found.path(f)), f.sha256, found.source, cfg)) for f in files]
    shards = [shard for made in work.each(read_archive, jobs) for shard in made]
    shards = with_unique_ids(work, shards, PAGE)
    refuse_too_many(work, shards, cfg.max_unreadable_ratio)
    return shards


@reading(DOCUMENT)
def ingest_files(found: FoundSource, cfg: IngestConfig, work: Work) -> list[Shard]:
    """读入文件 ingest: JSONL, Parquet, text -> DOCUMENT. One document a line, row or file."""
    return _read_source(found, cfg, work, DOCUMENT)


@reading(EXAMPLE)
def ingest_examples(found: FoundSource, cfg: IngestConfig, work: Work) -> list[Shard]:
    """读入样例 ingest: JSONL, Parquet, text -> EXAMPLE. Texts that a scorer learns from, never part of the corpus."""
    return _read_source(found, cfg, work, EXAMPLE)


def _read_source(found: FoundSource, cfg: IngestConfig, work: Work, schema: Schema) -> list[Shard]:
    bundles = _bundles(found, cfg.shard_bytes)
    keys = [f"{digest_of([[f.name, f.sha256] for f in files])}\0{found.digest}" for files in bundles]
    jobs = [(key, (found.folder, files, found.source, cfg, schema)) for key, files in zip(keys, bundles, strict=True)]
    shards = [shard for made in work.each(read_files, jobs) for shard in made]
    shards = with_unique_ids(work, shards, schema)
    refuse_too_many(work, shards, cfg.max_unreadable_ratio)
    return shards


def read_visits(room: Room, visits: File, cfg: IngestConfig) -> list[Shard]:
    """The pages of one bucket of visits."""
    frame = pl.read_parquet(room.store.path(visits)).sort("doc_id")
    return list(_packed(room, PAGE, (_visited(room.store, v, cfg) for v in frame.iter_rows(named=True)), cfg))


def _visited(store: Store, visit: dict[str, Any], cfg: IngestConfig) -> dict[str, Any]:
    if visit["archive"] is None:
        capture = Capture(visit["url"], -1, reason="unreadable", error="the crawl names no WARC record for it")
    else:
        archive = store.path(File(sha256=visit["archive"], bytes=0))
        capture = capture_at(archive, visit["offset"], cfg.max_record_bytes)
    page = _page(capture, visit["doc_id"], visit["source"], visit["licence"], visit["archive"])
    return page | {"url": visit["url"], "fetched_at": visit["fetched_at"]}


def read_archive(room: Room, path: str, sha256: str, source: WarcSource, cfg: IngestConfig) -> list[Shard]:
    """The captures of one WARC file. A page's id hangs on its URL, a broken record's on its place."""
    pages = (
        _page(c, document_id(source.name, c.url or f"{sha256}#{c.offset}"), source.name, source.licence, sha256)
        for c in captures(Path(path), cfg.max_record_bytes)
    )
    return list(_packed(room, PAGE, pages, cfg))


def _page(capture: Capture, doc_id: str, source: str, licence: str, archive: str | None) -> dict[str, Any]:
    return {
        "doc_id": doc_id,
        "url": capture.url,
        "source": source,
        "licence": licence,
        "status": capture.status,
        "content_type": capture.content_type,
        "body": capture.body,
        "digest": None if capture.body is None else hashlib.sha256(capture.body).hexdigest(),
        "fetched_at": capture.fetched_at,
        "archive": archive,
        "offset": capture.offset,
        "reason": capture.reason,
        "error": capture.error,
        "bytes": len(capture.body or b""),
    }


def read_files(
    room: Room,
    folder: str,
    files: tuple[FoundFile, ...],
    source: JsonLinesSource | ParquetSource | TextSource,
    cfg: IngestConfig,
    schema: Schema,
) -> list[Shard]:
    """The documents of one file, or of one bundle of text files."""
    documents = (
        row
        for file in files
        for row in rows_of(_records(Path(folder) / file.name, file.name, source, cfg), source, file.name)
    )
    return list(_packed(room, schema, documents, cfg))


def _records(
    path: Path, name: str, source: JsonLinesSource | ParquetSource | TextSource, cfg: IngestConfig
) -> Iterator[Record]:
    if isinstance(source, JsonLinesSource):
        return jsonl.records(path, source, cfg.max_record_bytes)
    if isinstance(source, ParquetSource):
        return parquet.records(path, source, cfg.max_record_bytes)
    return (r._replace(key=name) for r in plain.records(path, cfg.max_record_bytes))


def _bundles(found: FoundSource, shard_bytes: int) -> list[tuple[FoundFile, ...]]:
    """Files by job: one a file. Small text files share one, chosen by the hash of their name.

    A new file then costs its bundle only: the number of bundles is a power of two and seldom changes.
    """
    if not isinstance(found.source, TextSource):
        return [(f,) for f in found.files]
    count = 1
    while count * shard_bytes < BUNDLES_PER_SHARD * sum(f.bytes for f in found.files):
        count *= 2
    bundles: dict[int, list[FoundFile]] = {}
    for file in found.files:
        place = int.from_bytes(hashlib.blake2b(file.name.encode(), digest_size=8).digest()) % count
        bundles.setdefault(place, []).append(file)
    return [tuple(bundles[i]) for i in sorted(bundles)]


def _packed(room: Room, schema: Schema, records: Iterable[dict[str, Any]], cfg: IngestConfig) -> Iterator[Shard]:
    """Shards of about `shard_bytes` of text or body each; nothing for no records."""
    columns = {**schema.columns, "reason": pl.String(), "error": pl.String(), "bytes": pl.Int64()}
    gathered: list[dict[str, Any]] = []
    filled = 0
    for record in records:
        gathered.append(record)
        filled += record["bytes"]
        if filled >= cfg.shard_bytes:
            yield _shard(room, schema, gathered, columns)
            gathered, filled = [], 0
    if gathered:
        yield _shard(room, schema, gathered, columns)


def _shard(room: Room, schema: Schema, records: list[dict[str, Any]], columns: dict[str, pl.DataType]) -> Shard:
    frame = pl.DataFrame(records, schema=columns)
    size = int(frame["bytes"].sum())
    return rows.shard(room, frame.drop("bytes"), schema, text_bytes=size)
