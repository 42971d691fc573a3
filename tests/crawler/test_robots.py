from __future__ import annotations

import pytest

from tasks.crawler.robots import MAX_BYTES, MAX_CRAWL_DELAY_SECONDS, policy_of

A = "http://a.cn"


def rules(text: str):
    return policy_of(200, text.encode())


@pytest.mark.parametrize("status", [None, 500, 502, 503, 429, 599])
def test_unreachable_means_that_nothing_is_allowed(status):
    policy = policy_of(status, b"User-agent: *\nAllow: /\n")
    assert policy.disallow_all
    assert not policy.allows(f"{A}/")
    assert policy.why


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 451, 301, 204])
def test_unavailable_means_that_everything_is_allowed(status):
    assert policy_of(status, b"User-agent: *\nDisallow: /\n").allows(f"{A}/x")


@pytest.mark.parametrize(
    ("text", "path", "allowed"),
    [
        ("", "/x", True),
        ("User-agent: *\nDisallow:", "/x", True),
        ("User-agent: *\nDisallow: /", "/x", False),
        ("User-agent: *\nDisallow: /private/", "/private/x", False),
        ("User-agent: *\nDisallow: /private/", "/private", True),
        ("User-agent: *\nDisallow: /a\nAllow: /a/b", "/a/b/c", True),  # the longest rule wins
        ("User-agent: *\nAllow: /a\nDisallow: /a/b", "/a/b/c", False),
        ("User-agent: *\nDisallow: /p\nAllow: /p", "/p", True),  # of equal ones, Allow
        ("User-agent: *\nDisallow: /*.pdf$", "/x/y.pdf", False),
        ("User-agent: *\nDisallow: /*.pdf$", "/x/y.pdf?z", True),
        ("User-agent: *\nDisallow: /*?", "/x?y=1", False),
        ("User-agent: ziliu\nDisallow: /z\n\nUser-agent: *\nDisallow: /", "/x", True),  # our own group is the only one
        ("User-agent: ZiLiu\nDisallow: /z", "/z", False),
        ("User-agent: other\nDisallow: /", "/x", True),
        ("User-agent: other\nUser-agent: ziliu\nDisallow: /x", "/x", False),
        ("User-agent: ziliu\nDisallow: /a\nUser-agent: ziliu\nDisallow: /b", "/a", False),  # groups are merged
        ("User-agent: *\nDisallow: /搜索", "/%E6%90%9C%E7%B4%A2", False),
        ("User-agent: *\nDisallow: /%e6%90%9c", "/%E6%90%9C%E7%B4%A2", False),
        ("\ufeffUser-agent: *\nDisallow: /x", "/x", False),
        ("User-agent: *\r\nDisallow: /x # note\r\n", "/x", False),
        ("User-agent: *\nDisallow: /", "/robots.txt", True),
    ],
)
def test_rules(text, path, allowed):
    assert rules(text).allows(A + path) is allowed


def test_sitemaps_and_crawl_delay_are_read():
    policy = rules("Sitemap: http://a.cn/s.xml\nUser-agent: *\nCrawl-delay: 2.5\n")
    assert policy.sitemaps == ["http://a.cn/s.xml"]
    assert policy.crawl_delay_seconds == 2.5


@pytest.mark.parametrize(("text", "seconds"), [("86400", MAX_CRAWL_DELAY_SECONDS), ("-1", 0), ("nan", 0), ("x", 0)])
def test_a_crawl_delay_stays_within_reason(text, seconds):
    assert rules(f"User-agent: *\nCrawl-delay: {text}").crawl_delay_seconds == seconds


def test_a_huge_file_is_read_to_its_limit_and_no_further():
    start, filler = b"User-agent: *\nDisallow: /early\n", b"# filler\n"
    body = start + filler * (MAX_BYTES // len(filler)) + b"Disallow: /late\n"
    policy = policy_of(200, body)
    assert not policy.allows(f"{A}/early")
    assert policy.allows(f"{A}/late")


@pytest.mark.timeout(20)
def test_a_rule_of_many_stars_takes_no_exponential_time():
    policy = rules("User-agent: *\nDisallow: /" + "*a" * 400 + "b\n")
    assert policy.allows(f"{A}/" + "a" * 1900)


@pytest.mark.timeout(20)
def test_binary_rubbish_is_no_error():
    assert policy_of(200, bytes(range(256)) * 2000).allows(f"{A}/")
