from __future__ import annotations

import pytest

from tasks.crawler.scope import EXAMPLES, Scope, trap


@pytest.mark.parametrize(
    ("path", "rule"),
    [
        ("/a/b/c.html", None),
        ("/2026/11/22/", None),
        ("/a/a/a/", None),
        ("/a/b/a/b/a/b/a/b/", "repeated_segments"),
        ("/" + "/".join(map(str, range(17))), "too_many_segments"),
        ("/?" + "&".join(f"p{i}=1" for i in range(8)), None),
        ("/?" + "&".join(f"p{i}=1" for i in range(9)), "too_many_parameters"),
        ("/?a=1&a=2&a=3", None),
        ("/?a=1&a=2&a=3&a=4", "repeated_parameters"),
        ("/go?to=%252Fgo%253Fto%25253D", "escaped_again"),
        ("/cal?y=2050&m=3", "calendar"),
        ("/cal/2028/12/", None),
        ("/cal/2029/1/", "calendar"),
        ("/cal?month=2031-02", "calendar"),
        ("/cal?year=2050", "calendar"),
        ("/iso/2100/paper.html", None),
        ("/item/20990101234.html", None),
    ],
)
def test_traps(path, rule):
    assert trap(f"http://a.cn{path}", 2026) == rule


def test_the_hosts_of_the_seeds_are_the_scope_when_no_prefix_is_given():
    scope = Scope(("http://a.cn/list/index.html", "http://b.cn:8000/"), ())
    assert scope.admits("http://a.cn/other/")
    assert scope.admits("https://a.cn/other/")
    assert scope.admits("http://b.cn:8000/x")
    for outside in ("http://b.cn/x", "http://a.cn.evil.cn/", "http://www.a.cn/", "http://a.cn:8000/"):
        assert not scope.admits(outside)
    assert scope.refused == {"out_of_scope": 4}


def test_prefixes_replace_the_hosts_of_the_seeds():
    scope = Scope(("http://a.cn/",), ("http://a.cn/docs/", "HTTP://C.cn"))
    assert scope.admits("http://a.cn/docs/x")
    assert scope.admits("http://c.cn/")
    assert not scope.admits("http://a.cn/blog/")
    assert not scope.admits("http://c.cn.evil.cn/")


def test_sitemaps_may_stand_outside_the_prefixes_but_not_elsewhere():
    scope = Scope(("http://a.cn/docs/",), ("http://a.cn/docs/",))
    assert scope.admits_sitemap("http://a.cn/sitemap.xml")
    assert not scope.admits_sitemap("http://cdn.cn/sitemap.xml")


def test_refusals_keep_a_few_examples():
    scope = Scope(("http://a.cn/",), ())
    for n in range(20):
        scope.admits(f"http://b.cn/{n}")
    assert scope.refused["out_of_scope"] == 20
    assert len(scope.examples["out_of_scope"]) == EXAMPLES


def test_a_seed_that_cannot_be_crawled_is_named():
    with pytest.raises(ValueError, match=r"seed 'http://127\.1/'"):
        Scope(("http://127.1/",), ())
