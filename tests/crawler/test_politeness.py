"""Robots, delays, budgets and limits: the crawl over sites in memory."""

from __future__ import annotations

import asyncio
import itertools

import pytest

from tasks.crawler.fetching import AnswerTooLarge, FetchFailed
from tasks.crawler.netguard import AddressBlocked
from tasks.crawler.politeness import Politeness
from tasks.crawler.robots import RobotsPolicy

ROBOTS = {"Content-Type": "text/plain"}


def gaps(times):
    return [b - a for a, b in itertools.pairwise(times)]


def raising(error):
    async def answer():
        raise error

    return answer


@pytest.mark.parametrize("status", [500, 503, 429])
def test_robots_that_fails_closes_the_host(web, quick, status):
    web.page("/", "/x")
    web.pages["/robots.txt"] = (status, ROBOTS, b"User-agent: *\nAllow: /\n")
    run = quick(web, max_tries=3)
    assert len(web.asked("/robots.txt")) == 3
    assert web.asked("/") == []
    assert run.reasons == {"/": "robots_disallowed"}
    assert str(status) in run.by_path["/"]["error"]


def test_robots_that_cannot_be_reached_closes_the_host_as_failed(web, quick):
    web.pages["/robots.txt"] = raising(FetchFailed("refused"))
    run = quick(web)
    assert run.reasons == {"/": "fetch_failed"}
    assert "robots.txt cannot be read: refused" in run.by_path["/"]["error"]


def test_robots_that_fails_once_is_asked_again(web, quick):
    answers = [(500, ROBOTS, b"x"), (200, ROBOTS, b"User-agent: *\nDisallow: /x\n")]

    async def answer():
        return answers.pop(0)

    web.pages["/robots.txt"] = answer
    web.page("/", "/x")
    assert quick(web, sitemaps=False).reasons == {"/": None, "/x": "robots_disallowed"}


def test_a_restart_does_not_ask_for_robots_again(web, quick):
    web.page("/", "/x", "/private/x")
    web.pages["/robots.txt"] = (200, ROBOTS, b"User-agent: *\nDisallow: /private/\n")
    quick(web, max_pages=1)
    run = quick(web)  # the limit is part of the program's own check of a folder; here it stands for a kill
    assert len(web.asked("/robots.txt")) == 1
    assert len(web.asked("/")) == 1
    assert run.reasons["/private/x"] == "robots_disallowed"
    assert run.by_path["/x"]["status"] == 404


def test_robots_are_read_again_when_they_have_expired(web, quick, monkeypatch):
    """The second answer closes what the first had left open; a third that fails leaves the second in force."""
    monkeypatch.setattr("tasks.crawler.robots.VALID_SECONDS", 0.1)
    answers = [(200, ROBOTS, b""), (200, ROBOTS, b"User-agent: *\nDisallow: /late\n")]

    async def answer():
        return answers.pop(0) if answers else (500, ROBOTS, b"")

    web.pages["/robots.txt"] = answer
    web.page("/", *(f"/{n}" for n in range(6)), *(f"/late/{n}" for n in range(6)))
    run = quick(web, seconds_between_requests=0.05, requests_per_host=1, sitemaps=False)
    assert len(web.asked("/robots.txt")) >= 3
    assert {run.reasons[f"/late/{n}"] for n in range(6)} == {"robots_disallowed"}
    assert all(web.asked(f"/{n}") for n in range(6))


def test_a_redirected_robots_is_followed(web, quick):
    web.page("/", "/private/x")
    web.page("/robots.txt", status=301, Location="/real-robots.txt")
    web.pages["/real-robots.txt"] = (200, ROBOTS, b"User-agent: *\nDisallow: /private/\n")
    assert quick(web).reasons["/private/x"] == "robots_disallowed"


def test_robots_redirects_without_end_count_as_no_robots(web, quick):
    web.page("/")
    web.page("/robots.txt", status=301, Location="/robots.txt?again")
    web.page("/robots.txt?again", status=301, Location="/robots.txt")
    assert quick(web).reasons["/"] is None
    assert len(web.asked("/robots.txt")) + len(web.asked("/robots.txt?again")) == 6


def test_requests_to_a_host_keep_their_distance(web, quick):
    web.page("/", *(f"/{n}" for n in range(4)))
    quick(web, seconds_between_requests=0.1, sitemaps=False)
    assert len(web.hits) == 6
    assert min(gaps([at for at, _ in web.hits])) > 0.09


def test_crawl_delay_is_kept(web, quick):
    web.page("/", "/1", "/2")
    web.pages["/robots.txt"] = (200, ROBOTS, b"User-agent: *\nCrawl-delay: 0.2\n")
    quick(web, sitemaps=False)
    assert min(gaps([at for at, path in web.hits if path != "/robots.txt"])) > 0.19


def test_no_more_requests_at_once_than_the_config_says(web, quick):
    web.page("/", *(f"/{n}" for n in range(40)))
    quick(web, requests_per_host=3)
    assert web.most == 3


