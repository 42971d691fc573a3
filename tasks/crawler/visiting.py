"""访问 visiting: one URL from its request to what the frontier and the archive know of it."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from data_contracts.sources import CrawlSource
from tasks.crawler import bodies, lists, progress
from tasks.crawler.archive import RENDERED_TYPE, Archive, Exchange, Header, Headers
from tasks.crawler.earlier import GONE, Earlier, EarlierCrawl
from tasks.crawler.fetching import (
    AnswerTooLarge,
    Fetch,
    Fetched,
    FetchFailed,
    Render,
    RenderFailed,
    Wanted,
    as_fetched,
)
from tasks.crawler.frontier import PAGE, SITEMAP, Frontier, Look, Outcome, Place, Row
from tasks.crawler.judge import RETRY_STATUSES, Answer, judge, retry_after
from tasks.crawler.links import Policy
from tasks.crawler.netguard import AddressBlocked
from tasks.crawler.politeness import Origin, Politeness
from tasks.crawler.scope import Scope
from tasks.crawler.urls import join

BUSY_STATUSES = frozenset({429, 503})
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
        earlier: EarlierCrawl,
        render: Render,
    ) -> None:
        """`sent`: the headers of every request, for the archive; `render`: what runs a page's scripts."""
        self.source, self.scope, self.frontier, self.archive, self.earlier = source, scope, frontier, archive, earlier
        self.polite, self._fetch, self._sent, self._render = polite, fetch, sent, render
        self._policy = Policy(source.obey_nofollow, source.canonical_links, source.feeds)
        self.counts: Counter[str] = Counter()

    def settle(self, row: Row) -> bool:
        """Take the answer of the crawl before as it is, where it still stands; False: ask."""
        earlier = self.earlier.find(row.url)
        if earlier is None or not self.earlier.stands(earlier, row, time.time()):
            return False
        self.counts["standing"] += 1
        self.counts["pages"] += 1
        self._enter(row, earlier.outcome, earlier.outcome.links, earlier.followed, earlier.place, earlier.look)
        return True

    async def visit(self, origin: Origin, row: Row) -> None:
        """Fetch one URL and write down what came of it."""
        earlier = self.earlier.find(row.url)
        sent = earlier.validators if earlier and earlier.kind == row.kind else []
        limit = lists.MAX_BYTES if row.kind == SITEMAP else self.source.max_page_bytes
        began = time.monotonic()
        try:
            fetched = await self._fetch(Wanted(row.url, row.kind == SITEMAP or row.depth == 0, limit, sent))
        except FetchFailed as error:
            origin.failed_seconds += time.monotonic() - began
            self._failed(origin, row, str(error), host_answered=error.host_answered)
        except AnswerTooLarge as error:
            self._finish(row, Outcome(reason="too_large", error=str(error)))
        except AddressBlocked as error:
            self._finish(row, Outcome(reason="address_blocked", error=str(error)))
        else:
            origin.failures = 0
            self.polite.answered(origin, time.monotonic() - began, busy=fetched.status in BUSY_STATUSES)
            if fetched.status == 304 and earlier and sent:
                self._unmodified(row, fetched, earlier, sent)
            else:
                self._answered(origin, row, fetched, earlier, sent, await self._rendered(row, fetched))

    def _unmodified(self, row: Row, fetched: Fetched, earlier: Earlier, sent: Headers) -> None:
        """304: what the last answer said is still so."""
        self.counts["pages"] += row.kind == PAGE
        self.counts["unmodified"] += 1
        place = self.write(row.url, fetched, None, sent, earlier.place)
        look = replace(earlier.look, at=time.time(), patience=self.earlier.patience(earlier, earlier.outcome))
        self._enter(row, earlier.outcome, earlier.outcome.links, earlier.followed, place, look)

    def _answered(
        self,
        origin: Origin,
        row: Row,
        fetched: Fetched,
        earlier: Earlier | None,
        sent: Headers,
        rendered: bytes | None,
    ) -> None:
        status = fetched.status
        asked = retry_after(fetched.header("Retry-After")) if status in RETRY_STATUSES else None
        if asked is not None and asked > self.source.max_retry_after_seconds and status in BUSY_STATUSES:
            origin.closed = ("fetch_failed", f"{origin.name} asks to be left alone for {asked:.0f} s")
        elif status in RETRY_STATUSES and row.tries + 1 < self.source.max_tries:
            self.write(row.url, fetched, None, sent)
            until = time.time() + (self._backoff(row.tries) if asked is None else asked)
            if asked is not None and status in BUSY_STATUSES:
                self.polite.park(origin, until)
                self.frontier.park(origin.name, until)
            self._again(origin, row, until, f"HTTP {status}")
            return
        answer = _answer(row.url, fetched)
        if rendered is not None:
            answer = replace(answer, body=rendered, content_type=RENDERED_TYPE, content_encoding=None)
        outcome = judge(answer, row.kind, row.depth == 0, self.source.max_page_bytes, self._policy)
        if status in GONE and earlier and earlier.outcome.reason in (None, "gone"):
            outcome = replace(outcome, reason="gone", error=f"HTTP {status}; an earlier crawl kept it")
        self.counts["pages"] += row.kind == PAGE
        same_as = earlier.place if earlier and earlier.outcome.status == status and earlier.same(outcome) else None
        if rendered is None:
            place = self.write(row.url, fetched, outcome.reason, sent, same_as)
        else:
            place = self.archive.convert(row.url, rendered, self.write(row.url, fetched, None, sent), same_as)
        self.counts["unchanged"] += place is same_as
        look = Look(
            time.time(),
            self.earlier.patience(earlier, outcome),
            fetched.header("ETag"),
            fetched.header("Last-Modified"),
        )
        self._finish(row, outcome, place, look)

    async def _rendered(self, row: Row, fetched: Fetched) -> bytes | None:
        """The page after its scripts; None where none are run or nothing came of it."""
        content_type = fetched.header("Content-Type")
        if self._render is as_fetched or row.kind != PAGE or fetched.status not in (200, 203) or fetched.cut:
            return None
        try:
            encoding = fetched.header("Content-Encoding")
            body = bodies.undo_content_encoding(fetched.body, encoding, self.source.max_page_bytes)
            if not bodies.is_page(content_type, body) or not bodies.is_html(content_type, body):
                return None
            rendered = await self._render(row.url, body, content_type)
        except (bodies.BodyTooLarge, bodies.BodyUnreadable):
            return None  # the judge says so
        except RenderFailed as error:
            self.counts["render_failed"] += 1
            progress.log(f"{row.url}: its scripts were not run: {error}")
            return None
        self.counts["rendered"] += rendered is not None
        return rendered

    def write(
        self, url: str, fetched: Fetched, reason: str | None, sent: Sequence[Header] = (), same_as: Place | None = None
    ) -> Place:
        """Archive an answer; a body that is too large (a bomb, perhaps) is left out.

        `sent`: headers besides those of every request; `same_as`: see `Archive.write`.
        """
        self.counts["answers"] += 1
        self.counts["bytes"] += len(fetched.body)
        cut = reason == "too_large" or fetched.cut is not None
        exchange = Exchange(
            url=url,
            request_headers=[*self._sent, *sent],
            status=fetched.status,
            protocol=fetched.protocol,
            headers=fetched.readable_headers(),
            body=b"" if cut else fetched.body,
            address=fetched.address,
            truncated="length" if cut else None,
        )
        return self.archive.write(exchange, same_as)

    def _finish(self, row: Row, outcome: Outcome, place: Place | None = None, look: Look | None = None) -> None:
        in_scope = tuple(link for link in outcome.links if self._admits(link, outcome.links_kind))
        followed = outcome.location if outcome.location and self._admits(outcome.location, row.kind) else None
        if outcome.reason == "canonical_elsewhere" and followed is None:
            outcome = replace(outcome, reason=None, location=None)
        self._enter(row, outcome, in_scope, followed, place, look)

    def _enter(
        self,
        row: Row,
        outcome: Outcome,
        links: tuple[str, ...],
        followed: str | None,
        place: Place | None,
        look: Look | None,
    ) -> None:
        self.polite.add(self.frontier.finish(row, outcome, links, followed, place, look))

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
        elif origin.closed is None and origin.failed_seconds >= self.source.max_failed_seconds_per_host:
            spent = f"{origin.failed_seconds:.0f} s spent on failed requests at {origin.name}"
            origin.closed = ("fetch_failed", f"{spent}, the last: {error}")
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


def _answer(url: str, fetched: Fetched) -> Answer:
    location = fetched.header("Location")
    return Answer(
        url=url,
        status=fetched.status,
        body=fetched.body,
        content_type=fetched.header("Content-Type"),
        content_encoding=fetched.header("Content-Encoding"),
        location=None if location is None else location.encode("latin-1"),
        robots_tag=(fetched.header("X-Robots-Tag") or "").lower(),
        cut=fetched.cut,
    )
