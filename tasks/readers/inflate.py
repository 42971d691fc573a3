"""解压 inflate: bytes of a plain, gzip or zstd file in pieces of bounded size, as far as they are whole.

The pieces that can be read are all given out before `Torn` says where the file breaks off. (Python's gzip file object
loses what it had buffered; zstd readers end at a cut without a word.)
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

import zstandard

PIECE = 1 << 18  # bytes given out at a time, about
_ZSTD_STEP = 1 << 10  # a zstd block of 4 bytes may stand for 128 KiB: small steps bound what one step can make
_ZSTD_WINDOW = 1 << 27  # largest window that is accepted, as the command line tool does
GZIP_MAGIC, ZSTD_MAGIC = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"


class Torn(Exception):
    """The file is cut off or damaged; everything before that was given out."""


def pieces(path: Path) -> Iterator[bytes]:
    """Decompressed pieces of a file; its first bytes say how, not its name. Raises Torn at the end of what is whole."""
    with path.open("rb") as file:
        head = file.read(4)
        file.seek(0)
        if head.startswith(GZIP_MAGIC):
            yield from _members(file, lambda: zlib.decompressobj(zlib.MAX_WBITS | 16), _some_gzip, PIECE)
        elif head.startswith(ZSTD_MAGIC):
            yield from _members(file, _zstd_reader, _some_zstd, _ZSTD_STEP)
        else:
            while piece := file.read(PIECE):
                yield piece


def _members(
    file: IO[bytes], new_reader: Callable[[], Any], some: Callable[[Any, bytes], bytes], step: int
) -> Iterator[bytes]:
    """Members (gzip) or frames (zstd) follow one another; NUL padding between and after them is usual."""
    reader, begun = new_reader(), False
    while chunk := file.read(step):
        while chunk := chunk if begun else chunk.lstrip(b"\0"):
            begun = True
            try:
                yield some(reader, chunk)
            except (zlib.error, zstandard.ZstdError) as error:
                raise Torn(f"damaged near byte {file.tell()}: {error}") from error
            if reader.eof:
                chunk, reader, begun = reader.unused_data, new_reader(), False
            else:
                chunk = reader.unconsumed_tail
    if begun:
        while piece := _rest(reader):
            yield piece
        raise Torn(f"breaks off after byte {file.tell()}")


def _some_gzip(reader: Any, chunk: bytes) -> bytes:
    return bytes(reader.decompress(chunk, PIECE))


def _some_zstd(reader: Any, chunk: bytes) -> bytes:
    return bytes(reader.decompress(chunk))


def _zstd_reader() -> Any:
    return zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW).decompressobj()


def _rest(reader: Any) -> bytes:
    """What a gzip reader holds back when its input ends; a zstd reader holds back nothing that is whole."""
    return _some_gzip(reader, b"") if hasattr(reader, "copy") else b""
