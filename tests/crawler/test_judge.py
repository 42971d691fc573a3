from __future__ import annotations

import email.utils
import gzip
import hashlib

import pytest

from data_contracts.reasons import REASONS
from tasks.crawler.frontier import PAGE, SITEMAP
from tasks.crawler.judge import MAX_RETRY_AFTER_SECONDS, Answer, judge, retry_after, sitemap

URL = "http://a.cn/dir/x"


def outcome(status=200, body=b"<p>x", kind=PAGE, seed=False, max_bytes=1000, **rest):
    rest.setdefault("content_type", "text/html")
    found = judge(Answer(URL, status, body, **rest), kind, seed, max_bytes)
    assert found.reason is None or found.reason in REASONS
    return found


@pytest.mark.parametrize(
    ("reason", "answer"),
    [
        (None, {}),
        (None, {"status": 203}),
        (None, {"content_type": "text/plain"}),
        (None, {"content_type": None}),
        ("redirected", {"status": 301, "location": b"/y"}),
        ("redirected", {"status": 308, "location": b"http://b.cn/"}),
        ("http_error", {"status": 302}),
        ("http_error", {"status": 302, "location": b"x"}),
        ("http_error", {"status": 302, "location": b"ftp://a.cn/"}),
        ("http_error", {"status": 304, "body": b""}),
        ("http_error", {"status": 404}),
        ("http_error", {"status": 500}),
        ("http_error", {"status": 206}),
        ("http_error", {"status": 404, "cut": "not_html", "body": b""}),
        ("empty_body", {"body": b""}),
        ("empty_body", {"body": b" \r\n\t"}),
        ("empty_body", {"status": 204, "body": b""}),
        ("too_large", {"body": b"x" * 1001}),
        ("too_large", {"body": gzip.compress(b"x" * 1001), "content_encoding": "gzip"}),
        ("too_large", {"cut": "too_large", "body": b""}),
        ("not_html", {"cut": "not_html", "body": b"", "content_type": "image/png"}),
        ("not_html", {"body": b"%PDF-1.7"}),
        ("unreadable", {"body": b"x", "content_encoding": "br"}),
        ("redirected", {"body": b'<meta http-equiv=refresh content="0;url=/y">'}),
    ],
)
def test_reasons(reason, answer):
    assert outcome(**answer).reason == reason


def test_the_digest_is_that_of_the_decoded_body():
    plain, packed = outcome(body=b"<p>x"), outcome(body=gzip.compress(b"<p>x"), content_encoding="gzip")
    assert plain.digest == packed.digest == hashlib.sha256(b"<p>x").hexdigest()


def test_links_are_kept_unless_the_header_says_nofollow():
    body = b'<a href="y">'
    assert outcome(body=body).links == ("http://a.cn/dir/y",)
    assert outcome(body=body, robots_tag="googlebot: noindex, nofollow").links == ()
    assert outcome(body=b"see " + body, content_type="text/plain").links == ()


URLSET = b"""<?xml version="1.0"?><urlset xmlns:image="i">
<url><loc>http://a.cn/1</loc><image:loc>http://a.cn/picture.png</image:loc></url>
<url><loc> http://a.cn/2?a=1&amp;b=2 </loc></url><url><loc><![CDATA[http://a.cn/3]]></loc></url></urlset>"""
LISTED = ("http://a.cn/1", "http://a.cn/2?a=1&b=2", "http://a.cn/3")


@pytest.mark.parametrize(
    "body", [URLSET, gzip.compress(URLSET), b"\xef\xbb\xbf" + b"\n".join(u.encode() for u in LISTED)]
)
def test_sitemaps_list_pages(body):
    assert sitemap(URL, body) == (PAGE, LISTED)
    found = outcome(body=body, kind=SITEMAP, content_type="application/xml")
    assert (found.reason, found.links, found.links_kind) == ("not_html", LISTED, PAGE)


def test_an_index_lists_sitemaps():
    body = b"<sitemapindex><sitemap><loc>http://a.cn/s.xml.gz</loc></sitemap></sitemapindex>"
    assert sitemap(URL, body) == (SITEMAP, ("http://a.cn/s.xml.gz",))


def test_entities_are_not_expanded():
    body = b'<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><urlset><loc>http://a.cn/&b;</loc></urlset>'
    assert sitemap(URL, body) == (PAGE, ("http://a.cn/&b;",))


def test_what_is_no_sitemap():
    assert sitemap(URL, b"<html>") is None
    assert sitemap(URL, gzip.compress(b"<urlset>")[:-9]) is None
    assert outcome(body=b"<html><p>404", kind=SITEMAP).reason == "not_html"


def test_a_seed_may_be_a_sitemap_and_a_linked_page_not():
    assert outcome(body=URLSET, seed=True, content_type="text/xml").links == LISTED
    assert outcome(body=URLSET, content_type="text/xml").links == ()


NOW = 1_700_000_000.0


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("7", 7.0),
        (" 0 ", 0.0),
        ("9" * 30, MAX_RETRY_AFTER_SECONDS),
        (email.utils.formatdate(NOW + 30, usegmt=True), 30.0),
        (email.utils.formatdate(NOW - 30, usegmt=True), 0.0),
        ("Fri, 32 Foo 9999 99:99:99 GMT", None),
    ],
)
def test_retry_after(value, seconds):
    assert retry_after(value, NOW) == seconds
