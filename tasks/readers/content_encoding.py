"""内容编码 content-encoding: undo what HTTP wrapped around a body, within a size limit: a bomb of 10 KB holds 10 MB."""

from __future__ import annotations

import importlib
import zlib

import zstandard

_CHUNK = 1 << 16
_LINE = 1024  # longest chunk-size line of a chunked body that is believed


class BodyTooLarge(ValueError):
    """More bytes than the limit come out of it."""


class BodyUnreadable(ValueError):
    """Its encoding is not known, or its bytes are damaged."""


def undo(body: bytes, content_encoding: str | None, transfer_encoding: str | None, max_bytes: int) -> bytes:
    """The body as its author wrote it. Memory stays near `max_bytes`. Raises BodyTooLarge, BodyUnreadable.

    Archives differ: some hold bodies as they came, some hold them decoded under the old header. A body that does not
    begin like its encoding is therefore taken as it is.
    """
    if "chunked" in (transfer_encoding or "").lower():
        body = _dechunked(body)
    for name in reversed([n.strip().lower() for n in (content_encoding or "").split(",")]):
        body = _undo_one(body, name, max_bytes)
    if len(body) > max_bytes:
        raise BodyTooLarge(f"{len(body)} bytes, more than {max_bytes}")
    return body


def _undo_one(body: bytes, name: str, max_bytes: int) -> bytes:
    if name in ("gzip", "x-gzip"):
        return _inflate(body, zlib.MAX_WBITS | 16, max_bytes) if body.startswith(b"\x1f\x8b") else body
    if name == "deflate":
        window = zlib.MAX_WBITS if _is_zlib(body) else -zlib.MAX_WBITS  # some servers send raw deflate by that name
        try:
            return _inflate(body, window, max_bytes)
        except BodyUnreadable:
            if body.lstrip().startswith(b"<"):  # decoded already
                return body
            raise
    if name == "br":
        return _brotli(body, max_bytes)
    if name == "zstd":
        return _zstd(body, max_bytes) if body.startswith(b"\x28\xb5\x2f\xfd") else body
    if name in ("", "identity", "none", "utf-8", "binary"):
        return body
    raise BodyUnreadable(f"content-encoding {name!r} is not known")


def _is_zlib(body: bytes) -> bool:
    return len(body) > 1 and body[0] & 0x0F == 8 and (body[0] * 256 + body[1]) % 31 == 0


def _inflate(body: bytes, window: int, max_bytes: int) -> bytes:
    out = bytearray()
    rest = body
    while rest:
        reader = zlib.decompressobj(window)
        while not reader.eof:
            if not rest:
                raise BodyUnreadable("the compressed body breaks off")
            try:
                out += reader.decompress(rest, _CHUNK)
            except zlib.error as error:
                raise BodyUnreadable(f"damaged compression: {error}") from error
            if len(out) > max_bytes:
                raise BodyTooLarge(f"more than {max_bytes} bytes after decompression")
            rest = reader.unconsumed_tail
        rest = reader.unused_data if reader.unused_data.startswith(b"\x1f\x8b") else b""
    return bytes(out)


def _zstd(body: bytes, max_bytes: int) -> bytes:
    try:
        with zstandard.ZstdDecompressor(max_window_size=1 << 27).stream_reader(body) as reader:
            out: bytes = reader.read(max_bytes + 1)
    except zstandard.ZstdError as error:
        raise BodyUnreadable(f"damaged compression: {error}") from error
    if len(out) > max_bytes:
        raise BodyTooLarge(f"more than {max_bytes} bytes after decompression")
    return out


def _brotli(body: bytes, max_bytes: int) -> bytes:
    brotli = importlib.import_module("brotli")
    reader, out = brotli.Decompressor(), bytearray()
    try:
        out += reader.process(body, output_buffer_limit=_CHUNK)
        while not reader.can_accept_more_data() and len(out) <= max_bytes:
            out += reader.process(b"", output_buffer_limit=_CHUNK)
    except brotli.error as error:
        if body.lstrip().startswith(b"<"):  # decoded already
            return body
        raise BodyUnreadable(f"damaged compression: {error}") from error
    if len(out) > max_bytes:
        raise BodyTooLarge(f"more than {max_bytes} bytes after decompression")
    if not reader.is_finished():
        raise BodyUnreadable("the compressed body breaks off")
    return bytes(out)


def _dechunked(body: bytes) -> bytes:
    """Join the chunks of a body that is still chunked; one that is not comes back as it is."""
    out, at = bytearray(), 0
    while True:
        end = body.find(b"\r\n", at, at + _LINE)
        size = body[at:end].split(b";")[0].strip() if end >= 0 else b""
        try:
            length = int(size, 16)
        except ValueError:
            if not out:
                return body
            raise BodyUnreadable("the chunked body is damaged") from None
        if length == 0:
            return bytes(out)
        out += body[end + 2 : end + 2 + length]
        at = end + 2 + length + 2
