"""Reading robots.txt of an origin: redirects, retries, and what its absence means for the origin's URLs."""

from __future__ import annotations

import time
from collections.abc import Callable

from data_contracts.sources import CrawlSource
from tasks.crawler import bodies, links, robots
from tasks.crawler.fetching import FAILURES, Fetch, Fetched, FetchFailed, Wanted
from tasks.crawler.frontier import Frontier, Place
from tasks.crawler.judge import REDIRECTS, retry_after
from tasks.crawler.netguard import AddressBlocked
from tasks.crawler.politeness import Origin

MAX_DOWNLOAD_BYTES = 4 * robots.MAX_BYTES
KEEP_OLD_SECONDS = 3600.0  # how long a policy is used after it could not be read again


class RobotsReader:
    """Sets an origin's policy, or closes the origin."""

    def __init__(
        self,
        source: CrawlSource,
        frontier: Frontier,
        fetch: Fetch,
        write: Callable[[str, Fetched, str | None], Place],
        enter_sitemaps: Callable[[Origin, list[str]], None],
    ) -> None:
        self.source, self.frontier = source, frontier
        self._fetch, self._write, self._enter_sitemaps = fetch, write, enter_sitemaps

    def restore(self, origin: Origin) -> None:
        """Take up the answer that an earlier run was given, while it is valid."""
        saved = self.frontier.saved_robots(origin.name)
        if saved and saved[2] + robots.VALID_SECONDS > time.time():
            origin.policy = robots.policy_of(saved[0], saved[1])
            origin.policy_until = saved[2] + robots.VALID_SECONDS

    async def read(self, origin: Origin) -> None:
        """Ask for robots.txt once. Without a usable answer the origin is parked for another try, in the end closed."""
        status: int | None = None
        asked: float | None = None
        body = b""
        try:
            fetched = await self._follow(f"{origin.name}/robots.txt")
            status = fetched.status
            asked = retry_after(fetched.header("Retry-After"))
            body = bodies.undo_content_encoding(
                fetched.body, fetched.header("Content-Encoding"), bodies.MAX_ROBOTS_BYTES
            )[: robots.MAX_BYTES + 1]
            problem = f"robots.txt answered {status}"
        except AddressBlocked as error:
            origin.closed = ("address_blocked", str(error))
            return
        except (*FAILURES, ValueError) as error:
            problem, status = f"robots.txt cannot be read: {error}", None
        policy = robots.policy_of(status, body)
        now = time.time()
        if not policy.disallow_all and status is not None:
            origin.policy, origin.policy_until, origin.robots_tries = policy, now + robots.VALID_SECONDS, 0
            self.frontier.save_robots(origin.name, status, body, now)
            self._enter_sitemaps(origin, policy.sitemaps)
        elif origin.policy is not None:
            origin.policy_until = now + KEEP_OLD_SECONDS
        else:
            self._later(origin, problem, asked, answered=status is not None)

    def _later(self, origin: Origin, problem: str, asked: float | None, *, answered: bool) -> None:
        """RFC 9309 2.3.1.4: as long as robots.txt is unreachable, nothing may be fetched."""
        origin.robots_tries += 1
        too_long = asked is not None and asked > self.source.max_retry_after_seconds
        if too_long or origin.robots_tries >= self.source.max_tries:
            origin.closed = ("robots_disallowed" if answered else "fetch_failed", problem)
            return
        pause = self.source.backoff_seconds * 2.0 ** min(origin.robots_tries - 1, 10) if asked is None else asked
        origin.next_at = max(origin.next_at, time.time() + pause)

    async def _follow(self, url: str) -> Fetched:
        """The answer after up to five redirects, all of them archived."""
        for _ in range(robots.MAX_REDIRECTS + 1):
            fetched = await self._fetch(Wanted(url, True, MAX_DOWNLOAD_BYTES))
            self._write(url, fetched, None)
            location = fetched.header("Location")
            if fetched.status not in REDIRECTS or not location:
                return fetched
            target = links.location(url, location.encode("latin-1"))
            if target is None:
                raise FetchFailed(f"{url} redirects to {location[:200]!r}")
            url = target
        return fetched
