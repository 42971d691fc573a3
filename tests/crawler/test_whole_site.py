"""One crawl of one site that has what the web has; each test looks at one thing in its result."""

from __future__ import annotations

import gzip
import json
import time

import pytest

from data_contracts.reasons import REASONS

LIMIT = 200_000
GB = '<meta charset="{}"><p>这是一个中文网页，下面有一个链接。</p><a href="/搜索?词=中文">搜索</a>'


def slow_once(handler):
    time.sleep(1.5)
    return 200, {}, "<p>慢".encode()


def short(handler):
    handler.close_connection = True
    return 200, {"Content-Length": "500"}, b"abc"


def endless(handler):
    handler.send_response(200)
    handler.send_header("Content-Type", "text/html")
    handler.end_headers()
    for _ in range(10_000):
        handler.wfile.write(b"<p>" + b"x" * 65_536)


def fails_first(status, **headers):
    asked = []

    def answer(handler):
        asked.append(time.time())
        return (status, headers, b"later") if len(asked) == 1 else (200, {}, b"<p>now")

    return answer


def cookies(handler):
    return 200, {"Set-Cookie": "a=1"}, (b"<p>cookie" if "Cookie" in handler.headers else b"<p>none")


PACKED = gzip.compress(b'<p>packed <a href="/from-packed">')
LINKS = [
    "/plain", "/dir/", "/redirect", "/loop1", "/self", "/refresh", "/missing", "/error", "/later", "/busy", "/slow",
    "/bomb", "/big", "/big-declared", "/endless", "/empty", "/picture", "/pdf", "/private/x", "/gb", "/gb-wrong",
    "/packed", "/base/", "/nofollow", "/text", "/dup?b=2&amp;a=1", "/dup?a=1&amp;b=2&amp;utm_source=x", "/cookies", "/cookies2",
    "/headers", "/brotli", "/no-gzip", "/bad-gzip", "/missing-gzip", "/short", "/nul", "/trap/a/", "mailto:a@b.cn", "http://me:pw@127.0.0.1/", "/中文.html", "/frames",
]  # fmt: skip


def build(site):
    site.page("/", *LINKS, body='<a rel="nofollow" href="/by-nofollow">')
    site.page("/plain", "/plain2")
    site.page("/plain2", "/plain3")
    site.page("/plain3")
    site.page("/dir/", "a.html", "../plain")
    site.page("/dir/a.html")
    site.page("/redirect", status=301, Location="/moved")
    site.page("/moved")
    site.page("/loop1", status=302, Location="/loop2")
    site.page("/loop2", status=302, Location="/loop1")
    site.page("/self", status=302, Location="/self")
    site.page("/refresh", body='<meta http-equiv="refresh" content="0;url=/refreshed">')
    site.page("/refreshed")
    site.page("/error", status=500)
    site.pages["/later"] = fails_first(500)
    site.pages["/busy"] = fails_first(503, **{"Retry-After": "1"})
    site.pages["/slow"] = slow_once
    site.pages["/bomb"] = (200, {"Content-Encoding": "gzip"}, gzip.compress(bytes(20_000_000)))
    site.pages["/big"] = lambda handler: (200, {}, b"x" * (LIMIT + 1))
    site.pages["/big-declared"] = (200, {"Content-Length": "99999999999"}, b"abc")
    site.pages["/endless"] = endless
    site.pages["/empty"] = (200, {}, b"")
    site.pages["/picture"] = (200, {"Content-Type": "image/png"}, b"\x89PNG" + bytes(5000))
    site.pages["/pdf"] = (200, {}, b"%PDF-1.4 labelled as HTML")
    site.page("/private/x")
    site.pages["/gb"] = (200, {"Content-Type": "text/html; charset=gb2312"}, GB.format("gb2312").encode("gb18030"))
    site.pages["/gb-wrong"] = (200, {"Content-Type": "text/html; charset=utf-8"}, GB.format("utf-8").encode("gb18030"))
    site.page("/%E6%90%9C%E7%B4%A2?%B4%CA=%D6%D0%CE%C4", body="found")
    site.page("/%E4%B8%AD%E6%96%87.html")
    site.pages["/packed"] = (200, {"Content-Encoding": "gzip"}, PACKED)
    site.page("/from-packed")
    build_more(site)


