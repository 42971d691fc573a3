"""字节与状态 planted bytes: wrong charset labels, mojibake, broken bytes, files that are no page, HTTP failures."""

from __future__ import annotations

import re
import struct
import zlib

from deployments.demo.answers import HTML_UTF8, Answer
from deployments.demo.sections import Leaf
from deployments.demo.templates import OLD_META

NONE = "-"  # no label


def labels(how: str) -> tuple[str, str, str]:
    """Read `BYTES HEADER META` -> codec, Content-Type, meta element; `-` is no label, `+bom` behind BYTES a BOM."""
    codec, header, meta = how.split()
    content_type = "text/html" if header == NONE else f"text/html; charset={header}"
    return codec, content_type, "" if meta == NONE else OLD_META.format(meta)


def to_bytes(html: str, codec: str) -> bytes:
    """Encode; characters that the codec lacks become numeric references, as browsers send and editors save them."""
    name, _, bom = codec.partition("+")
    return (("\ufeff" if bom else "") + html).encode(name, "xmlcharrefreplace")


def encoded(leaf: Leaf, how: str) -> Answer:
    """The page in another encoding, with right, missing or wrong labels."""
    codec, content_type, meta = labels(how)
    return Answer(to_bytes(leaf.html(meta=meta), codec), content_type)


def mojibake(leaf: Leaf, how: str) -> Answer:
    """A page whose UTF-8 somebody read as another encoding and saved again; `replace` loses characters for good."""
    codec, errors = how.split()
    raw = leaf.html().encode()
    if codec == "cp1252":  # as browsers read it: the five bytes that Windows-1252 lacks are control characters
        return Answer("".join(bytes([b]).decode(codec, "ignore") or chr(b) for b in raw).encode())
    return Answer(raw.decode(codec, errors).encode())


def dirty(leaf: Leaf) -> Answer:
    """A page with NUL bytes, control and zero-width characters inside its sentences."""
    html = leaf.html().replace("。", "。\x00", 6).replace("，", "，\x08\x1b\u200b", 6).replace("的", "的\ufeff", 3)
    return Answer(html.encode())


def nested(leaf: Leaf, depth: int) -> Answer:
    """A page whose body stands inside `depth` div elements."""
    head, start, inner, end = re.split(r"(<body[^>]*>|</body>)", leaf.html(), maxsplit=2, flags=re.I)[:4]
    tail = leaf.html().rpartition(end)[2]
    return Answer(f"{head}{start}{'<div>' * depth}{inner}{'</div>' * depth}{end}{tail}".encode())


def slow(leaf: Leaf, seconds: float) -> Answer:
    """A page that answers late."""
    return Answer(leaf.html().encode(), delay_seconds=seconds)


def _png() -> bytes:
    """A grey picture of 8 x 8 pixels."""
    rows = b"".join(b"\x00" + b"\xcc" * 8 for _ in range(8))
    chunks = (
        (b"IHDR", struct.pack(">IIBBBBB", 8, 8, 8, 0, 0, 0, 0)),
        (b"IDAT", zlib.compress(rows, 0)),
        (b"IEND", b""),
    )
    body = b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + body


def file(kind: str) -> Answer:
    """A `pdf` or a `png`; `pdf-as-html` is a PDF whose header says text/html, which real servers do."""
    if kind == "png":
        return Answer(_png(), "image/png")
    body = b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj 2 0 obj<</Type/Pages/Kids[]/Count 0>>endobj\n%%EOF\n"
    return Answer(body, HTML_UTF8 if kind == "pdf-as-html" else "application/pdf")


def oversize(size: int) -> Answer:
    """A page of at least `size` bytes, made while it is sent."""
    block = ("<p>" + "这一段文字重复了许多遍，直到网页大得不合情理。" * 64 + "</p>\n").encode()
    return Answer(block, copies=-(-size // len(block)))


def refresh(target: str) -> Answer:
    """A page that only sends its reader on, by a meta element."""
    html = f'<html><head><meta http-equiv="refresh" content="0; url={target}"></head><body>正在跳转</body></html>'
    return Answer(html.encode())


def failure(status: int) -> Answer:
    """An error page with a body, as servers send it."""
    return Answer(
        f"<html><body><h1>{status}</h1><p>抱歉，您访问的页面出错了。</p></body></html>".encode(), status=status
    )
