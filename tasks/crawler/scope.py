"""抓取范围 scope and traps: which of the links that a page holds become rows of the frontier.

Every refusal has a name, is counted, and the first few are kept as examples in end.json.
"""

from __future__ import annotations

import datetime
import re
from collections import Counter
from functools import lru_cache
from urllib.parse import urlsplit

from tasks.crawler import urls

MAX_SEGMENTS = 16  # parts of a path; deeper ones are relative links that point at themselves
MAX_REPEATS = 3  # how often one path segment may stand in a path: /a/b/a/b/a/b/a/b/ is a loop
MAX_EQUAL_PARAMETERS = 3  # how often one parameter may stand in a query
MAX_PARAMETERS = 8  # more are filters combined with filters
CALENDAR_YEARS_AHEAD = 2  # a calendar links to next month for ever
EXAMPLES = 5
_CALENDAR = re.compile(
    r"(?<![0-9])((?:19|20|21)[0-9]{2})[/_-](?:0?[1-9]|1[0-2])(?![0-9])|[?&]y(?:ear)?=([0-9]{4})(?![0-9])"
)


@lru_cache(maxsize=1 << 15)
def trap(url: str, this_year: int) -> str | None:
    """Name of the trap rule that a canonical URL breaks, or None."""
    parts = urlsplit(url)
    segments = [s for s in parts.path.split("/") if s]
    if len(segments) > MAX_SEGMENTS:
        return "too_many_segments"
    if any(n > MAX_REPEATS for n in Counter(segments).values()):
        return "repeated_segments"
    if parts.query:
        names = Counter(field.partition("=")[0] for field in parts.query.split("&"))
        if names.total() > MAX_PARAMETERS:
            return "too_many_parameters"
        if max(names.values()) > MAX_EQUAL_PARAMETERS:
            return "repeated_parameters"
    if "%2525" in url:
        return "escaped_again"  # every page escapes the address of the one before
    for found in _CALENDAR.finditer(url):
        if int(found[1] or found[2]) > this_year + CALENDAR_YEARS_AHEAD:
            return "calendar"
    return None


class Scope:
    """Decides about canonical URLs and counts what it refuses."""

    def __init__(self, seeds: tuple[str, ...], url_prefixes: tuple[str, ...]) -> None:
        """Seeds and prefixes as the config has them; a ValueError names the one that is no http(s) URL."""
        self.seeds = tuple(_canonical(seed, "seed") for seed in seeds)
        prefixes = tuple(_canonical(prefix, "url_prefix") for prefix in url_prefixes)
        # Seeds define hosts, with both schemes: a site that redirects http to https is one site.
        hosts = {urlsplit(seed).netloc for seed in self.seeds}
        self.prefixes = prefixes or tuple(
            f"{scheme}://{host}/" for host in sorted(hosts) for scheme in ("http", "https")
        )
        self.origins = {urls.origin_of(prefix) for prefix in self.prefixes} | {urls.origin_of(s) for s in self.seeds}
        self.refused: Counter[str] = Counter()
        self.examples: dict[str, list[str]] = {}
        self._year = datetime.datetime.now(datetime.UTC).year

    def admits(self, url: str) -> bool:
        """Whether a canonical URL may become a row."""
        if not url.startswith(self.prefixes):
            return self._refuse("out_of_scope", url)
        if broken := trap(url, self._year):
            return self._refuse(broken, url)
        return True

    def admits_sitemap(self, url: str) -> bool:
        """Whether a sitemap may be read: it may stand outside the prefixes, but only on an origin of the crawl."""
        return urls.origin_of(url) in self.origins or self._refuse("sitemap_elsewhere", url)

    def _refuse(self, rule: str, url: str) -> bool:
        self.refused[rule] += 1
        examples = self.examples.setdefault(rule, [])
        if len(examples) < EXAMPLES and url not in examples:
            examples.append(url)
        return False


def _canonical(url: str, what: str) -> str:
    found = urls.canonical(url.strip())
    if found is None:
        raise ValueError(f"{what} {url!r}: not an http(s) URL that can be crawled")
    return found