def build_more(site):
    site.page("/base/", "x.html", body='<base href="/elsewhere/">')
    site.page("/elsewhere/x.html")
    site.page("/nofollow", "/by-meta", body='<meta name="robots" content="nofollow">')
    site.pages["/text"] = (200, {"Content-Type": "text/plain; charset=utf-8"}, "纯文本 <a href=/in-text>".encode())
    site.page("/dup?a=1&b=2")
    site.pages["/cookies"] = site.pages["/cookies2"] = cookies
    site.pages["/headers"] = (200, {f"X-{n}": "y" * 4000 for n in range(90)}, b"<p>")
    site.pages["/brotli"] = (200, {"Content-Encoding": "br"}, b"\x0b\x02\x80hello\x03")
    site.pages["/no-gzip"] = (200, {"Content-Encoding": "gzip"}, b"<p>not packed at all")
    site.pages["/bad-gzip"] = (200, {"Content-Encoding": "gzip"}, PACKED[:20] + b"\xff" * 30)
    site.pages["/missing-gzip"] = (404, {"Content-Encoding": "gzip"}, PACKED[:20] + b"\xff" * 30)
    site.pages["/short"] = short
    site.pages["/nul"] = (200, {}, b"<p>\0\0\xff\xfe\0</p>")
    trap = "/trap/a/"
    for _ in range(8):
        site.page(trap, "a/")
        trap += "a/"
    site.page("/frames", body='<frameset><frame src="/framed"></frameset>')
    site.page("/framed")
    robots = f"User-agent: *\nDisallow: /private/\n\nSitemap: {site.origin}/maps/index.xml\n"
    site.pages["/robots.txt"] = (200, {"Content-Type": "text/plain"}, robots.encode())
    index = f"<sitemapindex><sitemap><loc>{site.origin}/maps/one.xml.gz</loc></sitemap></sitemapindex>"
    site.pages["/maps/index.xml"] = (200, {"Content-Type": "application/xml"}, index.encode())
    one = f"<urlset><url><loc>{site.origin}/only-in-sitemap</loc></url><url><loc>http://b.cn/x</loc></url></urlset>"
    site.pages["/maps/one.xml.gz"] = (200, {"Content-Type": "application/gzip"}, gzip.compress(one.encode()))
    site.page("/only-in-sitemap")


@pytest.fixture(scope="module")
def done(shared_site, crawl_once):
    build(shared_site)
    run = crawl_once(shared_site, max_page_bytes=LIMIT, timeout_seconds=4)
    began = time.time()
    code = run()
    assert code == 0, run.errors
    run.seconds = time.time() - began
    run.visited = run.by_path(shared_site)
    return run


EXPECTED = {
    "/": (200, None),
    "/plain": (200, None),
    "/plain3": (200, None),
    "/dir/a.html": (200, None),
    "/redirect": (301, "redirected"),
    "/moved": (200, None),
    "/loop1": (302, "redirected"),
    "/loop2": (302, "redirected"),
    "/self": (302, "http_error"),
    "/refresh": (200, "redirected"),
    "/refreshed": (200, None),
    "/missing": (404, "http_error"),
    "/error": (500, "http_error"),
    "/later": (200, None),
    "/busy": (200, None),
    "/slow": (200, None),
    "/bomb": (200, "too_large"),
    "/big": (200, "too_large"),
    "/big-declared": (200, "too_large"),
    "/endless": (None, "too_large"),
    "/empty": (200, "empty_body"),
    "/picture": (200, "not_html"),
    "/pdf": (200, "not_html"),
    "/private/x": (None, "robots_disallowed"),
    "/gb": (200, None),
    "/gb-wrong": (200, None),
    "/%E6%90%9C%E7%B4%A2?%B4%CA=%D6%D0%CE%C4": (200, None),
    "/%E4%B8%AD%E6%96%87.html": (200, None),
    "/packed": (200, None),
    "/from-packed": (200, None),
    "/elsewhere/x.html": (200, None),
    "/text": (200, None),
    "/dup?a=1&b=2": (200, None),
    "/cookies": (200, None),
    "/headers": (None, "fetch_failed"),
    "/brotli": (200, "unreadable"),
    "/no-gzip": (200, None),
    "/bad-gzip": (200, "unreadable"),
    "/missing-gzip": (404, "http_error"),
    "/short": (None, "fetch_failed"),
    "/nul": (200, None),
    "/trap/a/a/a/": (200, None),
    "/framed": (200, None),
    "/sitemap.xml": (404, "http_error"),
    "/maps/index.xml": (200, "not_html"),
    "/maps/one.xml.gz": (200, "not_html"),
    "/only-in-sitemap": (200, None),
}


