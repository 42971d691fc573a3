"""记录 record: one text as a file gives it, or what is known of one that cannot be read."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from data_contracts.dataset import document_id
from data_contracts.sources import FileSource

RAW_CHARS = 10_000  # of a broken record that are kept for looking at


class Record(NamedTuple):
    """`place` is the record's number or name in its file, `key` the id that the file gives it (None: none given)."""

    place: str
    text: str | None
    key: str | None = None
    title: str | None = None
    reason: str | None = None
    error: str | None = None
    bytes: int = 0  # of the text as it was read, or of the record when there is no text


def text_hash(text: str) -> str:
    """SHA-256 of a text, hex: the id of a record that has none."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def unreadable(place: str, error: str, raw: bytes | str | None = None) -> Record:
    """A record that breaks the code. `raw` is shown as far as it can be."""
    text = raw.decode("utf-8", "replace") if isinstance(raw, bytes) else raw
    size = len(raw) if isinstance(raw, bytes) else len((raw or "").encode("utf-8", "surrogatepass"))
    return Record(place, text and text[:RAW_CHARS], reason="unreadable", error=error[:500], bytes=size)


def selected(values: Mapping[str, Any], where: Mapping[str, str | int | bool]) -> bool:
    """Whether a record's fields have the values that its source asks for; the number 1 and the text "1" are equal."""
    return all(_said(values.get(name)) == _said(wanted) for name, wanted in where.items())


def _said(value: Any) -> str | None:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return None if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def judged(record: Record, max_bytes: int) -> Record:
    """The record with a reason when its text is empty, holds NUL, or is too large."""
    text = record.text or ""
    size = len(text.encode("utf-8", "surrogatepass"))
    if size > max_bytes:
        more = {"reason": "too_large", "error": f"{size} bytes, more than {max_bytes}", "text": text[:RAW_CHARS]}
    elif "\0" in text:
        more = {"reason": "unreadable", "error": f"NUL at character {text.index(chr(0))}"}
    elif not text.strip():
        more = {"reason": "empty_body"}
    else:
        more = {}
    return record._replace(**more, bytes=size)


def rows_of(records: Iterator[Record], source: FileSource, name: str) -> Iterator[dict[str, Any]]:
    """DOCUMENT rows with `reason`, `error` and `bytes`. Ids come from the given id, else from the text."""
    for record in records:
        url = f"file:{name}#{record.place}" if record.place else f"file:{name}"
        own = url if record.reason else (record.key or text_hash(record.text or ""))
        yield {
            "doc_id": document_id(source.name, own),
            "url": url,
            "source": source.name,
            "licence": source.licence,
            "title": record.title,
            "date": None,
            "author": None,
            "site_name": None,
            "canonical_url": None,
            "text": record.text,
            "reason": record.reason,
            "error": record.error,
            "bytes": record.bytes,
        }
