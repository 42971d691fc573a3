"""抓取循环 the crawl itself: takes URLs from the frontier, has them fetched, and writes down what came of them."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import Coroutine
from typing import Any

from data_contracts.sources import CrawlSource
from tasks.crawler import progress
from tasks.crawler.archive import Archive, Headers
from tasks.crawler.earlier import EarlierCrawl
from tasks.crawler.fetching import Fetch, Render, as_fetched
from tasks.crawler.frontier import PAGE, Frontier, Row
from tasks.crawler.politeness import Origin, Politeness
from tasks.crawler.robots import RobotsPolicy
from tasks.crawler.robots_reader import RobotsReader
from tasks.crawler.scope import Scope
from tasks.crawler.visiting import Visitor

MAX_REQUESTS = 32  # on their way at once, over all origins
COMMIT_SECONDS = 0.5  # work that a crash may undo
PROGRESS_SECONDS = 1.0
MAX_SETTLED = 500  # URLs that are settled without a request before others have their turn


class Crawl:
    """One run over one frontier; ends when nothing is left to do or `max_pages` is reached."""

    def __init__(
        self,
        source: CrawlSource,
        scope: Scope,
        frontier: Frontier,
        archive: Archive,
        fetch: Fetch,
        sent: Headers,
        before: str = "",
        render: Render = as_fetched,
    ) -> None:
        """`sent`: the headers of every request, for the archive; `before`: folder of the crawl before."""
        self.source, self.scope, self.frontier, self.archive = source, scope, frontier, archive
        self.polite = Politeness(
            source.seconds_between_requests,
            source.requests_per_host,
            most_seconds=source.max_seconds_between_requests,
            per_latency=source.delay_per_latency,
            of=MAX_REQUESTS,
        )
        self.earlier = EarlierCrawl(frontier, source, before)
        self._visitor = Visitor(source, scope, frontier, archive, self.polite, fetch, sent, self.earlier, render)
        self.robots = RobotsReader(source, frontier, fetch, self._visitor.write, self._visitor.enter_sitemaps)
        self.counts: Counter[str] = self._visitor.counts
        self._tasks: set[asyncio.Task[None]] = set()
        self._wake = asyncio.Event()
        self._fatal: BaseException | None = None
        self._pages_in_flight = self._pages_before = 0
        self._told: set[str] = set()  # origins whose closing was logged
        self._changed = True

    async def run(self) -> None:
        """Crawl to the end. Raises what broke the archive or the frontier; a cancelled run can be taken up again."""
        self._restore()
        keeper = asyncio.create_task(self._keep())
        keeper.add_done_callback(self._over)
        try:
            while not self._fatal:
                self._dispatch()
                if not self._tasks and (self._limit_reached() or self.polite.next_at() is None):
                    break
                await self._sleep()
        finally:
            running = [keeper, *self._tasks]
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)
        if self._fatal:
            raise self._fatal
        self.counts["vanished"] = self.earlier.enter_vanished(page_limit=self._limit_reached())
        self._changed = True
        self._commit()

    def _restore(self) -> None:
        """Take up the frontier as it is: seeds, counts, origins."""
        self.frontier.add(self.scope.seeds, depth=0)
        rows = self.frontier.db.execute(
            "SELECT origin.origin, count(*), origin.not_before, origin.reason, origin.error "
            "FROM url JOIN origin ON origin.id = url.origin WHERE state = 0 GROUP BY url.origin"
        ).fetchall()
        for name, waiting, not_before, reason, error in rows:
            origin = self.polite.origin(name)
            origin.next_at = not_before
            origin.closed = (reason, error or "") if reason else None
            self.robots.restore(origin)
            self.polite.add({name: waiting})
        self.counts["pages"] = self._pages_before = self.frontier.answered_pages()

    def _limit_reached(self) -> bool:
        return self.counts["pages"] + self._pages_in_flight >= self.source.max_pages

    async def _sleep(self) -> None:
        """Until a request is over or an origin's turn comes."""
        await asyncio.sleep(0)  # commits and reports have their turn, even if there is always something to do
        due = self.polite.next_at() if len(self._tasks) < MAX_REQUESTS and not self._limit_reached() else None
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(None if due is None else max(0.0, due - time.time())):
                await self._wake.wait()
        self._wake.clear()

    def _dispatch(self) -> None:
        now = time.time()
        for _ in range(MAX_SETTLED):
            full = len(self._tasks) >= MAX_REQUESTS or self._limit_reached()
            if full or (origin := self.polite.ready(now)) is None:
                break
            self._changed = True
            if origin.closed:
                self._give_up(origin, *origin.closed)
            elif origin.policy is None or now > origin.policy_until:
                origin.asking_robots = True
                self._begin(origin, self._read_robots(origin))
            elif (row := self.frontier.take(origin.name, now)) is None:
                self.polite.park(origin, self.frontier.next_due(origin.name))
                self.polite.list(origin)
            else:
                origin.waiting -= 1
                self._take(origin, row, origin.policy)

    def _take(self, origin: Origin, row: Row, policy: RobotsPolicy) -> None:
        if not policy.allows(row.url):
            self.frontier.refuse(row, "robots_disallowed", policy.why)
            self.polite.list(origin)
        elif self._visitor.settle(row):
            self.polite.list(origin)
        else:
            self._pages_in_flight += row.kind == PAGE
            self._begin(origin, self._visit(origin, row))

    def _begin(self, origin: Origin, work: Coroutine[Any, Any, None]) -> None:
        self.polite.started(origin, time.time())
        self.polite.list(origin)
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(lambda done: self._ended(origin, done))

    def _ended(self, origin: Origin, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self.polite.ended(origin)
        self._over(task)

    def _over(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and task.exception() is not None:
            self._fatal = self._fatal or task.exception()
        self._wake.set()

    async def _read_robots(self, origin: Origin) -> None:
        try:
            await self.robots.read(origin)
        finally:
            origin.asking_robots = False

    async def _visit(self, origin: Origin, row: Row) -> None:
        try:
            await self._visitor.visit(origin, row)
        finally:
            self._pages_in_flight -= row.kind == PAGE
            self._changed = True

    def _give_up(self, origin: Origin, reason: str, error: str) -> None:
        self.frontier.give_up(origin.name, reason, error)
        origin.waiting = 0
        if origin.name not in self._told:
            self._told.add(origin.name)
            progress.log(f"{origin.name}: {reason}: {error}")

    async def _keep(self) -> None:
        """Commit and report while requests are on their way."""
        shown = 0.0
        began = time.time()
        while True:
            await asyncio.sleep(COMMIT_SECONDS)
            self._commit()
            if time.time() - shown >= PROGRESS_SECONDS:
                shown = time.time()
                self._report(shown - began)

    def _commit(self) -> None:
        """The bytes first, then the transaction that speaks of them."""
        if self._changed:
            self._changed = False
            self.archive.sync()
            self.frontier.commit()

    def _report(self, seconds: float) -> None:
        waiting = self.polite.waiting
        progress.emit(
            "progress",
            done=self.counts["pages"],
            total=min(self.counts["pages"] + waiting + self._pages_in_flight, self.source.max_pages),
            waiting=waiting,
            in_flight=len(self._tasks),
            bytes=self.counts["bytes"],
            pages_per_second=round((self.counts["pages"] - self._pages_before) / max(seconds, 0.001), 1),
            resident_mb=progress.peak_resident_mb(),
        )