@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_parks_the_host(web, quick, status):
    answers = [(status, {"Retry-After": "1"}, b"busy"), (200, {}, b"<p>now")]

    async def answer():
        return answers.pop(0)

    web.page("/", "/busy", *(f"/{n}" for n in range(5)))
    web.pages["/busy"] = answer
    run = quick(web, requests_per_host=1, sitemaps=False)
    assert run.reasons["/busy"] is None
    times = [at for at, _ in web.hits]
    first = web.asked("/busy")[0]
    assert [at for at in times if first < at < first + 0.95] == []
    assert len(times) == 9


def test_errors_of_the_server_are_tried_again_and_then_reported(web, quick):
    web.page("/", "/error", "/gone")
    web.page("/error", status=502)
    web.page("/gone", status=410)
    run = quick(web, max_tries=3)
    assert len(web.asked("/error")) == 3
    assert len(web.asked("/gone")) == 1
    assert (run.by_path["/error"]["status"], run.reasons["/error"]) == (502, "http_error")


def test_what_can_never_succeed_is_not_tried_again(web, quick):
    web.page("/", "/large", "/blocked")
    web.pages["/large"] = raising(AnswerTooLarge("more than 5 bytes"))
    web.pages["/blocked"] = raising(AddressBlocked("no"))
    run = quick(web)
    assert len(web.asked("/large")) == len(web.asked("/blocked")) == 1
    assert (run.reasons["/large"], run.reasons["/blocked"]) == ("too_large", "address_blocked")


def test_a_dead_host_does_not_hold_another_and_is_given_up(web, quick):
    async def hang():
        await asyncio.sleep(0.3)
        raise FetchFailed("timeout")

    other = "http://b.cn"
    web.page("/", *(f"/{n}" for n in range(30)), f"{other}/0")
    for n in range(30):
        web.pages[f"/{n}"] = hang
        web.page(f"{other}/{n}", f"/{n + 1}", body=f'<base href="{other}/">')
    run = quick(web, url_prefixes=("http://a.cn/", "http://b.cn/"), max_tries=1, max_failures_in_a_row=6, max_depth=99)
    times = [at for at, path in web.hits if path.startswith(other)]
    assert len(times) == 33  # robots.txt, sitemap.xml, 30 pages, a 404
    assert times[-1] - times[0] < 1.0 + 0.3
    assert all(run.reasons[f"/{n}"] == "fetch_failed" for n in range(30))
    assert sum(path[1:].isdigit() for _, path in web.hits) <= 10
    assert any("6 failures in a row" in (v["error"] or "") for v in run.visits)


def test_broken_answers_do_not_close_a_host(web, quick):
    pages = [f"/{n}" for n in range(9)]
    web.page("/", *pages)
    for path in pages:
        web.pages[path] = raising(FetchFailed("half an answer", host_answered=True))
    run = quick(web, requests_per_host=1, max_tries=1, max_failures_in_a_row=4)
    assert all(len(web.asked(path)) == 1 for path in pages)
    assert {run.by_path[path]["error"] for path in pages} == {"half an answer"}


def test_one_answer_in_between_resets_the_budget(web, quick):
    pages = [f"/{n}" for n in range(12)]
    web.page("/", *pages)
    for n, path in enumerate(pages):
        if n % 3:
            web.pages[path] = raising(FetchFailed("reset"))
    run = quick(web, requests_per_host=1, max_tries=1, max_failures_in_a_row=4)
    assert len([path for path in pages if web.asked(path)]) == 12
    assert not any("in a row" in (v["error"] or "") for v in run.visits)


def test_the_page_limit_is_kept_and_the_rest_is_named(web, quick):
    web.page("/", *(f"/{n}" for n in range(30)))
    run = quick(web, max_pages=10, sitemaps=False)
    assert len(web.hits) == 11
    assert list(run.reasons.values()).count("page_limit") == 21


def test_the_depth_limit_is_kept(web, quick):
    for n in range(6):
        web.page(f"/{n}", f"/{n + 1}")
    run = quick(web, seeds=(f"{web.origin}/0",), max_depth=2, sitemaps=False)
    assert list(run.reasons) == ["/0", "/1", "/2"]
    assert run.frontier.too_deep == 1


def test_the_scope_is_kept(web, quick):
    web.page("/docs/", "/docs/a", "/blog/b", "http://b.cn/")
    web.page("/docs/a")
    run = quick(web, seeds=(f"{web.origin}/docs/",), url_prefixes=(f"{web.origin}/docs/",))
    assert set(run.reasons) == {"/docs/", "/docs/a", "/sitemap.xml"}
    assert run.scope.refused["out_of_scope"] == 2


def test_a_seed_is_fetched_even_outside_the_prefixes(web, quick):
    web.page("/", "/docs/a", "/blog/b")
    web.page("/docs/a")
    assert set(quick(web, url_prefixes=(f"{web.origin}/docs/",), sitemaps=False).reasons) == {"/", "/docs/a"}


def test_a_broken_archive_ends_the_crawl(web, quick, monkeypatch):
    web.page("/", *(f"/{n}" for n in range(50)))

    def full(self, exchange, same_as):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("tasks.crawler.archive.Archive.write", full)
    with pytest.raises(OSError, match="No space left"):
        quick(web)


