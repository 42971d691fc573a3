"""WARC 读取: captures of pages out of a WARC file, gzip or plain, torn or whole.

What can be read comes out; each stretch that cannot becomes one capture with the reason `unreadable`, and reading goes
on at the next record behind it. A record that the file's end cuts short is found by its length: FastWARC hands out
the beginning without a word.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from pathlib import Path
from typing import IO, NamedTuple

from fastwarc.warc import ArchiveIterator, WarcRecord, WarcRecordType, has_block_digest

from tasks.readers.content_encoding import BodyTooLarge, BodyUnreadable, undo

_PAGES = WarcRecordType.response | WarcRecordType.revisit | WarcRecordType.resource | WarcRecordType.conversion
_OTHERS = WarcRecordType.warcinfo | WarcRecordType.request | WarcRecordType.metadata | WarcRecordType.continuation
_STARTS = (b"\x1f\x8b\x08", b"WARC/1.")
PAGE_TYPES = frozenset({"text/html", "application/xhtml+xml", "text/plain", "text/markdown", ""})
_BINARY_MARKS = (
    b"%PDF-", b"PK\x03\x04", b"\x89PNG", b"GIF8", b"\xff\xd8\xff", b"\x1f\x8b", b"Rar!", b"7z\xbc\xaf", b"MZ\x90",
    b"\xd0\xcf\x11\xe0", b"RIFF", b"OggS", b"ID3", b"\x7fELF",
)  # fmt: skip


class Capture(NamedTuple):
    """What one record says. `body` has its content-encoding undone; `reason` is null for a page worth reading."""

    url: str
    offset: int
    status: int | None = None
    content_type: str | None = None
    body: bytes | None = None
    fetched_at: str | None = None
    reason: str | None = None
    error: str | None = None


def captures(path: Path, max_bytes: int) -> Iterator[Capture]:
    """Every capture of a file, in order; memory is bounded by the largest body that is allowed."""
    if not path.stat().st_size:
        yield Capture("", 0, reason="unreadable", error="the file is empty")
        return
    with path.open("rb") as file:
        start: int | None = 0
        torn_at = -1  # where the damage that is being skipped was first met
        while start is not None:
            file.seek(start)
            last = start - 1
            try:
                for record in ArchiveIterator(file, record_types=WarcRecordType.any_type, parse_http=False):
                    last = record.stream_pos
                    if not record.record_type & _OTHERS and (capture := _capture(record, max_bytes)):
                        yield capture
                if (tail := _unread_start(file, last + 1)) is not None:
                    yield Capture("", tail, reason="unreadable", error=f"the file breaks off behind byte {tail}")
                return
            except OSError as error:
                if last >= start or torn_at < 0:  # one row for a stretch of damage, however many starts lie in it
                    torn_at = max(last, start)
                    yield Capture("", torn_at, reason="unreadable", error=f"damage behind byte {torn_at}: {error}")
                start = _next_start(file, max(last, start) + 1)


def capture_at(path: Path, offset: int, max_bytes: int) -> Capture:
    """The capture whose record begins at an offset."""
    with path.open("rb") as file:
        file.seek(offset)
        try:
            record = next(iter(ArchiveIterator(file, record_types=WarcRecordType.any_type, parse_http=False)))
            found = _capture(record, max_bytes)
        except (OSError, StopIteration) as error:
            return Capture("", offset, reason="unreadable", error=f"no record at byte {offset}: {error}")
    return found or Capture("", offset, reason="unreadable", error=f"the record at byte {offset} holds no page")


def _next_start(file: IO[bytes], behind: int) -> int | None:
    """Where the next gzip member or plain record may begin."""
    with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        found = [at for mark in _STARTS if (at := content.find(mark, behind)) >= 0]
    return min(found, default=None)


def _unread_start(file: IO[bytes], behind: int) -> int | None:
    """Where a record begins that FastWARC passed over without a word because its first bytes are all there is."""
    with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        if content[:2] == _STARTS[0][:2]:
            found = content.find(b"\x1f\x8b\x08\x00", behind)  # a fourth byte, lest compressed data look like a start
        elif behind == 0:
            found = 0
        else:
            found = content.find(b"\r\n\r\nWARC/1.", behind)
    return found if found >= 0 else None


def _capture(record: WarcRecord, max_bytes: int) -> Capture | None:
    """One record; None when it is no capture of a web page (dns:, metadata about the crawl)."""
    url = (record.headers.get("WARC-Target-URI") or "").strip("<> ").partition("#")[0]
    found = Capture(url, record.stream_pos, fetched_at=record.headers.get("WARC-Date"))
    if not record.record_type & _PAGES or not record.headers.get("Content-Length"):
        return found._replace(reason="unreadable", error="its header is damaged or breaks off")
    if not url.lower().startswith(("http://", "https://", "file:")):
        return None
    declared = record.content_length
    if declared > max_bytes * 2:  # headers included; nothing of it is read
        return found._replace(reason="too_large", error=f"a record of {declared} bytes")
    if has_block_digest(record) and not record.verify_block_digest():
        cut = "or the file is cut off here"
        return found._replace(reason="unreadable", error=f"its bytes do not match the digest in its header, {cut}")
    if record.is_http:
        record.parse_http(strict_mode=False)
    headers = record.http_headers if record.is_http else None
    status = headers.status_code if headers else 200
    content_type = headers.get("Content-Type") if headers else record.headers.get("Content-Type")
    return _with_body(record, found._replace(status=status, content_type=content_type), max_bytes)


def _with_body(record: WarcRecord, found: Capture, max_bytes: int) -> Capture:
    raw = record.reader.read()
    if len(raw) < record.content_length:
        error = f"{len(raw)} of {record.content_length} bytes: the file is cut off here"
        return found._replace(reason="unreadable", error=error)
    if record.record_type == WarcRecordType.revisit:
        earlier = record.headers.get("WARC-Refers-To-Date") or record.headers.get("WARC-Refers-To") or "unknown"
        return found._replace(reason="exact_duplicate", error=f"revisit: same bytes as the capture of {earlier}")
    headers = record.http_headers if record.is_http else None
    encodings = (headers.get("Content-Encoding"), headers.get("Transfer-Encoding")) if headers else (None, None)
    try:
        body = undo(raw, *encodings, max_bytes)
    except BodyTooLarge as error:
        return found._replace(reason="too_large", error=str(error))
    except BodyUnreadable as error:
        return found._replace(reason="unreadable", error=str(error))
    return found._replace(body=body, reason=refusal(found.url, found.status, found.content_type, body))


def refusal(url: str, status: int | None, content_type: str | None, body: bytes) -> str | None:
    """Why a response is no page worth reading, None when it is one."""
    if status is None or not 200 <= status < 300:
        return "redirected" if status and 300 <= status < 400 and status != 304 else "http_error"
    if not body.strip():
        return "empty_body"
    kind = (content_type or "").split(";")[0].strip().lower()
    if kind not in PAGE_TYPES or body.startswith(_BINARY_MARKS) or url.endswith("/robots.txt"):
        return "not_html"
    return None
