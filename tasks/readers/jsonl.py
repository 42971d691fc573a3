"""JSONL 读取 one JSON object a line. Lines end at LF only: texts hold U+2028 and U+0085, where splitlines breaks."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import orjson

from data_contracts.sources import JsonLinesSource
from tasks.readers.inflate import Torn, pieces
from tasks.readers.record import RAW_CHARS, Record, judged, selected, unreadable


class Line(NamedTuple):
    """A line without its end. `bytes` counts the whole line, `content` is cut when the line is too long."""

    number: int
    content: bytes
    bytes: int


def records(path: Path, source: JsonLinesSource, max_record_bytes: int) -> Iterator[Record]:
    """Every non-empty line of a file, in order; memory stays within a few times `max_record_bytes`."""
    number = 0
    try:
        for line in lines(path, max_record_bytes):
            number = line.number
            if line.bytes > max_record_bytes:
                error = f"{line.bytes} bytes, more than {max_record_bytes}"
                raw = line.content[:RAW_CHARS].decode("utf-8", "replace")
                yield Record(str(number), raw, reason="too_large", error=error, bytes=line.bytes)
            elif line.content.strip():
                yield _record(line, source, max_record_bytes)
    except Torn as torn:
        yield unreadable(str(number + 1), f"{torn}; {number} lines before it were read")


def lines(path: Path, max_bytes: int) -> Iterator[Line]:
    """Lines of a file, which may be compressed. A line longer than `max_bytes` is counted but not held. Raises Torn."""
    number, kept, size = 1, bytearray(), 0
    for piece in pieces(path):
        *ended, rest = piece.split(b"\n")
        for part in ended:
            yield Line(number, bytes(kept + part) if kept else part, size + len(part))
            number, kept, size = number + 1, bytearray(), 0
        size += len(rest)
        if len(kept) <= max_bytes:
            kept += rest
    if size:
        yield Line(number, bytes(kept), size)


def _record(line: Line, source: JsonLinesSource, max_bytes: int) -> Record:
    place = str(line.number)
    try:
        found = orjson.loads(line.content.removeprefix(codecs.BOM_UTF8))
    except orjson.JSONDecodeError as error:
        return unreadable(place, f"not JSON: {error}", line.content)
    if not isinstance(found, dict):
        return unreadable(place, f"not a JSON object but {type(found).__name__}", line.content)
    if not selected(found, source.where):
        return Record(place, None, reason="not_selected", bytes=line.bytes)
    text = found.get(source.text_field)
    if not isinstance(text, str):
        have = ", ".join(list(found)[:20]) if text is None else type(text).__name__
        return unreadable(place, f"no text in field {source.text_field!r}: {have}", line.content)
    key, title = found.get(source.id_field or ""), found.get(source.title_field or "")
    if source.id_field and (isinstance(key, bool) or not isinstance(key, str | int)):
        return unreadable(place, f"no id in field {source.id_field!r}", line.content)
    if title is not None and not isinstance(title, str):
        return unreadable(place, f"title in field {source.title_field!r} is {type(title).__name__}", line.content)
    return judged(Record(place, text, key=None if key is None else str(key), title=title), max_bytes)
