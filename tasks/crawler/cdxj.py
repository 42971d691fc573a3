"""索引 the index of a crawl: CDXJ, one line for every answer in its archives, so that any URL leads to its record.

    cn,example)/news/1.html 20261125183007 {"url": ..., "mime": ..., "status": ..., "digest": ..., "length": ...,
                                            "offset": ..., "filename": ...}

Sorted by bytes, as replay tools (pywb, ReplayWeb.page) want it. Records of earlier crawls that visits of this one point
at stand in it too: the index and the archives that end.json names are all that is needed.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from urllib.parse import urlsplit

from tasks.crawler.frontier import Frontier

NAME = "index.cdxj"
_WWW = re.compile(r"^www[0-9]*\.")
_TAKE_OVER = """
INSERT OR IGNORE INTO main.capture
SELECT archive.id, old."offset", old.length, old.url, old.at, old.status, old.mime, old.payload
FROM main.url JOIN main.archive ON archive.id = url.archive AND archive.folder <> ''
  JOIN earlier.archive AS there ON there.name = archive.name
  JOIN earlier.capture AS old ON old.archive = there.id AND old."offset" = url."offset"
"""
_ROWS = """
SELECT url, at, mime, status, payload, length, "offset", name FROM capture JOIN archive ON archive.id = capture.archive
"""


def key(url: str) -> str:
    """Sort-friendly form of a canonical URL (SURT), as indexes of web archives are sorted by.

    Host reversed and without `www.`, everything in lower case, no slash at the end, parameters sorted.
    """
    parts = urlsplit(url.lower())
    named = ",".join(reversed(_WWW.sub("", parts.hostname or "", count=1).split(".")))
    port = f":{parts.port}" if parts.port else ""
    path = parts.path.rstrip("/") or "/"
    query = "?" + "&".join(sorted(parts.query.split("&"))) if parts.query else ""
    return f"{named}{port}){path}{query}"


def line(url: str, at: str, mime: str, status: int, payload: str, length: int, offset: int, name: str) -> str:
    """One line of the index; `at` is RFC 3339."""
    facts = {
        "url": url,
        "mime": mime,
        "status": str(status),
        "digest": payload,
        "length": str(length),
        "offset": str(offset),
        "filename": name,
    }
    return f"{key(url)} {re.sub('[^0-9]', '', at)[:14]} {json.dumps(facts, ensure_ascii=False)}\n"


def write(frontier: Frontier, path: Path) -> int:
    """Write the file in one piece; give the number of its lines."""
    frontier.db.execute(_TAKE_OVER)
    lines = sorted(line(*row).encode() for row in frontier.db.execute(_ROWS))
    partial = path.with_suffix(".partial")
    with partial.open("wb") as out:
        out.writelines(lines)
        out.flush()
        os.fsync(out.fileno())
    partial.replace(path)
    return len(lines)
