from __future__ import annotations

import contextlib
import functools
import gzip
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.crawler.bodies import BodyTooLarge, BodyUnreadable, is_html, is_page, undo_content_encoding

# Without a time of its own: the bytes are in the names of tests, which every worker of xdist makes for itself.
gzipped = functools.partial(gzip.compress, mtime=0)
TEXT = "春眠不觉晓，处处闻啼鸟。".encode() * 50


def raw_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        (None, TEXT),
        ("identity", TEXT),
        ("gzip", gzipped(TEXT)),
        ("X-GZip ", gzipped(TEXT)),
        ("gzip", gzipped(TEXT[:300]) + gzipped(TEXT[300:])),
        ("gzip", TEXT),  # says gzip and is none
        ("deflate", zlib.compress(TEXT)),
        ("deflate", raw_deflate(TEXT)),
    ],
)
def test_the_body_comes_out(encoding, body):
    assert undo_content_encoding(body, encoding, 10_000) == TEXT


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("br", b"x"),
        ("gzip, gzip", gzipped(gzipped(TEXT))),
        ("gzip", gzipped(TEXT)[:-20]),
        ("gzip", gzipped(TEXT)[:20] + b"\xff" * 50),
        ("deflate", b"\xff\xff\xff"),
    ],
)
def test_damaged_or_unknown(encoding, body):
    with pytest.raises(BodyUnreadable):
        undo_content_encoding(body, encoding, 10_000)


@pytest.mark.parametrize("body", [gzipped(bytes(50_000_000)), gzipped(bytes(60_000)) * 1000])
def test_a_bomb_is_stopped_at_the_limit(body):
    with pytest.raises(BodyTooLarge):
        undo_content_encoding(body, "gzip", 100_000)


def test_the_limit_counts_plain_bodies_too():
    assert undo_content_encoding(b"x" * 10, None, 10)
    with pytest.raises(BodyTooLarge):
        undo_content_encoding(b"x" * 11, None, 10)


@given(st.binary(max_size=2000), st.binary(max_size=40))
def test_what_was_packed_comes_out_whole_and_rubbish_never_crashes(data, rubbish):
    assert undo_content_encoding(gzipped(data), "gzip", 10_000) == data
    for encoding in ("gzip", "deflate"):
        for body in (rubbish, gzipped(data)[:10] + rubbish):
            with contextlib.suppress(BodyUnreadable, BodyTooLarge):
                undo_content_encoding(body, encoding, 10_000)


@pytest.mark.parametrize(
    ("content_type", "body", "page"),
    [
        ("text/html", b"<p>", True),
        ("Text/HTML; charset=gb2312", b"<p>", True),
        ("text/plain", b"hello", True),
        ("application/xhtml+xml", b"<html/>", True),
        (None, b"<p>", True),
        (None, "<p>中</p>".encode("utf-16"), True),
        (None, b"\0\1\2", False),
        ("text/html", b"%PDF-1.4", False),
        ("text/html", b"PK\x03\x04", False),
        ("text/html", b"\x89PNG", False),
        ("application/pdf", b"<p>", False),
        ("application/json", b"{}", False),
        ("text/css", b"a{}", False),
        ("image/png", b"", False),
    ],
)
def test_pages_are_told_from_the_rest(content_type, body, page):
    assert is_page(content_type, body) is page


def test_plain_text_holds_links_only_when_it_looks_like_markup():
    assert is_html("text/html", b"x")
    assert is_html("text/plain", b"\n <html>")
    assert not is_html("text/plain", b"see <a href=x>")
