"""WARC 1.1 归档 the archive: every answer as it came over the wire, with its request, one gzip member a record.

A response stands before its request, and its offset is what visits point at. Inside one crawl every page has its own
record. What the crawl before has archived already, byte for byte, is written as `revisit`: visits go on to point at the
record with the bytes. What a page's scripts made of it is a `conversion` beside its response. A file that a killed run
left behind is cut back to the last byte that the frontier committed.
"""

from __future__ import annotations

import base64
import datetime
import hashlib
import io
import os
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import urlsplit

from warcio.statusandheaders import StatusAndHeaders
from warcio.warcwriter import WARCWriter

from data_contracts.errors import StoreError
from tasks.crawler.frontier import Frontier, Place

REVISIT = "warc/revisit"  # how indexes call the media type of a revisit
RENDERED_TYPE = "text/html; charset=utf-8"
MAX_FILE_BYTES = 1 << 30
_GZIP_LEVEL = 6  # warcio's own 9 costs twice the time for 1 % less
_PROFILE = "http://netpreserve.org/warc/1.1/revisit/"  # WARC 1.1, section 6.7
_REASONS = {200: "OK", 301: "Moved Permanently", 302: "Found", 304: "Not Modified", 403: "Forbidden", 404: "Not Found"}

Header = tuple[str, str]
Headers = list[Header]


@dataclass(frozen=True)
class Exchange:
    """One request and its answer; the body is still content-encoded."""

    url: str
    request_headers: Headers
    status: int
    protocol: str
    headers: Headers
    body: bytes
    address: str | None
    truncated: str | None = None  # "length" when the body was cut off or left out

    @property
    def mime(self) -> str:
        """Media type as the answer names it; `unk` as in indexes when it names none."""
        named = next((value for name, value in self.headers if name.lower() == "content-type"), "")
        return named.partition(";")[0].strip().lower() or "unk"


class _Member:
    """A gzip member per record over a file: warcio writes to it and flushes at the record's end."""

    def __init__(self, out: BinaryIO) -> None:
        self._out, self._gzip = out, zlib.compressobj(_GZIP_LEVEL, zlib.DEFLATED, zlib.MAX_WBITS | 16)

    def write(self, data: bytes) -> None:
        self._out.write(self._gzip.compress(data))

    def flush(self) -> None:
        self._out.write(self._gzip.flush())