@pytest.mark.parametrize("path", EXPECTED)
def test_what_became_of_each_url(done, path):
    assert (done.visited[path]["status"], done.visited[path]["reason"]) == EXPECTED[path], done.visited[path]


@pytest.mark.parametrize(
    "path", ["/by-nofollow", "/by-meta", "/in-text", "/trap/a/a/a/a/", "/base/x.html", "/robots.txt"]
)
def test_what_is_no_row(done, path):
    assert path not in done.visited


def test_every_url_was_seen_once_and_every_reason_is_known(done):
    urls = [visit["url"] for visit in done.visits()]
    assert urls == sorted(set(urls))
    assert {v["reason"] for v in done.visits()} - {None} <= set(REASONS)
    assert done.end["urls"] == len(urls)
    assert sum(done.end["reasons"].values()) == len(urls)


def test_every_answer_is_in_the_archive_with_the_bytes_of_its_digest(done):
    done.check_archives()
    for visit in done.visits():
        if visit["status"] is not None:
            body = done.body(visit)
            assert body or visit["reason"] is not None
            assert visit["fetched_at"].endswith("Z")
        else:
            assert visit["archive"] is None


def test_pages_come_back_byte_for_byte(done, shared_site):
    assert done.body(done.visited["/gb"]) == shared_site.pages["/gb"][2]
    assert done.body(done.visited["/packed"]) == gzip.decompress(shared_site.pages["/packed"][2])
    assert done.body(done.visited["/bomb"]) == b""


def test_redirects_say_where_they_lead(done, shared_site):
    assert done.visited["/redirect"]["location"] == f"{shared_site.origin}/moved"
    assert done.visited["/refresh"]["location"] == f"{shared_site.origin}/refreshed"


def test_depth_counts_links_and_no_redirects(done):
    depth = {path: visit["depth"] for path, visit in done.visited.items()}
    assert (depth["/"], depth["/plain"], depth["/plain2"], depth["/moved"], depth["/only-in-sitemap"]) == (
        0,
        1,
        2,
        1,
        1,
    )


def test_robots_disallowed_is_never_asked_for(done, shared_site):
    assert shared_site.asked("/private/x") == []
    assert len(shared_site.asked("/robots.txt")) == 1


def test_retry_after_is_waited_for(shared_site, done):
    first, second = shared_site.asked("/busy")
    assert second - first >= 1.0
    during = [at for at, _, _ in shared_site.hits if first + 0.3 < at < first + 0.9]
    assert during == []  # the whole host was left alone; what was on its way had arrived before


def test_requests_are_honest(shared_site, done):
    for _, _, headers in shared_site.hits:
        assert headers["User-Agent"] == "ziliu/0.1 (+test@example.cn)"
        assert headers["Accept-Encoding"] == "gzip, deflate"
        assert "Cookie" not in headers
        assert "Referer" not in headers


def test_the_end_tells_what_was_refused(done):
    refused = done.end["links_refused"]
    assert refused["repeated_segments"]["links"] >= 1
    assert refused["out_of_scope"]["examples"] == ["http://b.cn/x"]
    assert done.end["connections_blocked"] == {}


def test_a_finished_crawl_returns_at_once_and_asks_nothing(done, shared_site):
    asked = len(shared_site.hits)
    before = (done.out / "visits.jsonl").read_bytes()
    assert done(timeout=10) == 0
    assert [event["event"] for event in done.events] == ["end"]
    assert len(shared_site.hits) == asked
    assert (done.out / "visits.jsonl").read_bytes() == before


def test_a_folder_keeps_to_its_config(done, shared_site):
    config = json.loads(done.config.read_text())
    changed = config | {"source": config["source"] | {"max_depth": 3}}
    try:
        done.config.write_text(json.dumps(changed))
        assert done() == 2
        assert "other seeds, scope or limits" in done.errors
        polite = config | {"source": config["source"] | {"seconds_between_requests": 5, "contact": "new"}}
        done.config.write_text(json.dumps(polite))
        assert done() == 0
    finally:
        done.config.write_text(json.dumps(config))
