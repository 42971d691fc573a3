"""礼貌 politeness: which origin may be asked next, and when.

An origin is ready when it has URLs waiting, fewer than `requests_per_host` requests on their way, and its delay since
the last request is over. Ready origins take turns. A slow or failing origin holds only its own URLs, and at most half
of the crawl's requests when there are others.

    delay   at least `seconds_between_requests`, and `delay_per_latency` times as long as an answer takes
            doubled by every 429 and 503, halved again by every other answer
            at most `max_seconds_between_requests`, but never less than the Crawl-delay of robots.txt
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field

from tasks.crawler.robots import RobotsPolicy
from tasks.crawler.urls import origin_of

LEAST_PENALTY_SECONDS = 0.25


@dataclass
class Origin:
    """What is known of one `scheme://host:port` while the crawl runs."""

    name: str
    waiting: int = 0  # URLs in the queue
    in_flight: int = 0
    next_at: float = 0.0  # no request before this time (Unix time)
    policy: RobotsPolicy | None = None  # None: robots.txt has not been read
    policy_until: float = 0.0  # when it must be read again
    robots_tries: int = 0
    asking_robots: bool = False
    failures: int = 0  # requests in a row that got no answer
    failed_seconds: float = 0.0  # spent on requests that got no answer
    latency: float = 0.0  # seconds from request to answer, smoothed; 0: none yet
    penalty: float = 0.0  # seconds more between requests since the host said that it is too busy
    closed: tuple[str, str] | None = None  # reason and error for every URL that is left
    listed: bool = field(default=False, compare=False)


class Politeness:
    """A heap of origins by the time at which each may be asked."""

    def __init__(
        self,
        seconds_between_requests: float,
        requests_per_host: int,
        *,
        most_seconds: float = 30.0,
        per_latency: float = 0.0,
        of: int = 32,
    ) -> None:
        """`of`: requests on their way at once over all origins."""
        self.seconds, self._limit, self._of = seconds_between_requests, requests_per_host, of
        self._most, self._per_latency = max(most_seconds, seconds_between_requests), per_latency
        self.origins: dict[str, Origin] = {}
        self._heap: list[tuple[float, int, Origin]] = []
        self._turn = 0

    def origin(self, name: str) -> Origin:
        """The state of an origin, made when it is new."""
        if name not in self.origins:
            self.origins[name] = Origin(name)
        return self.origins[name]

    def add(self, new: dict[str, int]) -> None:
        """Count new URLs in."""
        for name, count in new.items():
            origin = self.origin(name)
            origin.waiting += count
            self.list(origin)

    def list(self, origin: Origin) -> None:
        """Put an origin into the heap when it can use a turn and is not there yet."""
        limit = self._limit if len(self.origins) == 1 else min(self._limit, self._of // 2)
        if origin.waiting and origin.in_flight < limit and not origin.asking_robots and not origin.listed:
            self._turn += 1
            origin.listed = True
            heapq.heappush(self._heap, (origin.next_at, self._turn, origin))

    def ready(self, now: float) -> Origin | None:
        """The origin whose turn it is, taken from the heap; `list` puts it back."""
        while self._heap and self._heap[0][0] <= now:
            origin = heapq.heappop(self._heap)[2]
            origin.listed = False
            if origin.next_at > now:  # it was parked after it had been listed
                self.list(origin)
            elif origin.waiting:
                return origin
        return None

    def next_at(self) -> float | None:
        """When the first origin of the heap may be asked; None when the heap is empty."""
        return self._heap[0][0] if self._heap else None

    def started(self, origin: Origin, now: float) -> None:
        """A request leaves: keep the distance to the next."""
        origin.in_flight += 1
        origin.next_at = max(origin.next_at, now + self.delay(origin))

    def may_ask(self, url: str) -> bool:
        """What robots.txt says to a URL that a page's scripts want; those of unknown origins have not been read."""
        origin = self.origins.get(origin_of(url))
        return origin is None or origin.policy is None or origin.policy.allows(url)

    def delay(self, origin: Origin) -> float:
        """Seconds from one request to the next; a config of no delay at all stands whatever an answer takes."""
        steady = max(self.seconds, self._per_latency * origin.latency) if self.seconds else 0.0
        crawl_delay = origin.policy.crawl_delay_seconds if origin.policy else 0.0
        return max(min(steady + origin.penalty, self._most), crawl_delay)

    def answered(self, origin: Origin, seconds: float, *, busy: bool) -> None:
        """Learn from an answer: how long it took, and whether it said that the host is too busy."""
        origin.latency = 0.7 * origin.latency + 0.3 * seconds if origin.latency else seconds
        if busy:
            origin.penalty = min(self._most, max(2 * origin.penalty, self.seconds, LEAST_PENALTY_SECONDS))
        else:
            origin.penalty = origin.penalty / 2 if origin.penalty > LEAST_PENALTY_SECONDS / 8 else 0.0

    def ended(self, origin: Origin) -> None:
        """A request is over."""
        origin.in_flight -= 1
        self.list(origin)

    def park(self, origin: Origin, until: float) -> None:
        """No request to this origin before `until`."""
        origin.next_at = max(origin.next_at, until)

    @property
    def waiting(self) -> int:
        """URLs in the queue, over all origins."""
        return sum(origin.waiting for origin in self.origins.values())
