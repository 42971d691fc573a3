"""抓取 crawl: seeds -> VISIT. Runs the crawler program and publishes what it saw.

The web is not a function of the config, so a crawl's version also holds what was seen: every URL, its status and the
hash of its body. Two crawls that saw the same bytes are one version, and nothing downstream runs again. A crawl is
Cached while the last that finished is younger than `recrawl_after_hours`; a killed one goes on where it stopped. Each
asks only for what may have changed since the one before; that one's records stay, and visits go on to point at them.

    STORE/crawls/<key>/<time>/     frontier.sqlite, visits.jsonl, WARC files (hard links to the store's objects)
    STORE/crawls/<key>/last.json   version, time and folder of the last crawl that finished
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import polars as pl

from data_contracts.dataset import Dataset, Manifest, Shard, digest_of, document_id
from data_contracts.errors import ConfigError, CrawlFailed, StoreError
from data_contracts.schemas import VISIT
from data_contracts.sources import CrawlSource
from tasks import journal, progress, rows, supervised
from tasks.rows import Room
from tasks.stage import Body, Stage
from tasks.store import Store, now
from tasks.work import Work

_WHEN = {"recrawl_after_hours": 0.0, "recrawl_within_hours": 0.0, "recrawl_slower": 1.0, "recrawl_faster": 1.0}
VISITS_PER_SHARD = 512  # a changed page costs its bucket; buckets are cut by document id


class Crawl(Stage):
    """A stage whose version is known only when it has run: it observes, so what it saw is part of its version."""

    def run(self, *arguments: Any) -> tuple[Dataset, bool]:
        """Crawl, go on with a killed crawl, or find the last one if it is young enough."""
        source, place = arguments
        store = Store(place.store).open()
        key = self.key([source.model_copy(update=_WHEN)])[:16]
        with store.folder.lock(f"crawl-{key}"):
            manifest = self._young(store, key, source.recrawl_after_hours)
            found = manifest is not None
            if manifest is None:
                manifest = self._observe(store, key, source)
        journal.note(self.name, self.title, manifest, found)
        return manifest.handle, found

    def _young(self, store: Store, key: str, hours: float) -> Manifest | None:
        last = _last(store, key)
        if not last or time.time() - last["finished"] > hours * 3600:
            return None
        manifest = store.find(self.name, last["version"])
        return manifest if manifest and not store.faults(manifest) else None

    def _observe(self, store: Store, key: str, source: CrawlSource) -> Manifest:
        manifest = self.make(
            store, [source], [], key, lambda shards: digest_of([key, [s.content for s in shards]])[:16]
        )
        last = {"version": manifest.version, "finished": time.time(), "folder": crawl_folder(store, key).name}
        store.folder.replace(f"crawls/{key}/last.json", json.dumps(last).encode())
        return manifest


def crawl_folder(store: Store, key: str) -> Path:
    """Where a crawl works: the folder of one that was started but not published, else a new one."""
    top = store.folder.path(f"crawls/{key}")
    done = _last(store, key).get("folder", "")
    begun = sorted(p for p in top.iterdir() if p.is_dir() and p.name > done) if top.is_dir() else []
    folder = begun[-1] if begun else top / now().replace(":", "")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _last(store: Store, key: str) -> dict[str, Any]:
    content = store.folder.read(f"crawls/{key}/last.json")
    return dict(json.loads(content)) if content else {}


def crawl_before(store: Store, key: str) -> Path | None:
    """The folder of the last crawl that was published, None when there was none."""
    name = _last(store, key).get("folder")
    return store.folder.path(f"crawls/{key}/{name}") if name else None


def run_crawler(source: CrawlSource, folder: Path, previous: Path | None = None) -> None:
    """Run the crawler program on a folder; it goes on where an earlier one was killed."""
    config = folder / "crawl.json"
    task = {"source": source.model_dump(mode="json"), "folder": str(folder), "previous": previous and str(previous)}
    config.write_text(json.dumps(task), encoding="utf-8")

    def show(event: dict[str, Any]) -> None:
        if event["event"] == "progress":
            progress.report(progress.Step("crawl", event.get("done", 0), event.get("total", 0), source.name))

    command = [sys.executable, "-m", "tasks.crawler", str(config)]
    ended = supervised.run(command, log=folder / "crawl.log", on_event=show)
    if ended.code == ConfigError.exit_code:
        raise ConfigError(f"source {source.name}: {ended.tail}")
    if ended.code == StoreError.exit_code:
        raise StoreError(f"source {source.name}: {ended.tail}")
    if ended.code:
        raise CrawlFailed(
            f"the crawl of {source.name} ended with code {ended.code}; log: {folder}/crawl.log\n{ended.tail}"
        )


def publish(room: Room, source: CrawlSource, folder: Path) -> list[Shard]:
    """Move the WARC files (earlier ones too) and their index into the store, and cut the visits into buckets.

    The archives come last, in a shard without rows: what a crawl saw is its visits, not the bytes of its WARC files,
    which hold times and random record ids.
    """
    visits = pl.read_ndjson(folder / "visits.jsonl", schema=_VISIT_LINE)
    archives = {
        file["name"]: room.store.keep_file(folder.parent / (file["folder"] or folder.name) / "warc" / file["name"])
        for file in json.loads((folder / "end.json").read_bytes())["archives"]
    }
    archives["index.cdxj"] = room.store.keep_file(folder / "warc" / "index.cdxj")
    frame = visits.with_columns(
        doc_id=pl.Series([document_id(source.name, url) for url in visits["url"]], dtype=pl.String()),
        source=pl.lit(source.name),
        licence=pl.lit(source.licence),
        archive=pl.col("archive").replace_strict({n: f.sha256 for n, f in archives.items()}, default=None),
    ).sort("doc_id")
    shards = [rows.shard(room, part, VISIT) for part in _buckets(frame)]
    return [*shards, Shard(content="", files=archives)]


_VISIT_LINE = {name: kind for name, kind in VISIT.columns.items() if name not in ("doc_id", "source", "licence")} | {
    "reason": pl.String(),
    "error": pl.String(),
}


def _buckets(frame: pl.DataFrame) -> list[pl.DataFrame]:
    """Cut rows by the first bits of their document id into a power of two of buckets."""
    count = 1
    while count * VISITS_PER_SHARD < frame.height:
        count *= 2
    bucket = frame["doc_id"].str.slice(0, 4).str.to_integer(base=16) * count // 65536
    return [part for i in range(count) if (part := frame.filter(bucket == i)).height]


def observing(body: Body) -> Crawl:
    """Make the stage of a body that looks at the web."""
    return Crawl(body, VISIT, libraries=(), programs=("tasks.crawler",))


@observing
def crawl(source: CrawlSource, work: Work) -> list[Shard]:
    """抓取 crawl: seeds -> VISIT. Fetch politely, write WARC, say what became of every URL."""
    folder = crawl_folder(work.store, work.key)
    run_crawler(source, folder, crawl_before(work.store, work.key))
    return publish(Room(work.store, work.scratch), source, folder)
