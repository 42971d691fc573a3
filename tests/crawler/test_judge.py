from __future__ import annotations

import email.utils
import gzip
import hashlib

import pytest

from data_contracts.reasons import REASONS
from tasks.crawler.frontier import PAGE, SITEMAP
from tasks.crawler.judge import MAX_RETRY_AFTER_SECONDS, Answer, judge, retry_after
from tasks.crawler.links import Policy
from tasks.crawler.lists import urls_of as sitemap

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
    "body", [URLSET, gzip.compress(URLSET, mtime=0), b"\xef\xbb\xbf" + b"\n".join(u.encode() for u in LISTED)]
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


RSS = b"""<?xml version="1.0" encoding="gb2312"?><rss version="2.0"><channel><link>http://a.cn/</link>
<item><link><![CDATA[http://a.cn/1?a=1&b=2]]></link></item><item><link> http://a.cn/2 </link></item></channel></rss>"""
ATOM = b"""<feed xmlns="http://www.w3.org/2005/Atom"><link rel="self" href="http://a.cn/dir/x"/><link href='/3'/>
<entry><link rel="alternate" type="text/html" href="/4?a=1&amp;b=2"/><link rel="enclosure" href="/5.mp3"/></entry>
<link rel="next" href="?page=2"/></feed>"""


@pytest.mark.parametrize("content_type", ["application/rss+xml", "text/xml; charset=gb2312", "application/xml"])
def test_a_feed_is_a_list_of_links(content_type):
    found = outcome(body=RSS, content_type=content_type)
    assert (found.reason, found.links_kind) == ("not_html", PAGE)
    assert found.links == ("http://a.cn/", "http://a.cn/1?a=1&b=2", "http://a.cn/2")
    found = outcome(body=ATOM, content_type=content_type)
    assert found.links == ("http://a.cn/3", "http://a.cn/4?a=1&b=2", "http://a.cn/dir/x?page=2")


def test_a_feed_leads_nowhere_when_the_config_says_so_and_when_it_says_it_is_a_page():
    answer = Answer(URL, 200, RSS, content_type="application/rss+xml")
    assert judge(answer, PAGE, False, 9999, Policy(feeds=False)).links == ()
    assert outcome(body=RSS).links == ()


def test_the_policy_for_nofollow_covers_header_page_and_link():
    body = b'<meta name=robots content=nofollow><a href="/1"><a rel="nofollow" href="/2">'
    answer = Answer(URL, 200, body, content_type="text/html", robots_tag="nofollow")
    assert judge(answer, PAGE, False, 9999).links == ()
    assert judge(answer, PAGE, False, 9999, Policy(nofollow=False)).links == ("http://a.cn/1", "http://a.cn/2")


@pytest.mark.parametrize(
    ("href", "location"),
    [("/y", "http://a.cn/y"), ("x", None), ("x?utm_source=1", None), ("/", None), ("//b.cn/z", "http://b.cn/z")],
)
def test_a_page_that_names_another_url_as_its_canonical_one(href, location):
    body = f'<head><link rel="canonical" href="{href}"></head><a href="/1">'.encode()
    found = outcome(body=body)
    assert (found.location, found.reason) == (location, "canonical_elsewhere" if location else None)
    assert found.links == ("http://a.cn/1",)
    ignored = judge(Answer(URL, 200, body, content_type="text/html"), PAGE, False, 9999, Policy(canonical=False))
    assert (ignored.location, ignored.reason) == (None, None)
