"""待抓队列 the frontier: every URL the crawl knows, in one SQLite file that survives `kill -9` at any moment.

What belongs to a fetched page (that it is done, what it links to, where its WARC record lies) is written in one
transaction, and the transaction is committed only after the WARC bytes are on the disk. So after a crash a URL is
either untouched or whole: fetched twice at worst, lost never.

Depth is the length of the shortest path from a seed. When a shorter path shows up later, the links of pages that were
already fetched move up with it; so which URLs a crawl reaches within `max_depth` does not depend on the order in which
answers came in.
"""

from __future__ import annotations

import sqlite3
import sys
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tasks.crawler.urls import origin_of

QUEUED, IN_FLIGHT, DONE = range(3)
PAGE, SITEMAP = range(2)
MAX_HOPS = 10  # redirects in a row; browsers give up at 20
_SCHEMA = """
CREATE TABLE IF NOT EXISTS url(
  id INTEGER PRIMARY KEY AUTOINCREMENT, url TEXT NOT NULL UNIQUE, origin INTEGER NOT NULL, kind INTEGER NOT NULL,
  depth INTEGER NOT NULL, hops INTEGER NOT NULL, state INTEGER NOT NULL DEFAULT 0, tries INTEGER NOT NULL DEFAULT 0,
  not_before REAL NOT NULL DEFAULT 0, status INTEGER, content_type TEXT, digest TEXT, location TEXT, fetched_at TEXT,
  archive INTEGER, "offset" INTEGER, reason TEXT, error TEXT, links BLOB, links_kind INTEGER NOT NULL DEFAULT 0,
  record TEXT, payload TEXT, etag TEXT, modified TEXT, checked_at REAL, patience REAL);
CREATE INDEX IF NOT EXISTS ready ON url(origin, kind DESC, depth, id) WHERE state = 0;
CREATE TABLE IF NOT EXISTS origin(
  id INTEGER PRIMARY KEY, origin TEXT NOT NULL UNIQUE, not_before REAL NOT NULL DEFAULT 0,
  robots_status INTEGER, robots_body BLOB, robots_at REAL, reason TEXT, error TEXT);
CREATE TABLE IF NOT EXISTS archive(
  id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, bytes INTEGER NOT NULL, folder TEXT NOT NULL DEFAULT '');
CREATE TABLE IF NOT EXISTS capture(
  archive INTEGER, "offset" INTEGER, length INTEGER NOT NULL, url TEXT NOT NULL, at TEXT NOT NULL, status INTEGER,
  mime TEXT NOT NULL, payload TEXT NOT NULL, PRIMARY KEY(archive, "offset")) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS fact(name TEXT PRIMARY KEY, value TEXT NOT NULL);
"""
# A row that is known already is touched only when the new path is shorter.
_ADD = """
INSERT INTO url(url, origin, kind, depth, hops) VALUES(?,?,?,?,?)
ON CONFLICT(url) DO UPDATE SET depth = excluded.depth, hops = excluded.hops
WHERE (excluded.depth, excluded.hops) < (depth, hops) RETURNING id, state
"""


@dataclass(frozen=True)
class Row:
    """A URL that was taken out of the queue to be fetched."""

    id: int
    url: str
    kind: int
    depth: int
    hops: int
    tries: int


@dataclass(frozen=True)
class Outcome:
    """What became of a URL: the columns of its visit, and the canonical URLs it leads to."""

    status: int | None = None
    content_type: str | None = None
    digest: str | None = None  # SHA-256 of the body with its content-encoding undone
    location: str | None = None  # where a redirect goes, in scope or not
    reason: str | None = None  # one of data_contracts.reasons, None for a page worth reading
    error: str | None = None
    links: tuple[str, ...] = ()
    links_kind: int = PAGE


@dataclass(frozen=True)
class Place:
    """Where the response with the bytes stands in the archive, and when it came (RFC 3339, UTC)."""

    archive: int
    offset: int
    at: str
    record: str = ""  # WARC-Record-ID
    payload: str = ""  # WARC-Payload-Digest: of the bytes as they came over the wire


@dataclass(frozen=True)
class Look:
    """When a URL was last looked at, and what the next crawl needs for looking again."""

    at: float  # Unix time
    patience: float  # how many times `recrawl_after_hours` the answer stands
    etag: str | None = None
    modified: str | None = None  # Last-Modified, as the server wrote it


