"""What a page says about itself: title, date, author, site and own address; null where it does not say."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from resiliparse.parse.html import HTMLTree

from tasks.transforms.page_date import iso_day
from tasks.transforms.page_facts import Stated, page_facts, without_site
from tasks.transforms.page_meta import json_ld, meta_elements

TEXT = "子曰：学而时习之，不亦说乎？作者认为，来源可考，记者无从查证。"


def stated(html: str, url: str = "http://a.example/x") -> Stated:
    return page_facts(HTMLTree.parse(html), html, url)


@pytest.mark.parametrize(
    ("head", "h1", "title"),
    [
        ("<title>秋天_散文_某某网</title>", "", "秋天"),
        ("<title>秋天 - 某某网</title>", "", "秋天"),
        ("<title>Debian-Edu 手册</title>", "", "Debian-Edu 手册"),
        ("<title>秋天的怀念 - 某某网</title>", "秋天的怀念", "秋天的怀念"),
        ("<title>秋天 - 某某博客</title>", "某某博客", "秋天"),
        ("<title>某某网</title>", "秋天", "某某网"),
        ('<title>x</title><meta property="og:title" content="秋天 &amp; 冬天_某某网">', "", "秋天 & 冬天"),
        ('<meta property="og:site_name" content="某某网"><title>某某网 - 秋天</title>', "", "秋天"),
        ("", "秋天", "秋天"),
        ("", "", None),
    ],
)
def test_titles(head: str, h1: str, title: str | None) -> None:
    assert stated(f"<html><head>{head}</head><body><h1>{h1}</h1><p>{TEXT}</p></body></html>").title == title


@pytest.mark.parametrize(
    ("head", "body", "url", "date"),
    [
        ('<meta property="article:published_time" content="2024-05-15T10:20:00+08:00">', "", "/x", "2024-05-15"),
        ("<meta name=pubdate content=20240515>", "", "/x", "2024-05-15"),
        ('<script type="application/ld+json">{"datePublished": "2023-01-02"}</script>', "", "/x", "2023-01-02"),
        ("", '<time class="t" datetime="2021-12-31 08:00">昨天</time>', "/x", "2021-12-31"),
        ("", "", "/2016/05/25/x.html", "2016-05-25"),
        ("", "", "/n1/2024/0515/c1-1.html", "2024-05-15"),
        ("", "", "/doc-20161.html", None),
        ("", "<span>发布时间：</span><span>2024年5月15日 10:20</span>", "/x", "2024-05-15"),
        ("", "<p>1911年10月10日，武昌起义。</p>", "/x", None),
        ('<meta name="date" content="2024-02-31">', "", "/x", None),
        ('<meta name="date" content="">', "", "/x", None),
        ('<meta name="weibo: article:create_at" content="2016-05-25 10:10:19">', "", "/x", "2016-05-25"),
        ('<script>var publish_time = "2024-05-15" || "";</script>', "", "/x", "2024-05-15"),
        ('<script>window.D={"pubtime":"2024-05-15 08:00:00"}</script>', "", "/x", "2024-05-15"),
        ("", '<span class="pub-time">2024-05-15 10:20</span>', "/x", "2024-05-15"),
        ("", '<span class="date">2024-05-15</span>', "/x", None),
        ("", "<td>公布日期</td><td>2020年5月28日</td>", "/x", "2020-05-28"),
    ],
)
def test_dates(head: str, body: str, url: str, date: str | None) -> None:
    assert stated(f"<html><head>{head}</head><body>{body}</body></html>", f"http://a.example{url}").date == date


def test_days_and_sites() -> None:
    assert iso_day("2024/5/1") == "2024-05-01"
    assert iso_day("编号 20241301 与 2024年13月1日") is None
    assert without_site("a") == "a"
    assert without_site("___") == "___"


@pytest.mark.parametrize(
    ("head", "body", "author"),
    [
        ('<meta name="author" content="曹雪芹">', "", "曹雪芹"),
        ('<meta property="article:author" content="新京报">', "", "新京报"),
        ('<meta name="author" content="2909">', "", None),
        ('<meta name="author" content="">', "<p>作者：刘满仓 　责任编辑:王頔</p>", "刘满仓"),
        ('<meta name="author" content="网易"><meta property="og:site_name" content="网易">', "", None),
        ('<meta name="author" content="Discuz! Team and Comsenz UI Team">', "", None),
        ('<meta name="author" content="http://a.example/user/1">', "", None),
        ('<script type="application/ld+json">{"@type":"NewsArticle","author":{"name":"张三"}}</script>', "", "张三"),
        ('<script type="application/ld+json">[{"@type":["Article"],"author":[{"name":"张三"}]}]</script>', "", "张三"),
        ('<script type="application/ld+json">{"@graph":[{"@type":"Article","author":"张三"}]}</script>', "", "张三"),
        ('<script type="application/ld+json">{"@type":"Article","author":{"name":"张三"</script>', "", None),
        ("", "<span>作者：</span><span><a href='/u/1'>白居易</a></span>", "白居易"),
        ("", "<span>来源：北京青年报</span> <span>作者：张三、李四</span>", "张三、李四"),
        ("", "<p>文/栗思</p>", "栗思"),
        ("", "<p>文丨政能亮特约评论员 韩涵</p>", None),
        ("", "<p>（新华社记者 张三）</p>", "张三"),
        ("", "<h3>国米记者：某资本不打算立即出售</h3>", None),
        ("", "<p>作者：佚名</p>", None),
        ("", "<p>责任编辑：李曦</p>", None),
        ("", '<a rel="author" href="/u">阮一峰</a>', "阮一峰"),
        ("", '<span itemprop="author"><b>Ada Lovelace</b></span>', "Ada Lovelace"),
        ("", "", None),
    ],
)
def test_authors(head: str, body: str, author: str | None) -> None:
    assert stated(f"<html><head>{head}</head><body>{body}<p>{TEXT}</p></body></html>").author == author


@pytest.mark.parametrize(
    ("head", "body", "site"),
    [
        ('<meta property="og:site_name" content="某某网">', "", "某某网"),
        ('<meta name="application-name" content="反恐精英论坛">', "", "反恐精英论坛"),
        ("<title>秋天--文化--人民网</title>", "<p>来源：人民日报</p>", "人民网"),
        ("<title>秋天_财经网 - CAIJING.COM.CN</title>", "", "财经网"),
        ("<title>秋天-新华网</title>", "", "新华网"),
        ("<title>秋天 · Ruby China</title>", "<h1>秋天</h1>", "Ruby China"),
        ("<title>秋天 - 为开发者服务的招聘平台</title>", "", None),
        (
            '<script type="application/ld+json">{"@type":"Article","publisher":{"name":"今日头条"}}</script>',
            "",
            "今日头条",
        ),
        ('<meta name="source" content="来源：人民日报">', "", "人民日报"),
        ("<title>秋天</title>", "<span>来源：</span><a href='/'>北京青年报</a>", "北京青年报"),
        ("<title>秋天</title>", "", None),
    ],
)
def test_site_names(head: str, body: str, site: str | None) -> None:
    assert stated(f"<html><head>{head}</head><body>{body}<p>{TEXT}</p></body></html>").site_name == site


@pytest.mark.parametrize(
    ("link", "canonical"),
    [
        ('<link rel="canonical" href="/y?a=1&amp;b=2#top">', "http://a.example/y?a=1&b=2"),
        ("<link href=https://b.example rel=canonical>", "https://b.example/"),
        ('<link rel="canonical" href="http://a.example/x#part">', None),
        ('<link rel="canonical" href="javascript:void(0)">', None),
        ('<link rel="canonical" href="http://me:pw@a.example/">', None),
        ('<link rel="canonical" href="http://[::1">', None),
        ('<link rel="canonical" href="">', None),
        ('<link rel="stylesheet" href="/canonical">', None),
    ],
)
def test_canonical_urls(link: str, canonical: str | None) -> None:
    assert stated(f"<html><head>{link}</head><body>{TEXT}</body></html>").canonical_url == canonical


def test_statements_without_end_cost_little() -> None:
    pages = (
        "作者：" * 200_000,
        "作者" + " " * 10**6,
        "作者：" + "<b>" * 200_000,
        "<meta " * 200_000,
        "<time " * 200_000,
    )
    pages += ("<script type='application/ld+json'>" * 20_000, '<link rel="canonical" ' * 50_000, "2024-05-" * 100_000)
    pages += ('<script type="application/ld+json">' + "[" * 100_000 + "</script>", '="author">' * 100_000)
    start = time.process_time()
    for page in pages:
        stated(page)
    assert time.process_time() - start < 10


@given(st.text(alphabet="<>作者来源：:/\"'= \n文记metaname{}[]@,", max_size=80))
def test_never_raises(html: str) -> None:
    assert isinstance(stated(html), Stated)
    assert isinstance(json_ld(html), list)
    assert isinstance(meta_elements(html), dict)