def test_origins_take_turns():
    polite = Politeness(0.0, 1)
    polite.add({"http://a.cn": 2, "http://b.cn": 2})
    order = []
    for _ in range(4):
        origin = polite.ready(1.0)
        order.append(origin.name)
        origin.waiting -= 1
        polite.started(origin, 1.0)
        polite.ended(origin)
    assert order == ["http://a.cn", "http://b.cn"] * 2
    assert polite.ready(1.0) is None


def test_a_host_that_is_slow_or_busy_is_asked_less_often_within_bounds():
    polite = Politeness(1.0, 2, most_seconds=8.0, per_latency=2.0)
    origin = polite.origin("http://a.cn")
    assert polite.delay(origin) == 1.0
    polite.answered(origin, 0.1, busy=False)
    assert polite.delay(origin) == 1.0
    for _ in range(30):
        polite.answered(origin, 2.0, busy=False)
    assert polite.delay(origin) == pytest.approx(4.0, rel=0.01)
    for _ in range(30):
        polite.answered(origin, 60.0, busy=False)
    assert polite.delay(origin) == 8.0
    origin.policy = RobotsPolicy(crawl_delay_seconds=20.0)
    assert polite.delay(origin) == 20.0


def test_429_doubles_the_delay_and_other_answers_halve_it():
    polite = Politeness(0.0, 2, most_seconds=3.0, per_latency=1.0)
    origin, seen = polite.origin("http://a.cn"), []
    for busy in [True, True, True, True, True, *[False] * 8]:
        polite.answered(origin, 0.1, busy=busy)
        seen.append(polite.delay(origin))
    assert seen[:5] == [0.25, 0.5, 1.0, 2.0, 3.0]
    assert seen[5:8] == [1.5, 0.75, 0.375]
    assert seen[-1] == 0.0  # a delay of nought stays nought, however long an answer takes


def test_no_host_takes_all_requests_when_there_are_others():
    polite = Politeness(0.0, 32, of=32)
    polite.add({"http://a.cn": 99, "http://b.cn": 99})
    taken = []
    while len(taken) < 40 and (origin := polite.ready(1.0)):
        polite.started(origin, 1.0)
        polite.list(origin)
        taken.append(origin.name)
    assert (taken.count("http://a.cn"), taken.count("http://b.cn")) == (16, 16)


def test_time_lost_to_failures_closes_a_host_that_answers_now_and_then(web, quick):
    async def hang():
        await asyncio.sleep(0.1)
        raise FetchFailed("half an answer", host_answered=True)

    pages = [f"/{n}" for n in range(30)]
    web.page("/", *pages)
    for path in pages:
        web.pages[path] = hang
    run = quick(web, requests_per_host=1, max_tries=1, max_failed_seconds_per_host=0.5)
    assert sum(len(web.asked(path)) for path in pages) <= 7
    assert all(run.reasons[path] == "fetch_failed" for path in pages)
    assert any("spent on failed requests" in (v["error"] or "") for v in run.visits)


def test_a_path_has_a_limit_of_queries_and_known_ones_stay(web, quick):
    web.page("/", *(f"/list?n={n}" for n in range(30)), "/other?n=1")
    run = quick(web, max_queries_per_path=10, sitemaps=False)
    assert sum(path.startswith("/list?") for path in run.reasons) == 10
    assert "/other?n=1" in run.reasons
    assert run.frontier.too_many_queries == 20


def test_canonical_pages_replace_the_others_when_they_are_there(web, quick):
    name = '<link rel="canonical" href="{}">'.format
    web.page("/", "/a?x=1", "/b", "/c", "/d1", "/d2")
    web.page("/a?x=1", "/behind", body=name("/a"))
    web.page("/a", body=name("/a"))
    web.page("/behind")
    web.page("/b", body=name("/lost"))  # answers 404
    web.page("/c", body=name("http://elsewhere.cn/c"))
    web.page("/d1", body=name("/d2"))
    web.page("/d2", body=name("/d1"))
    run = quick(web, sitemaps=False)
    assert run.reasons == {
        "/": None, "/a": None, "/a?x=1": "canonical_elsewhere", "/b": None, "/behind": None, "/c": None, "/d1": None,
        "/d2": None, "/lost": "http_error",
    }  # fmt: skip
    assert run.by_path["/a?x=1"]["location"] == "http://a.cn/a"
    assert run.by_path["/b"]["location"] is None
    assert run.by_path["/a"]["depth"] == 1


def test_feeds_that_pages_name_lead_to_their_entries(web, quick):
    web.page("/", body='<link rel="alternate" type="application/rss+xml" href="/feed">')
    rss = b"<rss><channel><item><link>http://a.cn/in-feed</link></item></channel></rss>"
    web.pages["/feed"] = (200, {"Content-Type": "application/rss+xml"}, rss)
    web.page("/in-feed")
    assert quick(web, "with", sitemaps=False).reasons == {"/": None, "/feed": "not_html", "/in-feed": None}
    assert quick(web, "without", sitemaps=False, feeds=False).reasons == {"/": None}
