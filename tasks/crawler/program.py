"""One run of a job: put the parts together, crawl, and write down how it ended."""

from __future__ import annotations

import datetime
import resource
import sqlite3
import time
from typing import Any
from urllib.parse import urlsplit

from data_contracts.errors import ConfigError, StoreError
from tasks.crawler import cdxj, earlier, engine, progress, visits
from tasks.crawler.archive import Archive
from tasks.crawler.browser import Browser, chromium
from tasks.crawler.crawl import MAX_REQUESTS, Crawl
from tasks.crawler.fetching import as_fetched
from tasks.crawler.frontier import Frontier
from tasks.crawler.job import CrawlJob, other_crawl
from tasks.crawler.netguard import NetworkGuard
from tasks.crawler.scope import Scope


def crawl(job: CrawlJob) -> dict[str, Any] | None:
    """Run to the end and give the facts of end.json, or None when a signal ended it. Raises ConfigError, StoreError."""
    try:
        scope = Scope(job.source.seeds, job.source.url_prefixes)
    except ValueError as error:
        raise ConfigError(str(error)) from error
    try:
        return _crawl(job, scope)
    except (OSError, sqlite3.Error) as error:
        raise StoreError(
            f"{job.folder}: cannot be written: {error}; free space and run the same command again"
        ) from error


def _crawl(job: CrawlJob, scope: Scope) -> dict[str, Any] | None:
    began, source = time.monotonic(), job.source
    if source.javascript:
        chromium()  # says what is missing before anything is made
    before = earlier.frontier_of(job.previous)
    frontier = Frontier(job.folder / "frontier.sqlite", source.max_depth, before, source.max_queries_per_path)
    if frontier.fact("identity") not in (None, job.identity):
        raise other_crawl(job.folder)
    frontier.set_fact("identity", job.identity)
    since = frontier.fact("began") or datetime.datetime.now(datetime.UTC).strftime("%Y%m%dT%H%M%S%fZ")
    frontier.set_fact("began", since)
    archive = Archive(job.folder / "warc", f"{source.name}-{since}", frontier, source.contact)
    runs = int(frontier.fact("runs") or 0) + 1
    frontier.set_fact("runs", str(runs))
    frontier.commit()
    guard = NetworkGuard(source.allow_addresses, _ports(scope))
    sent = engine.request_headers(source)
    known = before.parent.name if before else ""
    progress.emit(
        "start", runs=runs, recovered=frontier.recovered, torn_bytes_cut=archive.cut_bytes, crawl_before=known or None
    )
    made: list[Crawl] = []

    async def work(crawler: Any) -> None:
        fetch = engine.Downloader(crawler, sent, source.timeout_seconds)
        browser = Browser(guard, dict(sent)["User-Agent"], source.javascript_seconds, source.max_page_bytes)
        render = browser.render if source.javascript else as_fetched
        made.append(Crawl(source, scope, frontier, archive, fetch, sent, known, render))
        browser.allows = made[0].polite.may_ask
        try:
            await made[0].run()
        finally:
            await browser.stop()

    if not engine.run(source, guard, MAX_REQUESTS, work):
        archive.close()
        frontier.close()
        return None
    archive.close()
    frontier.commit()
    indexed = cdxj.write(frontier, job.folder / "warc" / cdxj.NAME)
    frontier.commit()
    reasons = visits.write(frontier, job.folder / "visits.jsonl")
    facts = _facts(job, scope, frontier, guard)
    facts |= {
        "urls": reasons.total(),
        "indexed": indexed,
        "reasons": dict(reasons.most_common()),
        "runs": runs,
        "last_run": {**made[0].counts, "seconds": round(time.monotonic() - began, 2), **_usage()},
    }
    frontier.close()
    visits.write_end(facts, job.folder / "end.json")
    return facts


def _facts(job: CrawlJob, scope: Scope, frontier: Frontier, guard: NetworkGuard) -> dict[str, Any]:
    files = frontier.db.execute("SELECT name, bytes, folder FROM archive ORDER BY folder, name").fetchall()
    return {
        "identity": job.identity,
        "source": job.source.name,
        "ended_at": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "answered": frontier.answered_pages(),
        "origins": frontier.db.execute("SELECT count(*) FROM origin").fetchone()[0],
        # `folder`: of the earlier crawl that an archive is from, beside this one's; empty for this one's own.
        "archives": [{"name": name, "bytes": size, "folder": folder} for name, size, folder in files],
        # What never became a row, in the last run; links repeat.
        "links_refused": {
            rule: {"links": count, "examples": scope.examples[rule]} for rule, count in scope.refused.most_common()
        },
        "links_too_deep": frontier.too_deep,
        "links_with_too_many_queries": frontier.too_many_queries,
        "connections_blocked": dict(guard.blocked.most_common(20)),
    }


def _usage() -> dict[str, float]:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return {"cpu_seconds": round(used.ru_utime + used.ru_stime, 2), "max_resident_mb": progress.peak_resident_mb()}


def _ports(scope: Scope) -> set[int]:
    """Ports that the config itself names: a seed on port 8080 of a public address is meant."""
    return {port for url in (*scope.seeds, *scope.prefixes) if (port := urlsplit(url).port)}
