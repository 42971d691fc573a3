"""前次抓取 the crawl before: what it knew of a URL, so that this one asks only for what may have changed.

    due?    no   the answer of last time stands, and its links are followed; nothing is asked
            yes  a conditional request (RFC 9110, section 13), where the last answer named an ETag or Last-Modified
    304, or the same bytes   a `revisit` record that names the record with the bytes
    404, 410                 `gone`, when it was kept before
    nothing leads to it      `no_longer_linked`, when it was kept before

How long an answer stands follows what was observed, as in the adaptive fetch schedule of Apache Nutch: unchanged, the
time grows; changed, it shrinks; always between `recrawl_after_hours` and `recrawl_within_hours`. Seeds and lists of
links (sitemaps, feeds) are asked for every time: new pages show up there.
"""

from __future__ import annotations

import sqlite3
import zlib
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from data_contracts.sources import CrawlSource
from tasks.crawler.archive import Headers
from tasks.crawler.frontier import PAGE, Frontier, Look, Outcome, Place, Row

GONE = frozenset({404, 410})
_FIND = """
SELECT status, content_type, digest, location, reason, error, links, links_kind, checked_at, patience, etag, modified,
  "offset", fetched_at, record, payload, archive.name, archive.folder, archive.bytes, url.kind
FROM earlier.url JOIN earlier.archive ON archive.id = url.archive WHERE url.url = ? AND checked_at IS NOT NULL
"""
_ARCHIVE = "INSERT OR IGNORE INTO main.archive(name, bytes, folder) VALUES(?,?,?)"
_VANISHED = """
INSERT OR IGNORE INTO main.url(url, origin, kind, depth, hops, state, reason, error)
SELECT url, 0, kind, depth, hops, 2, ?, 'kept by the crawl before; the body is of ' || fetched_at || ?
FROM earlier.url WHERE kind = 0 AND state = 2 AND reason IS NULL AND url NOT IN (SELECT url FROM main.url)
"""


@dataclass(frozen=True)
class Earlier:
    """What the last answer for a URL was. `followed` and `outcome.links` are what it leads to inside the scope."""

    kind: int
    outcome: Outcome
    followed: str | None
    look: Look
    place: Place

    @property
    def validators(self) -> Headers:
        """Headers that make a request conditional; none where the last answer had no body to keep."""
        if self.outcome.digest is None or self.outcome.status not in (200, 203):
            return []
        named = {"If-None-Match": self.look.etag, "If-Modified-Since": self.look.modified}
        return [(name, value) for name, value in named.items() if value]

    def same(self, outcome: Outcome) -> bool:
        """Whether a new answer says what the last one said."""
        old, new = self.outcome, outcome
        if old.digest and old.status in (200, 203):
            return (old.status, old.digest) == (new.status, new.digest)
        return (old.status, old.reason, old.location) == (new.status, new.reason, new.location)


class EarlierCrawl:
    """The crawl before, as far as there was one, seen through the frontier of this one."""

    def __init__(self, frontier: Frontier, source: CrawlSource, folder: str) -> None:
        """`folder`: name of the folder of the crawl before, which lies beside this one's."""
        self._db, self._source, self._folder = frontier.db, source, folder
        self._archives: dict[tuple[str, str], int] = {}

    def find(self, url: str) -> Earlier | None:
        """The last answer for a URL, None when there was none."""
        row = self._db.execute(_FIND, (url,)).fetchone()
        if row is None:
            return None
        status, content_type, digest, location, reason, error, packed, links_kind, *rest = row
        checked_at, patience, etag, modified, offset, at, record, payload, name, folder, size, kind = rest
        leads = zlib.decompress(packed).decode().split("\n") if packed else []
        followed = location if leads and leads[0] == location else None
        links = tuple(leads[1:] if followed else leads)
        return Earlier(
            kind=kind,
            outcome=Outcome(status, content_type, digest, location, reason, error, links, links_kind),
            followed=followed,
            look=Look(checked_at, patience, etag, modified),
            place=Place(self._archive(name, folder or self._folder, size), offset, at, record, payload),
        )

    def _archive(self, name: str, folder: str, size: int) -> int:
        """Number of an archive file of an earlier crawl, which is entered when it is new."""
        known = self._archives.get((folder, name))
        if known is None:
            self._db.execute(
                "INSERT OR IGNORE INTO main.archive(name, bytes, folder) VALUES(?,?,?)", (name, size, folder)
            )
            known = int(self._db.execute("SELECT id FROM main.archive WHERE name=?", (name,)).fetchone()[0])
            self._archives[folder, name] = known
        return known

    def stands(self, earlier: Earlier, row: Row, now: float) -> bool:
        """Whether the answer of last time is taken without a request."""
        listed = earlier.outcome.links and earlier.outcome.reason == "not_html"
        steady = earlier.kind == row.kind == PAGE and row.depth > 0 and not listed
        hours = min(self._source.recrawl_after_hours * earlier.look.patience, self._source.recrawl_within_hours)
        return steady and now < earlier.look.at + hours * 3600

    def patience(self, earlier: Earlier | None, outcome: Outcome) -> float:
        """For how many times `recrawl_after_hours` an answer stands, by whether it was as before."""
        least = self._source.recrawl_after_hours
        if earlier is None or least == 0:
            return 1.0
        factor = self._source.recrawl_slower if earlier.same(outcome) else self._source.recrawl_faster
        return max(1.0, min(earlier.look.patience * factor, self._source.recrawl_within_hours / least))

    def enter_vanished(self, *, page_limit: bool) -> int:
        """Give a row to every page that was kept before and that nothing leads to now; give their number."""
        failed = self._db.execute("SELECT count(*) FROM main.url WHERE reason = 'fetch_failed'").fetchone()[0]
        doubt = f"; {failed} URLs of this crawl could not be fetched, and may lead to it" if failed else ""
        reason = "page_limit" if page_limit else "no_longer_linked"
        return self._db.execute(_VANISHED, (reason, doubt)).rowcount


def frontier_of(folder: Path | None) -> Path | None:
    """The frontier of a complete crawl whose archives are all there, else None: then everything is fetched anew."""
    if folder is None or not (folder / "end.json").exists():
        return None
    folder = folder.absolute()
    path = folder / "frontier.sqlite"
    if not path.exists():
        return None
    try:
        with closing(sqlite3.connect(f"{path.as_uri()}?immutable=1", uri=True)) as db:
            archives = db.execute("SELECT name, bytes, folder FROM archive").fetchall()
    except sqlite3.Error:
        return None
    for name, size, elsewhere in archives:
        archive = (folder.parent / elsewhere if elsewhere else folder) / "warc" / name
        if not archive.exists() or archive.stat().st_size < size:
            return None
    return path
