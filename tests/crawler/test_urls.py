from __future__ import annotations

import pytest
import scrapy
from hypothesis import given
from hypothesis import strategies as st

from tasks.crawler.urls import MAX_URL_CHARS, canonical, join, origin_of

SAME = [
    ("HTTP://Example.CN", "http://example.cn/"),
    ("http://example.cn:80/", "http://example.cn/"),
    ("https://example.cn:443/a", "https://example.cn/a"),
    ("http://example.cn:8080/a", "http://example.cn:8080/a"),
    ("http://example.cn./a", "http://example.cn/a"),
    ("http://example.cn/a#top", "http://example.cn/a"),
    ("http://example.cn/a/./b/../c", "http://example.cn/a/c"),
    ("http://example.cn/../../x", "http://example.cn/x"),
    ("http://example.cn/a/%2e%2e/b", "http://example.cn/b"),
    ("http://example.cn/%7euser/%e4%b8%ad", "http://example.cn/~user/%E4%B8%AD"),
    ("http://example.cn/中文.html", "http://example.cn/%E4%B8%AD%E6%96%87.html"),
    ("http://example.cn/a b|c", "http://example.cn/a%20b%7Cc"),
    ("http://example.cn/100%", "http://example.cn/100%25"),
    ("http://例子.中国/", "http://xn--fsqu00a.xn--fiqs8s/"),
    ("http://example.cn/?b=2&a=1", "http://example.cn/?a=1&b=2"),
    ("http://example.cn/?a=2&b&a=1", "http://example.cn/?a=2&a=1&b"),
    ("http://example.cn/?a=1&utm_source=x&spm=a.b&PHPSESSID=9", "http://example.cn/?a=1"),
    ("http://example.cn/?utm_source=x", "http://example.cn/"),
    ("http://example.cn/?", "http://example.cn/"),
    ("http://example.cn/a;jsessionid=1F?x=1", "http://example.cn/a?x=1"),
    ("http://example.cn/forum.php?tid=7&sid=Ab3dE9", "http://example.cn/forum.php?tid=7"),
    ("http://example.cn/?sid=12&s=news&token=list", "http://example.cn/?s=news&sid=12&token=list"),
    ("http://example.cn/?s=0123456789abcdef0123456789abcdef&a=1", "http://example.cn/?a=1"),
    ("http://example.cn/(S(lit3py55t21z5v55vlm25s55))/a.aspx", "http://example.cn/a.aspx"),
    ("http://example.cn/(S)/a(1).aspx", "http://example.cn/(S)/a(1).aspx"),
    ("http://127.0.0.1:8000/", "http://127.0.0.1:8000/"),
    ("http://[::1]:80/", "http://[::1]/"),
    ("http://[0:0::1]/", "http://[::1]/"),
    ("http://127。0。0。1/", "http://127.0.0.1/"),
]
REFUSED = [
    "ftp://example.cn/",
    "file:///etc/passwd",
    "data:text/html,x",
    "javascript:alert(1)",
    "http://",
    "http:///a",
    "http://user:pw@example.cn/",
    "http://user@example.cn/",
    "http://2130706433/",
    "http://0x7f000001/",
    "http://0x7f.1/",
    "http://0177.0.0.1/",
    "http://127.1/",
    "http://127.0.0.01/",
    "http://\uff10x7f.1/",
    "http://256.1.1.1/",
    "http://1.2.3.4.5/",
    "http://a%00.cn/",
    "http://a..cn/",
    "http://a b.cn/",
    "http://[::1/",
    "http://[fe80::1%25eth0]/",
    "http://example.cn:0/",
    "http://example.cn:99999/",
    "http://example.cn:abc/",
    "http://example.cn/" + "a" * MAX_URL_CHARS,
]


@pytest.mark.parametrize(("url", "expected"), SAME)
def test_one_spelling(url, expected):
    assert canonical(url) == expected
    assert canonical(expected) == expected


@pytest.mark.parametrize("url", REFUSED)
def test_no_address_for_a_crawler(url):
    assert canonical(url) is None


def test_no_path_takes_more_than_one_pass():
    """Long names before a character that must be encoded: a pattern that goes back on itself would never end."""
    for path in ("a" * 500, "a_b-" * 120, "a/" * 300, "ab/" * 200 + "c.d" * 50):
        assert canonical(f"http://a.cn/{path}:中") == f"http://a.cn/{path}:%E4%B8%AD"


@given(st.text(max_size=60), st.sampled_from(["utf-8", "gb18030", "big5hkscs"]))
def test_canonical_is_idempotent_and_never_raises(tail, charset):
    for url in (f"http://example.cn/{tail}", f"http://example.cn/?{tail}", f"http://{tail}", tail):
        once = canonical(url, charset)
        if once is not None:
            assert canonical(once, charset) == once
            assert once.isascii()
            assert once.startswith((origin_of(once) + "/",))


@given(st.text(max_size=60))
def test_the_engine_requests_the_canonical_url_as_it_is(tail):
    for url in (f"http://example.cn/{tail}", f"http://example.cn/a?{tail}"):
        if (once := canonical(url)) is not None:
            assert scrapy.Request(once).url == once


@pytest.mark.parametrize(
    ("link", "expected"),
    [
        ("b.html", "http://example.cn/dir/b.html"),
        ("../b.html", "http://example.cn/b.html"),
        ("/b.html", "http://example.cn/b.html"),
        ("//other.cn/b", "http://other.cn/b"),
        ("?page=2", "http://example.cn/dir/a.html?page=2"),
        ("", None),
        ("#top", None),
        (" b.html\n", "http://example.cn/dir/b.html"),
        ("b\n.html", "http://example.cn/dir/b.html"),
        (r"sub\b.html?x=\y", "http://example.cn/dir/sub/b.html?x=%5Cy"),
        ("mailto:a@b.cn", None),
        ("JavaScript:void(0)", None),
        ("tel:10086", None),
        ("HTTP://EXAMPLE.cn/x", "http://example.cn/x"),
    ],
)
def test_links_are_joined_as_browsers_do(link, expected):
    assert join("http://example.cn/dir/a.html?old=1", link) == expected


def test_the_query_is_encoded_in_the_charset_of_the_page_and_the_path_in_utf8():
    found = join("http://example.cn/", "/搜索?词=中文", "gb18030")
    assert found == "http://example.cn/%E6%90%9C%E7%B4%A2?%B4%CA=%D6%D0%CE%C4"


def test_what_a_charset_cannot_say_is_said_in_utf8():
    assert join("http://example.cn/", "?q=\U0001f600", "big5hkscs") == "http://example.cn/?q=%F0%9F%98%80"
