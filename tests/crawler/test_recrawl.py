"""The crawl after the first: it asks only for what may have changed, and its result is that of a crawl from scratch."""

from __future__ import annotations

import random
import time
from types import SimpleNamespace

import pytest
from warcio.archiveiterator import ArchiveIterator
from warcio.checker import Checker

from tasks.crawler import earlier as earlier_module
from tasks.crawler import visiting
from tasks.crawler.earlier import frontier_of

HOUR = 3600.0
WHEN = ("checked_at", "fetched_at", "archive", "offset")


def records(run):
    """(type, headers) of every record in a crawl's own archives but requests, by URL."""
    found = {}
    for path in sorted((run.folder / "warc").iterdir()):
        with path.open("rb") as stream:
            for record in ArchiveIterator(stream):
                if record.rec_type in ("response", "revisit"):
                    headers = dict(record.rec_headers.headers) | {"status": record.http_headers.get_statuscode()}
                    found[headers["WARC-Target-URI"].removeprefix("http://a.cn")] = (record.rec_type, headers)
    return found


def body_of(run, visit):
    """The bytes that a visit points at, in whichever crawl's archive they are."""
    (path,) = run.folder.parent.glob(f"*/warc/{visit['archive']}")
    with path.open("rb") as stream:
        stream.seek(visit["offset"])
        record = next(iter(ArchiveIterator(stream)))
        assert record.rec_type == "response"
        assert record.rec_headers.get_header("WARC-Target-URI") == visit["url"]
        return record.content_stream().read()


def essence(run):
    return {path: {k: v for k, v in visit.items() if k not in WHEN} for path, visit in run.by_path.items()}


@pytest.fixture
def later(monkeypatch):
    """Let the crawls that follow believe that some hours have passed."""

    def pass_by(hours):
        monkeypatch.setattr(
            visiting, "time", SimpleNamespace(time=lambda: time.time() + hours * HOUR, monotonic=time.monotonic)
        )

    return pass_by


def build(web):
    web.page("/", "/tagged", "/plain", "/old", "/moved-away")
    web.page("/tagged", "/behind", ETag='"1"', Last_Modified="Sun, 01 Feb 2026 00:00:00 GMT")
    web.page("/behind")
    web.page("/plain")
    web.page("/old")
    web.page("/moved-away", status=301, Location="/behind")


def test_an_unmodified_page_is_a_revisit_and_its_links_are_followed(web, quick):
    build(web)
    first = quick(web, "first", recrawl_after_hours=0)
    second = quick(web, "second", previous=first, recrawl_after_hours=0)
    assert web.sent["/tagged"] == [
        {},
        {"If-None-Match": '"1"', "If-Modified-Since": "Sun, 01 Feb 2026 00:00:00 GMT"},
    ]
    assert essence(second) == essence(first)
    kind, headers = records(second)["/tagged"]
    assert (kind, headers["status"]) == ("revisit", "304")
    assert headers["WARC-Profile"].endswith("/server-not-modified")
    _, original = records(first)["/tagged"]
    assert headers["WARC-Refers-To"] == original["WARC-Record-ID"]
    assert headers["WARC-Refers-To-Date"] == original["WARC-Date"]
    assert headers["WARC-Refers-To-Target-URI"] == original["WARC-Target-URI"]
    assert headers["WARC-Payload-Digest"] == original["WARC-Payload-Digest"]
    assert second.by_path["/tagged"]["archive"] == first.by_path["/tagged"]["archive"]
    assert second.by_path["/tagged"]["checked_at"] >= second.by_path["/tagged"]["fetched_at"][:19]
    assert len(web.asked("/behind")) == 2
    assert second.crawl.counts["unmodified"] == 1


def test_the_same_bytes_without_validators_are_a_revisit_too(web, quick):
    build(web)
    first = quick(web, "first", recrawl_after_hours=0)
    second = quick(web, "second", previous=first, recrawl_after_hours=0)
    kind, headers = records(second)["/plain"]
    assert (kind, headers["status"]) == ("revisit", "200")
    assert headers["WARC-Profile"].endswith("/identical-payload-digest")
    assert body_of(second, second.by_path["/plain"]) == web.pages["/plain"][2]


