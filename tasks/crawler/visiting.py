"""访问 visiting: one URL from its request to what the frontier and the archive know of it."""

from __future__ import annotations

import time
from collections import Counter

from data_contracts.sources import CrawlSource
from tasks.crawler.archive import Archive, Exchange, Headers
from tasks.crawler.fetching import AnswerTooLarge, Fetch, Fetched, FetchFailed
from tasks.crawler.frontier import PAGE, SITEMAP, Frontier, Outcome, Place, Row
from tasks.crawler.judge import MAX_SITEMAP_BYTES, RETRY_STATUSES, Answer, judge, retry_after
from tasks.crawler.netguard import AddressBlocked
from tasks.crawler.politeness import Origin, Politeness
from tasks.crawler.scope import Scope
from tasks.crawler.urls import join

PATIENCE = 3  # failures in a row before an origin is left alone for a while
MAX_PARK_SECONDS = 10.0


class Visitor:
    """Fetches, judges, archives and records. `counts` holds pages, answers, bytes, retries and failures of this run."""

    def __init__(
        self,
        source: CrawlSource,
        scope: Scope,
        frontier: Frontier,
        archive: Archive,
        polite: Politeness,
        fetch: Fetch,
        sent: Headers,
    ) -> None:
        """`sent`: the headers of every request, for the archive."""
        self.source, self.scope, self.frontier, self.archive = source, scope, frontier, archive
        self.polite, self._fetch, self._sent = polite, fetch, sent
        self.counts: Counter[str] = Counter()

    async def visit(self, origin: Origin, row: Row) -> None:
        """Fetch one URL and write down what came of it."""
        try:
            limit = MAX_SITEMAP_BYTES if row.kind == SITEMAP else self.source.max_page_bytes
            fetched = await self._fetch(row.url, row.kind == SITEMAP or row.depth == 0, limit)
        except FetchFailed as error:
            self._failed(origin, row, str(error), host_answered=error.host_answered)
        except AnswerTooLarge as error:
            self._finish(row, Outcome(reason="too_large", error=str(error)))
        except AddressBlocked as error:
            self._finish(row, Outcome(reason="address_blocked", error=str(error)))
        else:
            origin.failures = 0
            self._answered(origin, row, fetched)

    def _answered(self, origin: Origin, row: Row, fetched: Fetched) -> None:
        status = fetched.status
        if status in RETRY_STATUSES and row.tries + 1 < self.source.max_tries:
            self.write(row.url, fetched, None)
            asked = retry_after(fetched.header("Retry-After"))
            until = time.time() + (self._backoff(row.tries) if asked is None else asked)
            if asked is not None and status in (429, 503):
                self.polite.park(origin, until)
                self.frontier.park(origin.name, until)
            self._again(origin, row, until, f"HTTP {status}")
            return
        location = fetched.header("Location")
        answer = Answer(
            url=row.url,
            status=status,
            body=fetched.body,
            content_type=fetched.header("Content-Type"),
            content_encoding=fetched.header("Content-Encoding"),
            location=None if location is None else location.encode("latin-1"),
            robots_tag=(fetched.header("X-Robots-Tag") or "").lower(),
            cut=fetched.cut,
        )
        outcome = judge(answer, row.kind, row.depth == 0, self.source.max_page_bytes)
        self.counts["pages"] += row.kind == PAGE
        self._finish(row, outcome, self.write(row.url, fetched, outcome.reason))

    def write(self, url: str, fetched: Fetched, reason: str | None) -> Place:
        """Archive an answer; a body that is too large (a bomb, perhaps) is left out."""
        self.counts["answers"] += 1
        self.counts["bytes"] += len(fetched.body)
        cut = reason == "too_large" or fetched.cut is not None
        exchange = Exchange(
            url=url,
            request_headers=self._sent,
            status=fetched.status,
            protocol=fetched.protocol,
            headers=fetched.readable_headers(),
            body=b"" if cut else fetched.body,
            address=fetched.address,
            truncated="length" if cut else None,
        )
        return self.archive.write(exchange)

    def _finish(self, row: Row, outcome: Outcome, place: Place | None = None) -> None:
        in_scope = tuple(link for link in outcome.links if self._admits(link, outcome.links_kind))
        followed = outcome.location if outcome.location and self._admits(outcome.location, row.kind) else None
        self.polite.add(self.frontier.finish(row, outcome, in_scope, followed, place))

    def _admits(self, url: str, kind: int) -> bool:
        return self.scope.admits_sitemap(url) if kind == SITEMAP else self.scope.admits(url)

    def enter_sitemaps(self, origin: Origin, named: list[str]) -> None:
        """Sitemaps that robots.txt names, and the usual place."""
        if not self.source.sitemaps:
            return
        found = [url for name in [*named, "/sitemap.xml"] if (url := join(f"{origin.name}/", name))]
        wanted = [url for url in dict.fromkeys(found) if self._admits(url, SITEMAP)]
        self.polite.add(self.frontier.add(wanted, depth=0, kind=SITEMAP))

    def _failed(self, origin: Origin, row: Row, error: str, *, host_answered: bool) -> None:
        """No answer: later again, unless the URL or its whole origin has used up its tries."""
        self.counts["failures"] += 1
        origin.failures = 0 if host_answered else origin.failures + 1
        if origin.closed is None and origin.failures >= self.source.max_failures_in_a_row:
            origin.closed = ("fetch_failed", f"{origin.failures} failures in a row at {origin.name}, the last: {error}")
        elif origin.failures >= PATIENCE:
            pause = self._backoff(origin.failures - PATIENCE)
            self.polite.park(origin, time.time() + min(pause, MAX_PARK_SECONDS))
        if row.tries + 1 >= self.source.max_tries:
            self._finish(row, Outcome(reason="fetch_failed", error=error))
        else:
            self._again(origin, row, time.time() + self._backoff(row.tries), error)

    def _again(self, origin: Origin, row: Row, not_before: float, error: str) -> None:
        self.counts["retries"] += 1
        self.frontier.retry(row, not_before, error)
        self.polite.add({origin.name: 1})

    def _backoff(self, tries: int) -> float:
        return float(self.source.backoff_seconds * 2.0 ** min(tries, 10))
