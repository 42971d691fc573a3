"""纯文本读取: one file is one document, in any Chinese encoding."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tasks.readers.inflate import Torn, pieces
from tasks.readers.record import Record, judged, unreadable
from tasks.transforms.decode import decode

MAX_DAMAGED_RATIO = 0.01  # of characters; a text file in a wrong encoding has far more


def records(path: Path, max_record_bytes: int) -> Iterator[Record]:
    """The one record of a file; its id is the file's name, which the caller knows."""
    content = bytearray()
    try:
        for piece in pieces(path):
            content += piece
            if len(content) > max_record_bytes:
                yield Record("", None, reason="too_large", error=f"more than {max_record_bytes} bytes")
                return
    except Torn as torn:
        yield unreadable("", str(torn), bytes(content))
        return
    decoded = decode(bytes(content))
    if decoded.damaged_ratio > MAX_DAMAGED_RATIO:
        error = f"{decoded.damaged_ratio:.1%} of it cannot be decoded as {decoded.encoding}"
        yield Record("", decoded.text[:10_000], reason="undecodable", error=error, bytes=len(content))
        return
    yield judged(Record("", decoded.text), max_record_bytes)