def test_a_changed_page_is_archived_and_only_that_one(web, quick):
    build(web)
    first = quick(web, "first", recrawl_after_hours=0)
    web.page("/tagged", "/new", body="changed", ETag='"2"')
    web.page("/new")
    second = quick(web, "second", previous=first, recrawl_after_hours=0)
    assert second.by_path["/tagged"]["archive"] != first.by_path["/tagged"]["archive"]
    assert body_of(second, second.by_path["/tagged"]) == web.pages["/tagged"][2]
    assert second.reasons["/new"] is None
    kinds = {path: kind for path, (kind, _) in records(second).items()}
    assert {path for path, kind in kinds.items() if kind == "response"} == {"/tagged", "/new", "/robots.txt"}


def test_a_redirect_that_leads_elsewhere_is_no_revisit_whatever_its_body(web, quick):
    build(web)
    first = quick(web, "first", recrawl_after_hours=0)
    web.pages["/moved-away"] = (301, {"Location": "/plain"}, web.pages["/moved-away"][2])
    second = quick(web, "second", previous=first, recrawl_after_hours=0)
    assert records(second)["/moved-away"][0] == "response"
    assert second.by_path["/moved-away"]["location"] == "http://a.cn/plain"


def test_the_record_with_the_bytes_is_found_through_many_crawls(web, quick):
    build(web)
    runs = [quick(web, "0", recrawl_after_hours=0)]
    for n in range(1, 4):
        runs.append(quick(web, str(n), previous=runs[-1], recrawl_after_hours=0))
    assert [r.by_path["/tagged"]["archive"] for r in runs] == [runs[0].by_path["/tagged"]["archive"]] * 4
    assert all(body_of(run, run.by_path["/tagged"]) == web.pages["/tagged"][2] for run in runs)
    paths = [str(p) for run in runs for p in (run.folder / "warc").iterdir()]
    assert Checker(SimpleNamespace(inputs=paths, verbose=False)).process_all() == 0


@pytest.mark.parametrize("status", [404, 410])
def test_a_page_that_is_gone_is_said_to_be_gone_until_nothing_links_to_it(web, quick, status):
    build(web)
    first = quick(web, "first", recrawl_after_hours=0)
    web.page("/old", status=status)
    second = quick(web, "second", previous=first, recrawl_after_hours=0)
    assert (second.by_path["/old"]["status"], second.reasons["/old"]) == (status, "gone")
    third = quick(web, "third", previous=second, recrawl_after_hours=0)
    assert third.reasons["/old"] == "gone"
    web.page("/", "/plain")
    fourth = quick(web, "fourth", previous=third, recrawl_after_hours=0)
    assert "/old" not in fourth.reasons
    assert fourth.reasons["/tagged"] == fourth.reasons["/behind"] == "no_longer_linked"
    assert "kept by the crawl before" in fourth.by_path["/tagged"]["error"]


def test_what_comes_back_is_kept_again(web, quick):
    build(web)
    first = quick(web, "first", recrawl_after_hours=0)
    old = web.pages["/old"]
    web.page("/old", status=404)
    second = quick(web, "second", previous=first, recrawl_after_hours=0)
    web.pages["/old"] = old
    third = quick(web, "third", previous=second, recrawl_after_hours=0)
    assert third.reasons["/old"] is None
    assert body_of(third, third.by_path["/old"]) == old[2]


def test_a_page_beyond_the_limit_is_not_called_unlinked(web, quick):
    build(web)
    first = quick(web, "first", recrawl_after_hours=0)
    second = quick(web, "second", previous=first, recrawl_after_hours=0, max_pages=2)
    assert "no_longer_linked" not in second.reasons.values()
    assert set(second.reasons) == set(first.reasons)


def test_unchanged_pages_are_asked_less_often_and_changed_ones_more(web, quick, later):
    plan = {"recrawl_after_hours": 10, "recrawl_within_hours": 40, "recrawl_slower": 2, "recrawl_faster": 0.5}
    web.page("/", "/calm", "/busy")
    web.page("/calm")
    web.page("/busy")
    last, hours, asked = quick(web, "0", **plan), 0, {"/calm": [0], "/busy": [0]}
    for n in range(1, 13):
        hours += 10.1  # a crawl every ten hours
        later(hours)
        web.page("/busy", body=str(n))
        before = {path: len(web.asked(path)) for path in asked}
        last = quick(web, str(n), previous=last, **plan)
        for path, times in asked.items():
            times += [n] * (len(web.asked(path)) - before[path])
    assert asked["/busy"] == list(range(13))
    assert asked["/calm"] == [0, 1, 3, 7, 11]  # 10, 20, 40, 40 hours: the upper bound holds
    assert len(web.asked("/")) == 13  # a seed is asked for every time
    assert last.by_path["/calm"]["checked_at"] > last.by_path["/calm"]["fetched_at"]
    assert body_of(last, last.by_path["/calm"]) == web.pages["/calm"][2]