class Archive:
    """Writes FOLDER/<name>-00000.warc.gz and so on, in step with the frontier's transactions."""

    def __init__(self, folder: Path, name: str, frontier: Frontier, operator: str) -> None:
        self.folder, self.name, self.frontier, self.operator = folder, name, frontier, operator
        folder.mkdir(parents=True, exist_ok=True)
        self.cut_bytes = self._repair()
        self.number = 0
        self._file: BinaryIO | None = None

    def _repair(self) -> int:
        """Cut every file back to what the frontier knows; remove files it never heard of. Gives the bytes cut."""
        known = dict(self.frontier.db.execute("SELECT name, bytes FROM archive WHERE folder = ''"))
        for name, committed in known.items():
            path = self.folder / name
            if committed and (not path.exists() or path.stat().st_size < committed):
                raise StoreError(
                    f"{path}: missing or shorter than the {committed} bytes recorded; remove the folder and crawl again"
                )
        cut = 0
        for path in sorted(self.folder.glob("*.warc.gz")):
            size, committed = path.stat().st_size, known.get(path.name, 0)
            cut += max(0, size - committed)
            if committed == 0:
                path.unlink()
            elif size > committed:
                os.truncate(path, committed)
        return cut

    def _open(self) -> BinaryIO:
        count = self.frontier.db.execute("SELECT count(*) FROM archive WHERE folder = ''").fetchone()[0]
        path = self.folder / f"{self.name}-{count:05d}.warc.gz"
        file = path.open("xb")
        self._file = file
        self._writer = WARCWriter(file, gzip=False, warc_version="WARC/1.1")
        facts = {
            "software": "ziliu/0.1",
            "format": "WARC File Format 1.1",
            "conformsTo": "https://iipc.github.io/warc-specifications/specifications/warc-format/warc-1.1/",
            "robots": "obey",
            "operator": self.operator,
        }
        self._put(self._writer.create_warcinfo_record(path.name, facts))
        added = self.frontier.db.execute("INSERT INTO archive(name, bytes) VALUES(?,0) RETURNING id", (path.name,))
        self.number = int(added.fetchone()[0])
        return file

    def _put(self, record: Any) -> None:
        assert self._file is not None
        self._writer._write_warc_record(_Member(self._file), record)

    def write(self, exchange: Exchange, same_as: Place | None = None) -> Place:
        """Append an answer and its request; give the place of the record that holds the bytes.

        `same_as` is where an earlier crawl archived this URL with this status: the same bytes, or the answer 304 to a
        conditional request, become a revisit of it.
        """
        file = self._file or self._open()
        offset = file.tell()
        now = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        payload = _sha1(exchange.body)
        unmodified = exchange.status == 304
        revisit = same_as is not None and (unmodified or (exchange.body != b"" and payload == same_as.payload))
        named = {"WARC-Date": now}
        if exchange.address:
            named["WARC-IP-Address"] = exchange.address
        if revisit and same_as is not None:
            named |= {
                "WARC-Profile": _PROFILE + ("server-not-modified" if unmodified else "identical-payload-digest"),
                "WARC-Payload-Digest": same_as.payload,
                "WARC-Refers-To": same_as.record,
                "WARC-Refers-To-Target-URI": exchange.url,
                "WARC-Refers-To-Date": same_as.at,
            }
        else:
            named["WARC-Payload-Digest"] = payload
            if exchange.truncated:
                named["WARC-Truncated"] = exchange.truncated
        body = b"" if revisit else exchange.body
        status = f"{exchange.status} {_REASONS.get(exchange.status, '')}".rstrip()
        answer = self._writer.create_warc_record(
            exchange.url,
            "revisit" if revisit else "response",
            payload=io.BytesIO(body),
            length=len(body),
            http_headers=StatusAndHeaders(status, exchange.headers, protocol=exchange.protocol),
            warc_headers_dict=named,
        )
        record = answer.rec_headers.get_header("WARC-Record-ID")
        self._put(answer)
        self._index(exchange, offset, now, REVISIT if revisit else exchange.mime, named["WARC-Payload-Digest"])
        self._put(self._request(exchange, record, now))
        if revisit and same_as is not None:
            return same_as
        return Place(self.number, offset, now, record, payload)

    def convert(self, url: str, body: bytes, response: Place, same_as: Place | None = None) -> Place:
        """Append what a page's scripts made of it, beside its response, unless it is as it was at `same_as`."""
        payload = _sha1(body)
        if same_as is not None and payload == same_as.payload:
            return same_as
        file = self._file or self._open()
        offset = file.tell()
        named = {"WARC-Date": response.at, "WARC-Refers-To": response.record, "WARC-Payload-Digest": payload}
        record = self._writer.create_warc_record(
            url,
            "conversion",
            payload=io.BytesIO(body),
            length=len(body),
            warc_content_type=RENDERED_TYPE,
            warc_headers_dict=named,
        )
        self._put(record)
        row = (self.number, offset, file.tell() - offset, url, response.at, 200, "text/html", payload)
        self.frontier.db.execute("INSERT INTO capture VALUES(?,?,?,?,?,?,?,?)", row)
        return Place(self.number, offset, response.at, record.rec_headers.get_header("WARC-Record-ID"), payload)

    def _index(self, exchange: Exchange, offset: int, at: str, mime: str, payload: str) -> None:
        """Enter the answer that was just written, for the index of the crawl."""
        assert self._file is not None
        length = self._file.tell() - offset
        row = (self.number, offset, length, exchange.url, at, exchange.status, mime, payload)
        self.frontier.db.execute("INSERT INTO capture VALUES(?,?,?,?,?,?,?,?)", row)

    def _request(self, exchange: Exchange, response_id: str, now: str) -> Any:
        parts = urlsplit(exchange.url)
        target = parts.path + (f"?{parts.query}" if parts.query else "")
        headers = [("Host", parts.netloc), *exchange.request_headers]
        return self._writer.create_warc_record(
            exchange.url,
            "request",
            payload=io.BytesIO(b""),
            length=0,
            http_headers=StatusAndHeaders(f"GET {target} HTTP/1.1", headers, is_http_request=True),
            warc_headers_dict={"WARC-Date": now, "WARC-Concurrent-To": response_id, "WARC-Payload-Digest": _sha1(b"")},
        )

    def sync(self) -> None:
        """Bring the bytes to the disk and tell the frontier how many they are; it commits next."""
        if self._file is None:
            return
        self._file.flush()
        os.fsync(self._file.fileno())
        size = self._file.tell()
        self.frontier.db.execute("UPDATE archive SET bytes=? WHERE id=?", (size, self.number))
        if size > MAX_FILE_BYTES:
            self._file.close()
            self._file = None  # the next record opens the next file

    def close(self) -> None:
        """Sync and close. The frontier commits next."""
        self.sync()
        if self._file is not None:
            self._file.close()
            self._file = None


def _sha1(data: bytes) -> str:
    return "sha1:" + base64.b32encode(hashlib.sha1(data, usedforsecurity=False).digest()).decode("ascii")
