"""robots.txt by RFC 9309: what the answer to its request means, and what it allows.

    answer                          meaning
    200                             its rules (the first 500 KiB of it)
    4xx                             everything is allowed
    5xx, 429, no answer at all      nothing is allowed
    3xx                             followed five times, then everything is allowed

Crawl-delay is no part of the RFC but is honoured.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from protego import Protego

PRODUCT = "ziliu"  # the name a robots.txt addresses us by
MAX_BYTES = 500 * 1024  # RFC 9309 2.5: parse at least this much
MAX_REDIRECTS = 5  # RFC 9309 2.3.1.2
MAX_CRAWL_DELAY_SECONDS = 60.0  # longer ones would keep a crawl for months
VALID_SECONDS = 24 * 3600.0  # RFC 9309 2.4
MAX_SITEMAPS = 20


@dataclass
class RobotsPolicy:
    """What one origin allows."""

    rules: Protego | None = None
    disallow_all: bool = False
    why: str = ""  # for rows that it refuses
    sitemaps: list[str] = field(default_factory=list)
    crawl_delay_seconds: float = 0.0

    def allows(self, url: str) -> bool:
        """Whether a canonical URL may be requested."""
        if self.disallow_all:
            return False
        return self.rules is None or bool(self.rules.can_fetch(url, PRODUCT))


def policy_of(status: int | None, body: bytes) -> RobotsPolicy:
    """The policy that follows from the final answer; status None means that there was no answer."""
    if status is None:
        return RobotsPolicy(disallow_all=True, why="robots.txt cannot be reached")
    if status >= 500 or status == 429:
        return RobotsPolicy(disallow_all=True, why=f"robots.txt answered {status}")
    if status != 200:
        return RobotsPolicy(why=f"robots.txt answered {status}")
    rules = Protego.parse(_bounded(body))
    delay = rules.crawl_delay(PRODUCT) or 0.0
    if not math.isfinite(delay) or delay < 0:
        delay = 0.0
    return RobotsPolicy(
        rules=rules,
        why="robots.txt",
        sitemaps=list(rules.sitemaps)[:MAX_SITEMAPS],
        crawl_delay_seconds=min(float(delay), MAX_CRAWL_DELAY_SECONDS),
    )


def _bounded(body: bytes) -> str:
    """The text to parse: whole lines of the first MAX_BYTES. (Protego matches wildcards in linear time.)"""
    if len(body) > MAX_BYTES:
        body = body[: body.rfind(b"\n", 0, MAX_BYTES) + 1]
    return body.decode("utf-8-sig", "ignore")