def test_what_still_stands_costs_no_request_and_counts_as_a_page(web, quick):
    web.page("/", *(f"/{n}" for n in range(1, 40)))
    for n in range(1, 40):
        web.page(f"/{n}", f"/{n + 1}", "/missing")
    first = quick(web, "first")
    hits = len(web.hits)
    second = quick(web, "second", previous=first)
    assert sorted(path for _, path in web.hits[hits:]) == ["/", "/robots.txt", "/sitemap.xml"]
    assert essence(second) == essence(first)
    assert second.crawl.counts["pages"] == first.crawl.counts["pages"]
    third = quick(web, "third", previous=second, max_pages=10)
    assert list(third.reasons.values()).count(None) <= 10
    assert third.crawl.counts["pages"] == 10


def test_robots_are_obeyed_also_for_what_was_kept_before(web, quick):
    build(web)
    first = quick(web, "first")
    web.pages["/robots.txt"] = (200, {"Content-Type": "text/plain"}, b"User-agent: *\nDisallow: /plain\n")
    second = quick(web, "second", previous=first)
    assert second.reasons["/plain"] == "robots_disallowed"


def test_a_304_that_nobody_asked_for_is_an_error(web, quick):
    web.page("/", "/odd")
    web.pages["/odd"] = (304, {}, b"")
    assert quick(web).reasons["/odd"] == "http_error"


def random_site(web, chance, pages=25):
    """A site of pages with and without validators, redirects and errors."""
    web.pages.clear()
    for n in range(pages):
        edit(web, chance, n, pages)
    web.page("/", *(f"/{chance.randrange(pages)}" for _ in range(4)))


def edit(web, chance, n, pages):
    links = [f"/{chance.randrange(pages + 3)}" for _ in range(3)]
    body = str(chance.random())
    tag = {"ETag": f'"{body}"'} if chance.random() < 0.5 else {}
    kind = chance.random()
    if kind < 0.7:
        web.page(f"/{n}", *links, body=body, **tag)
    elif kind < 0.8:
        web.page(f"/{n}", status=302, Location=links[0])
    elif kind < 0.9:
        web.page(f"/{n}", status=chance.choice([404, 410, 403]))
    else:
        web.page(f"/{n}", body=f'<meta http-equiv="refresh" content="0;url={links[0]}">')


@pytest.mark.parametrize("seed", range(12))
def test_a_recrawl_gives_what_a_crawl_from_scratch_gives(web, quick, seed):
    chance = random.Random(seed)
    random_site(web, chance)
    last = quick(web, "first", recrawl_after_hours=0, max_depth=5)
    for round_ in range(2):
        for _ in range(8):
            edit(web, chance, chance.randrange(25), 25)
        last = quick(web, f"again-{round_}", previous=last, recrawl_after_hours=0, max_depth=5)
        fresh = quick(web, f"fresh-{round_}", recrawl_after_hours=0, max_depth=5)
        told = {p: v for p, v in essence(last).items() if v["reason"] != "no_longer_linked"}
        gone = {p for p, v in told.items() if v["reason"] == "gone"}
        assert {p: v for p, v in told.items() if p not in gone} == {
            p: v for p, v in essence(fresh).items() if p not in gone
        }
        assert all(essence(fresh)[path]["status"] in earlier_module.GONE for path in gone)
        for visit in last.visits:
            if visit["reason"] is None:
                assert body_of(last, visit) == web.pages[visit["url"].removeprefix(web.origin)][2]


def test_a_crawl_whose_archives_are_not_all_there_is_not_built_upon(web, quick):
    build(web)
    first = quick(web, "first")
    assert frontier_of(first.folder) is None  # it never ended: the program writes end.json
    (first.folder / "end.json").write_text("{}")
    assert frontier_of(first.folder) == first.folder / "frontier.sqlite"
    (archive,) = (first.folder / "warc").iterdir()
    archive.write_bytes(archive.read_bytes()[:-1])
    assert frontier_of(first.folder) is None
    (first.folder / "frontier.sqlite").write_bytes(b"no database at all")
    assert frontier_of(first.folder) is None
    assert frontier_of(None) is None
