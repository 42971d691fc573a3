"""The index leads from every URL to its record, those of earlier crawls too."""

from __future__ import annotations

import gzip
import io
import json

import pytest
from warcio.archiveiterator import ArchiveIterator

from tasks.crawler import cdxj
from tasks.crawler.frontier import Frontier

# Right sides computed by surt 0.3.1, which indexers use.
KEYS = {
    "http://example.cn/": "cn,example)/",
    "https://www.example.cn/News/1.html": "cn,example)/news/1.html",
    "http://www2.example.cn/a/": "cn,example)/a",
    "http://a.cn:8080/x?b=2&a=1": "cn,a:8080)/x?a=1&b=2",
    "http://127.0.0.1:8765/x/": "1,0,0,127:8765)/x",
    "http://[::1]:99/x": "::1:99)/x",
    "http://a.cn/%E4%B8%AD%E6%96%87.html?x=%B4%CA": "cn,a)/%e4%b8%ad%e6%96%87.html?x=%b4%ca",
    "http://xn--fsqu00a.xn--fiqs8s/": "xn--fiqs8s,xn--fsqu00a)/",
    "http://a.cn/x?b": "cn,a)/x?b",
    "http://a.cn/?a=1": "cn,a)/?a=1",
    "http://a.cn/x?A=2&a=1": "cn,a)/x?a=1&a=2",
    "http://wwwx.cn/": "cn,wwwx)/",
    "https://a.cn/a?z=1&b=/c/": "cn,a)/a?b=/c/&z=1",
    "http://www.cn/": "cn)/",
}


@pytest.mark.parametrize("url", KEYS)
def test_keys_are_those_of_other_indexers(url):
    assert cdxj.key(url) == KEYS[url]


def build(web):
    web.page("/", "/a", "/b", "/gone", "/moved")
    web.page("/a", ETag='"1"')
    web.page("/b")
    web.page("/moved", status=301, Location="/a")


def index(run, previous=None):
    """Write a crawl's index and give (key, time, facts) of its lines."""
    path = run.folder / cdxj.NAME
    before = previous and previous.folder / "frontier.sqlite"
    frontier = Frontier(run.folder / "frontier.sqlite", 16, before)
    count = cdxj.write(frontier, path)
    frontier.close()
    lines = path.read_bytes().splitlines()
    assert lines == sorted(lines)
    assert len(lines) == count
    split = [line.decode().split(" ", 2) for line in lines]
    return [(key, at, json.loads(facts)) for key, at, facts in split]


def record_of(run, facts):
    """What the gzip member that a line names holds; it is one whole member."""
    (path,) = run.folder.parent.glob(f"*/warc/{facts['filename']}")
    start = int(facts["offset"])
    member = path.read_bytes()[start : start + int(facts["length"])]
    assert gzip.decompress(member).startswith(b"WARC/1.1")
    (record,) = ArchiveIterator(io.BytesIO(member))
    return record


def test_every_answer_is_found_by_its_line(web, quick):
    build(web)
    run = quick(web)
    found = index(run)
    assert sorted(facts["url"].removeprefix(web.origin) for _, _, facts in found) == [
        "/", "/a", "/b", "/gone", "/moved", "/robots.txt", "/sitemap.xml",
    ]  # fmt: skip
    for key, at, facts in found:
        record = record_of(run, facts)
        header = record.rec_headers.get_header
        assert (record.rec_type, header("WARC-Target-URI")) == ("response", facts["url"])
        assert (key, at) == (cdxj.key(facts["url"]), header("WARC-Date").translate(str.maketrans("", "", "-:T."))[:14])
        assert (facts["digest"], facts["status"]) == (
            header("WARC-Payload-Digest"),
            record.http_headers.get_statuscode(),
        )
        assert facts["mime"] == "text/html"


def test_revisits_and_the_records_they_lead_to_stand_in_one_index(web, quick):
    build(web)
    runs = [quick(web, "0", recrawl_after_hours=0)]
    index(runs[0])
    for n in (1, 2):
        web.page("/b", body=str(n))
        runs.append(quick(web, str(n), previous=runs[-1], recrawl_after_hours=0))
        found = index(runs[-1], runs[-2])
    of_a = [facts for _, _, facts in found if facts["url"].endswith("/a")]
    assert sorted(facts["mime"] for facts in of_a) == ["text/html", "warc/revisit"]
    assert {record_of(runs[2], facts).rec_type for facts in of_a} == {"response", "revisit"}
    held = {(facts["filename"], int(facts["offset"])) for _, _, facts in found}
    assert {(v["archive"], v["offset"]) for v in runs[2].visits if v["archive"]} <= held
    assert [facts["mime"] for _, _, facts in found if facts["url"].endswith("/b")] == ["text/html"]