class Frontier:
    """One writer, one process. All changes wait for `commit`.

    The frontier of the crawl before is attached as `earlier`, to be read only; without one its tables are empty.
    """

    def __init__(self, path: Path, max_depth: int, earlier: Path | None = None, max_queries: int = sys.maxsize) -> None:
        """`max_queries`: URLs at most that differ in their query only."""
        self.max_depth, self._max_queries = max_depth, max_queries
        self._queries: dict[str, int] = {}
        self.db = sqlite3.connect(path, isolation_level=None, uri=True)
        self.db.execute("PRAGMA journal_mode=WAL")
        self.db.execute("PRAGMA synchronous=NORMAL")  # a lost power supply may lose the last commits, never tear them
        self.db.executescript(_SCHEMA)
        self.db.execute("ATTACH ? AS earlier", (f"{earlier.as_uri()}?immutable=1" if earlier else ":memory:",))
        if earlier is None:
            for table in ("url", "archive", "capture"):
                self.db.execute(f"CREATE TABLE earlier.{table} AS SELECT * FROM main.{table} LIMIT 0")
        self.db.execute("BEGIN IMMEDIATE")
        self.recovered = self.db.execute("UPDATE url SET state=? WHERE state=?", (QUEUED, IN_FLIGHT)).rowcount
        self._origins: dict[str, int] = dict(self.db.execute("SELECT origin, id FROM origin"))
        self._last_id = self._one("SELECT coalesce(max(id), 0) FROM url")
        self.too_deep = self.too_many_queries = 0

    def _one(self, query: str, *values: Any) -> Any:
        row = self.db.execute(query, values).fetchone()
        return row[0] if row else None

    def commit(self) -> None:
        """Make everything so far durable. The caller has synced the archive before."""
        self.db.execute("COMMIT")
        self.db.execute("BEGIN IMMEDIATE")

    def close(self) -> None:
        """Commit and release the file, whole without a write-ahead log beside it."""
        self.db.execute("COMMIT")
        self.db.execute("PRAGMA main.wal_checkpoint(TRUNCATE)")
        self.db.close()

    def fact(self, name: str) -> str | None:
        """A named value of the whole crawl."""
        value = self._one("SELECT value FROM fact WHERE name=?", name)
        return None if value is None else str(value)

    def set_fact(self, name: str, value: str) -> None:
        """Remember a named value of the whole crawl."""
        self.db.execute(
            "INSERT INTO fact VALUES(?,?) ON CONFLICT(name) DO UPDATE SET value=excluded.value", (name, value)
        )

    def origin_id(self, origin: str) -> int:
        """Number of an origin, which is made when it is new."""
        known = self._origins.get(origin)
        if known is None:
            known = self._one("INSERT INTO origin(origin) VALUES(?) RETURNING id", origin)
            self._origins[origin] = known
        return known

    def add(self, found: Iterable[str], depth: int, hops: int = 0, kind: int = PAGE) -> dict[str, int]:
        """Enter canonical URLs that are in scope; give the number of new rows by origin."""
        new: dict[str, int] = {}
        work: list[tuple[Iterable[str], int, int, int]] = [(found, depth, hops, kind)]
        while work:
            some, depth, hops, kind = work.pop()
            if depth > self.max_depth or hops > MAX_HOPS:
                self.too_deep += sum(1 for _ in some)
                continue
            for url in some:
                if "?" in url and not self._room_for(url):
                    continue
                origin = origin_of(url)
                row = self.db.execute(_ADD, (url, self.origin_id(origin), kind, depth, hops)).fetchone()
                if row is None:
                    continue
                if row[0] > self._last_id:
                    self._last_id = row[0]
                    if "?" in url:
                        self._queries[url.partition("?")[0]] += 1
                    new[origin] = new.get(origin, 0) + 1
                elif row[1] == DONE:
                    work.extend(self._edges(row[0], depth, hops))
        return new

    def _room_for(self, url: str) -> bool:
        """Whether a URL with a query is known, or its path has not had its share of queries yet."""
        path = url.partition("?")[0]
        if path not in self._queries:  # `@` follows `?` in ASCII
            self._queries[path] = self._one(
                "SELECT count(*) FROM url WHERE url > ? AND url < ?", f"{path}?", f"{path}@"
            )
        if self._queries[path] < self._max_queries or self._one("SELECT 1 FROM url WHERE url=?", url):
            return True
        self.too_many_queries += 1
        return False

    def _edges(self, row_id: int, depth: int, hops: int) -> Iterator[tuple[Iterable[str], int, int, int]]:
        """Links of a fetched page that has moved nearer to the seeds, for another pass of `add`."""
        location, links, kind = self.db.execute(
            "SELECT location, links, kind FROM url WHERE id=?", (row_id,)
        ).fetchone()
        if links:
            known = zlib.decompress(links).decode().split("\n")
            if location in known:
                known.remove(location)
                yield (location,), depth, hops + 1, kind
            yield known, depth + 1, 0, PAGE

    def take(self, origin: str, now: float) -> Row | None:
        """The next URL of an origin, marked as in flight: sitemaps first, then by depth; None when none is due."""
        row = self.db.execute(
            "SELECT id, url, kind, depth, hops, tries FROM url WHERE origin=? AND state=0 AND not_before<=? "
            "ORDER BY kind DESC, depth, id LIMIT 1",
            (self.origin_id(origin), now),
        ).fetchone()
        if row is None:
            return None
        self.db.execute("UPDATE url SET state=1 WHERE id=?", (row[0],))
        return Row(*row)

    def next_due(self, origin: str) -> float:
        """When the first waiting URL of an origin may be tried again (Unix time)."""
        due = self._one("SELECT min(not_before) FROM url WHERE origin=? AND state=0", self.origin_id(origin))
        return float(due or 0.0)

    def finish(
        self,
        row: Row,
        outcome: Outcome,
        links: tuple[str, ...],
        followed: str | None,
        place: Place | None,
        look: Look | None = None,
    ) -> dict[str, int]:
        """Mark a URL as done and enter what it leads to; give the number of new rows by origin.

        `links` and `followed` are the links and the redirect's target as far as they are in scope.
        """
        leads = (followed, *links) if followed else links
        self.db.execute(
            "UPDATE url SET state=2, tries=tries+1, status=?, content_type=?, digest=?, location=?, reason=?, error=?, "
            'links=?, links_kind=?, archive=?, "offset"=?, fetched_at=?, record=?, payload=?, etag=?, modified=?, '
            "checked_at=?, patience=? WHERE id=?",
            (
                outcome.status,
                outcome.content_type,
                outcome.digest,
                outcome.location,
                outcome.reason,
                outcome.error,
                zlib.compress("\n".join(leads).encode(), 1) if leads else None,
                outcome.links_kind,
                *((place.archive, place.offset, place.at, place.record, place.payload) if place else (None,) * 5),
                *((look.etag, look.modified, look.at, look.patience) if look else (None,) * 4),
                row.id,
            ),
        )
        # The row's own place may have improved while it was in flight.
        depth, hops = self.db.execute("SELECT depth, hops FROM url WHERE id=?", (row.id,)).fetchone()
        # An index of sitemaps is no step away from the seeds.
        index = outcome.links_kind == SITEMAP
        new = self.add(links, depth + (not index), hops + 1 if index else 0, outcome.links_kind)
        if followed:
            for origin, count in self.add((followed,), depth, hops + 1, row.kind).items():
                new[origin] = new.get(origin, 0) + count
        return new

    def retry(self, row: Row, not_before: float, error: str) -> None:
        """Put a URL back into the queue."""
        self.db.execute(
            "UPDATE url SET state=0, tries=tries+1, not_before=?, error=? WHERE id=?", (not_before, error, row.id)
        )

    def refuse(self, row: Row, reason: str, error: str) -> None:
        """Mark a URL as done without a request."""
        self.db.execute("UPDATE url SET state=2, reason=?, error=? WHERE id=?", (reason, error, row.id))

    def give_up(self, origin: str, reason: str, error: str) -> int:
        """Close an origin for the rest of the crawl; give the number of queued URLs that went with it."""
        number = self.origin_id(origin)
        self.db.execute("UPDATE origin SET reason=?, error=? WHERE id=?", (reason, error, number))
        return self.db.execute(
            "UPDATE url SET state=2, reason=?, error=? WHERE origin=? AND state=0", (reason, error, number)
        ).rowcount

    def park(self, origin: str, until: float) -> None:
        """Remember over a restart that an origin asked to be left alone."""
        number = self.origin_id(origin)
        self.db.execute("UPDATE origin SET not_before=max(not_before, ?) WHERE id=?", (until, number))

    def save_robots(self, origin: str, status: int, body: bytes, at: float) -> None:
        """Keep the answer to robots.txt, so that a restart need not ask again."""
        values = (status, body, at, self.origin_id(origin))
        self.db.execute("UPDATE origin SET robots_status=?, robots_body=?, robots_at=? WHERE id=?", values)

    def saved_robots(self, origin: str) -> tuple[int, bytes, float] | None:
        """Status, body and time (Unix) of the kept robots.txt, or None."""
        row = self.db.execute(
            "SELECT robots_status, robots_body, robots_at FROM origin WHERE origin=? AND robots_at IS NOT NULL",
            (origin,),
        ).fetchone()
        return tuple(row) if row else None

    def answered_pages(self) -> int:
        """Pages whose request was answered, whatever the answer."""
        return int(self._one("SELECT count(*) FROM url WHERE state=2 AND kind=0 AND archive IS NOT NULL"))
