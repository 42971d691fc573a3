"""访问记录 visits: what the crawl hands on. FOLDER/visits.jsonl, one line per URL that the frontier ever knew, by URL.

    url, status, content_type, digest, location, depth, fetched_at, checked_at, archive, offset, reason, error

`archive` and `offset` name the WARC file and the gzip member of the response record with the bytes, `fetched_at` is its
time; null when nothing was answered. The file may be one of an earlier crawl, when the bytes were still the same at
`checked_at`; end.json says in which folder each file is.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tasks.crawler.frontier import DONE, Frontier

_FIELDS = (
    "url",
    "status",
    "content_type",
    "digest",
    "location",
    "depth",
    "fetched_at",
    "checked_at",
    "archive",
    "offset",
    "reason",
    "error",
)
# A page that stands back behind its canonical URL is kept after all when that one is not.
_QUERY = """
SELECT url, status, content_type, digest, CASE WHEN kept THEN NULL ELSE location END, depth, fetched_at,
  strftime('%Y-%m-%dT%H:%M:%SZ', checked_at, 'unixepoch'), name, "offset",
  CASE WHEN kept THEN NULL ELSE reason END, error, state
FROM (
  SELECT url.*, archive.name, url.reason = 'canonical_elsewhere' AND NOT EXISTS (
    SELECT 1 FROM url AS other WHERE other.url = url.location AND other.state = 2 AND other.reason IS NULL) AS kept
  FROM url LEFT JOIN archive ON archive.id = url.archive)
ORDER BY url
"""


def rows(frontier: Frontier) -> Iterator[dict[str, Any]]:
    """Visits in the order of their URLs. What is still queued at the end was beyond `max_pages`."""
    for row in frontier.db.execute(_QUERY):
        visit = dict(zip(_FIELDS, row, strict=False))
        if row[-1] != DONE:
            visit["reason"] = "page_limit"
        yield visit


def write(frontier: Frontier, path: Path) -> Counter[str]:
    """Write the file in one piece; give the number of visits by reason (`kept` for none)."""
    reasons: Counter[str] = Counter()
    partial = path.with_suffix(".partial")
    with partial.open("w", encoding="utf-8") as out:
        for visit in rows(frontier):
            reasons[visit["reason"] or "kept"] += 1
            out.write(json.dumps(visit, ensure_ascii=False) + "\n")
        out.flush()
        os.fsync(out.fileno())
    partial.replace(path)
    return reasons


def write_end(facts: dict[str, Any], path: Path) -> None:
    """Write end.json in one piece: its being there means that the crawl is complete."""
    partial = path.with_suffix(".partial")
    with partial.open("w", encoding="utf-8") as out:
        out.write(json.dumps(facts, ensure_ascii=False, indent=1) + "\n")
        out.flush()
        os.fsync(out.fileno())
    partial.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    os.fsync(folder)
    os.close(folder)
