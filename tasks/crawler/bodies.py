"""响应正文 bodies: undo the content-encoding within a size limit, and tell pages from everything else."""

from __future__ import annotations

import zlib

ACCEPT_ENCODING = "gzip, deflate"  # what every WARC reader can undo
PAGE_TYPES = frozenset({"text/html", "application/xhtml+xml", "text/plain", "text/markdown", ""})
LIST_TYPES = frozenset(  # what sitemaps and feeds are labelled as
    {"application/rss+xml", "application/atom+xml", "application/rdf+xml", "application/xml", "text/xml"}
)
MAX_ROBOTS_BYTES = 8 << 20
_CHUNK = 1 << 16
# First bytes of what servers send as text/html although it is not (a file behind a wrong label).
_BINARY_MARKS = (
    b"%PDF-",
    b"PK\x03\x04",
    b"\x89PNG",
    b"GIF8",
    b"\xff\xd8\xff",
    b"\x1f\x8b",
    b"Rar!",
    b"7z\xbc\xaf",
    b"MZ\x90",
    b"\xd0\xcf\x11\xe0",
    b"RIFF",
    b"\x00\x00\x01\x00",
    b"OggS",
    b"ID3",
    b"\x7fELF",
)


class BodyTooLarge(ValueError):
    """More bytes than the limit come out of it."""


class BodyUnreadable(ValueError):
    """Its content-encoding is unknown or its bytes are damaged."""


def undo_content_encoding(body: bytes, encoding: str | None, max_bytes: int) -> bytes:
    """The body as the page's author wrote it. Memory stays within `max_bytes`, whatever a compressed bomb holds.

    A body that claims gzip and is none is taken as it is, as WARC readers do. Raises BodyTooLarge, BodyUnreadable.
    """
    name = (encoding or "").strip().lower()
    if name in ("gzip", "x-gzip") and body[:2] == b"\x1f\x8b":
        body = gunzip(body, max_bytes)
    elif name == "deflate" and body:
        try:
            body = _inflate(body, zlib.MAX_WBITS, max_bytes)
        except BodyUnreadable:
            body = _inflate(body, -zlib.MAX_WBITS, max_bytes)  # raw deflate, as some servers understand the word
    elif name not in ("", "identity", "gzip", "x-gzip", "none", "utf-8"):
        raise BodyUnreadable(f"content-encoding {name!r} was not asked for")
    if len(body) > max_bytes:
        raise BodyTooLarge(f"more than {max_bytes} bytes")
    return body


def gunzip(body: bytes, max_bytes: int) -> bytes:
    """All members of a gzip body. Raises BodyTooLarge, BodyUnreadable."""
    out = b""
    while body[:2] == b"\x1f\x8b":
        reader = zlib.decompressobj(zlib.MAX_WBITS | 16)
        out += _drain(reader, body, max_bytes - len(out))
        body = reader.unused_data.lstrip(b"\0")
    return out


def _inflate(body: bytes, window: int, max_bytes: int) -> bytes:
    return _drain(zlib.decompressobj(window), body, max_bytes)


def _drain(reader: zlib._Decompress, body: bytes, max_bytes: int) -> bytes:
    out = bytearray()
    rest = body
    try:
        while rest and not reader.eof:
            out += reader.decompress(rest, _CHUNK)
            if len(out) > max_bytes:
                raise BodyTooLarge(f"more than {max_bytes} bytes after decompression")
            rest = reader.unconsumed_tail
    except zlib.error as error:
        raise BodyUnreadable(f"damaged compression: {error}") from error
    if not reader.eof:
        raise BodyUnreadable("compressed body ends too early")
    return bytes(out)


def media_type(content_type: str | None) -> str:
    """`text/html` of `Text/HTML; charset=gb2312`; empty when there is no header."""
    return (content_type or "").split(";", 1)[0].strip().lower()


def is_page(content_type: str | None, body: bytes) -> bool:
    """Whether a body is HTML or text, by its label and its first bytes."""
    if media_type(content_type) not in PAGE_TYPES or body.startswith(_BINARY_MARKS):
        return False
    if media_type(content_type) == "":
        return b"\0" not in body[:512] or body[:2] in (b"\xff\xfe", b"\xfe\xff")
    return True


def is_html(content_type: str | None, body: bytes) -> bool:
    """Whether links can be expected: not in plain text that does not begin like markup."""
    return media_type(content_type) not in ("text/plain", "text/markdown") or body.lstrip()[:1] == b"<"
