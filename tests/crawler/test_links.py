from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.crawler.links import MAX_LINKS, extract, location

URL = "http://a.cn/dir/page.html"


def links(markup: str | bytes, content_type: str | None = "text/html") -> list[str]:
    body = markup.encode() if isinstance(markup, str) else markup
    return [link.removeprefix("http://a.cn") for link in extract(URL, body, content_type).links]


@pytest.mark.parametrize(
    ("markup", "expected"),
    [
        ('<a href="/x">', ["/x"]),
        ("<a href='/x'>", ["/x"]),
        ("<A HREF=/x>", ["/x"]),
        ("<a class=b  href = x.html title=y>", ["/dir/x.html"]),
        ('<a\nhref="x">', ["/dir/x"]),
        ('<a href="x"/>', ["/dir/x"]),
        ('<a title="a > b" href="/x">', ["/x"]),
        ('<a href="/x?a=1&amp;b=2">', ["/x?a=1&b=2"]),
        ('<a href="/x" href="/y">', ["/x"]),
        ('<area href="/x"><frame src="/f"><iframe src="/i">', ["/x", "/f", "/i"]),
        ('<a href="/x"><a href="/x#part">', ["/x"]),
        ('<a href="#top"><a href=""><a name="x"><a href="page.html">', []),
        ('<a href="mailto:a@b.cn"><a href="javascript:x()"><a href="http://me:pw@a.cn/">', []),
        ('<abbr href="/x"><article href="/y"><base-x href="/z">', []),
        ('<!-- <a href="/x"> --><a href="/y">', ["/y"]),
        ('<!--><a href="/y">', ["/y"]),
        ('<script>document.write(\'<a href="/x">\')</script><a href="/y">', ["/y"]),
        ('<style>a > b {} <a href="/x"></style><textarea><a href="/x"></textarea><a href="/y">', ["/y"]),
        ('<a href="/y"><!-- never closed <a href="/x">', ["/y"]),
        ('<a href="/y"><script>never closed <a href="/x">', ["/y"]),
        ('<a href="/y"><a href="/never closed', ["/y"]),
        ('<noscript><a href="/x"></noscript>', ["/x"]),
        ('<a rel="external nofollow" href="/x"><a rel="noopener" href="/y">', ["/y"]),
        ('<meta name="robots" content="noindex,NoFollow"><a href="/x">', []),
        ('<meta name="robots" content="none"><a href="/x">', []),
        ('<meta name="robots" content="noindex"><a href="/x">', ["/x"]),
        ('<base href="/other/"><base href="/third/"><a href="x">', ["/other/x"]),
        ('<a href="x"><base href="../">', ["/x"]),
        ('<base target="_blank"><a href="x">', ["/dir/x"]),
        ("<a =x href=/x>", ["/x"]),
        ("<a / = href=/x>", ["/x"]),
        ("<a href=/x", []),
        ("< a href=/x>", []),
        ("<a href>", []),
    ],
)
def test_links_of_a_page(markup, expected):
    assert links(markup) == expected


CHINESE = '<meta charset="{label}"><p>这是一个中文网页，链接如下。</p><a href="/搜索?词=中文">搜索</a>'
TRADITIONAL = (
    '<meta charset="{label}"><p>這是一個繁體中文網頁，連結在下面，歡迎瀏覽。</p><a href="/搜尋?詞=中文">搜尋</a>'
)


@pytest.mark.parametrize("label", ["gb2312", "utf-8", "big5", ""])
def test_addresses_in_gb18030_are_read_whatever_the_label_says(label):
    body = CHINESE.format(label=label).encode("gb18030")
    assert links(body, "text/html; charset=utf-8") == ["/%E6%90%9C%E7%B4%A2?%B4%CA=%D6%D0%CE%C4"]


@pytest.mark.parametrize("label", ["big5", "gb2312", ""])
def test_addresses_in_big5_are_read_whatever_the_label_says(label):
    body = TRADITIONAL.format(label=label).encode("big5")
    query = "".join(f"%{b:02X}" for b in "詞".encode("big5")).replace("%75", "u")
    assert links(body)[0].startswith("/%E6%90%9C%E5%B0%8B?" + query)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-8-sig"])
def test_other_encodings_of_unicode(encoding):
    assert links(CHINESE.format(label="x").encode(encoding)) == ["/%E6%90%9C%E7%B4%A2?%E8%AF%8D=%E4%B8%AD%E6%96%87"]


@pytest.mark.parametrize(
    ("content", "target"),
    [
        ("0;url=/new", "/new"),
        ("0; URL='/new'", "/new"),
        ("3,/new", "/new"),
        ("; url=new", "/dir/new"),
        ("30;url=/new", None),
        ("5", None),
        ("0;url=page.html", None),
        ("0;url=javascript:x()", None),
        ("", None),
    ],
)
def test_meta_refresh(content, target):
    found = extract(URL, f'<meta http-equiv="Refresh" content="{content}">'.encode(), None).refresh
    assert found == (target and f"http://a.cn{target}")


def test_meta_refresh_for_readers_without_scripts_is_not_followed():
    body = b'<noscript><meta http-equiv="refresh" content="0;url=/nojs"></noscript>'
    assert extract(URL, body, None).refresh is None


def test_a_location_header_may_hold_raw_bytes():
    assert location(URL, "/搜索?q=中".encode()) == "http://a.cn/%E6%90%9C%E7%B4%A2?q=%E4%B8%AD"
    assert location(URL, "/搜索?q=中".encode("gb18030")) == "http://a.cn/%E6%90%9C%E7%B4%A2?q=%D6%D0"
    assert location(URL, b"javascript:x()") is None


BOMBS = {
    "nested": b"<div>" * 1_000_000,
    "attributes": b"<a " + b"x=1 " * 1_200_000,
    "attributes of other tags": b"<div " + b"x=1 " * 1_200_000,
    "open comments": b"<!-- " * 1_000_000,
    "open scripts": b"<script> " * 500_000,
    "open quotes": b"<a href=\"x <a title='y " * 200_000,
    "one open quote each": b"<a href='" * 500_000,
    "blanks": b"<a " + b" " * 5_000_000,
    "blanks after a name": (b"<a x" + b" " * 50_000) * 100,
    "blanks in a refresh": b"<meta http-equiv=refresh content='" + b" " * 5_000_000 + b"'>",
    "equals": b"<a " + b"= " * 2_500_000,
    "links": b"<a href=/x>" * 450_000,
    "angles": b"<" * 5_000_000,
    "entities": b'<a href="' + b"&amp;" * 1_000_000 + b'">',
}


@pytest.mark.timeout(60)
@pytest.mark.parametrize("name", BOMBS)
def test_five_megabytes_of_anything_take_one_pass(name):
    began = time.process_time()
    assert len(extract(URL, BOMBS[name], None).links) <= MAX_LINKS
    assert time.process_time() - began < 20  # a second pass over the rest at each step would take hours


@given(st.binary(max_size=300))
def test_no_bytes_are_an_error(body):
    wrapped = b"<a " + body + b"><meta http-equiv=refresh content=" + body
    for found in (extract(URL, body, None), extract(URL, wrapped, "text/html; charset=gbk")):
        assert len(found.links) <= MAX_LINKS
