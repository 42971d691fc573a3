"""The hostile web, crawled once by the program: no crash, no leak, bounded memory and time, and every trap's outcome."""

from __future__ import annotations

import re
import time
from collections import Counter
from urllib.parse import urlsplit

import pytest

from data_contracts.reasons import REASONS
from tests.crawler.hostile_site import HostileWeb, answer, page
from tests.crawler.hostile_traps import NO_ROW, ORIGINS, TOO_LARGE, moved, silent, traps

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
MAX_SECONDS, MAX_RESIDENT_MB = 300, 600
STEPS = {  # pages of spaces without end: a page leads to the next by a rule
    r"/cal/(\d+)/(\d+)/": lambda y, m: page(f"/cal/{int(y) + int(m) // 12}/{int(m) % 12 + 1}/"),
    r"/again/.*": lambda: page("a/", "b/"),
    r"/deep/.*?(\d+)/": lambda n: page(f"{int(n) + 1}/"),
    r"/search\?q=(\d+)": lambda n: page(*(f"/search?q={int(n) * 5 + k}" for k in range(1, 6))),
    r"/session.*": lambda: page(*(f"/session?PHPSESSID={time.time_ns()}{n}" for n in range(9))),
    r"/facet\?(.*)": lambda q: page(*(f"/facet?{q}&f{n}=1" for n in range(20))),
    r"/same\?(.*)": lambda q: page(f"/same?{q}&p={q.count('p')}"),
    r"/go\?to=(.*)": lambda to: page("/go?to=" + "/go?to=".replace("?", "%3F") + to.replace("%", "%25")),
    r"/chain/(\d+)": lambda n: moved(f"/chain/{int(n) + 1}"),
    r"/loop(\d)": lambda n: moved(f"/loop{3 - int(n)}"),
    r"/fresh(\d)": lambda n: page(body=f'<meta http-equiv="refresh" content="0;url=/fresh{3 - int(n)}">'),
    r"/maps/(\d+)\.xml": lambda n: sitemap_index(f"/maps/{int(n) + 1}.xml", f"/maps/{int(n) + 1}.xml?"),
    r"/raw\?.*": lambda: page(),
}


def sitemap_index(*places):
    body = "".join(f"<sitemap><loc>{place}</loc></sitemap>" for place in places)
    return answer(body=f"<sitemapindex>{body}</sitemapindex>".encode(), content_type="application/xml")


def step(path):
    for pattern, made in STEPS.items():
        if found := re.fullmatch(pattern, path):
            return made(*found.groups())
    return None


def build(web, table):
    for trap in table.values():
        if trap.answer is not None:
            name = "/robots.txt" if trap.origin.startswith("robots_") else trap.link
            web.origins[trap.origin].answers[name] = trap.answer
    main = web.origins["main"]
    main.other = step
    links = [t.link for name, t in table.items() if t.origin == "main" and not name.startswith(("behind_", "in_"))]
    main.answers["/"] = page(*(link for link in links if "/maps/" not in link and ".xml" not in link))
    sitemaps = "".join(f"Sitemap: {web.url('main', link)}\n" for link in links if ".xml" in link)
    robots = f"User-agent: *\nDisallow: /private/\n{sitemaps}"
    main.answers["/robots.txt"] = answer(body=robots.encode(), content_type="text/plain")
    for name, origin in web.origins.items():
        if name.startswith("robots_"):
            origin.answers["/"] = page()
    web.origins["robots_to_canary"].answers["/robots.txt"] = moved(f"http://127.0.0.1:{web.canary_port}/robots.txt")
    slow = web.origins["slow_host"]
    slow.answers["/"] = page(*(f"/slow/{n}" for n in range(60)))
    slow.other = lambda path: silent if path.startswith("/slow/") else None


@pytest.fixture(scope="module")
def done(crawl_once, tmp_path_factory):
    web = HostileWeb(ORIGINS)
    web.start(tmp_path_factory.mktemp("tls"))
    try:
        table = traps(web)
        build(web, table)
        hosts = ("127.0.0.1", "127.0.0.2", "localhost", "[::1]", "[::ffff:7f00:1]")
        run = crawl_once(
            None,
            seeds=[f"{web.url(name)}/" for name in ORIGINS],
            url_prefixes=[f"{web.url(name)}/" for name in ORIGINS]
            + [f"http://{host}:{web.canary_port}/" for host in hosts],
            allow_addresses=[f"127.0.0.1/32:{origin.port}" for origin in web.origins.values()],
            requests_per_host=8,
            timeout_seconds=3,
            max_failures_in_a_row=50,
            max_failed_seconds_per_host=120,
            max_queries_per_path=30,
        )
        began = time.monotonic()
        run.code = run(timeout=MAX_SECONDS + 60)
        run.seconds = time.monotonic() - began
    finally:
        web.stop()
    run.web, run.table = web, table
    return run


def url_of(run, trap):
    return trap.link if re.match(r"[a-z]+:", trap.link) else run.web.url(trap.origin, trap.link)


def test_there_are_many_traps(done):
    assert len(done.table) >= 45
    assert len(set(done.table.values())) == len(done.table)


def test_it_ends_well(done):
    assert done.code == 0, done.errors
    assert "Traceback" not in done.errors
    assert [event["event"] for event in done.events][-1] == "end"


def test_every_trap_ends_as_the_table_says(done):
    visits = {visit["url"]: visit for visit in done.visits()}
    wrong = {}
    for name, trap in done.table.items():
        visit = visits.get(url_of(done, trap))
        outcome = (visit["status"], visit["reason"]) if visit else NO_ROW
        if outcome != trap.expect:
            wrong[name] = (outcome, visit and visit["error"])
    assert wrong == {}


def test_spaces_without_end_become_a_bounded_number_of_urls(done):
    paths = Counter()
    for visit in done.visits():
        for name, trap in done.table.items():
            if trap.under and visit["url"].startswith(done.web.url(trap.origin, trap.under)):
                paths[name] += 1
    bounds = {name: trap.rows for name, trap in done.table.items() if trap.under}
    assert set(paths) == set(bounds)
    assert {name: count for name, count in paths.items() if count > bounds[name]} == {}


def test_nothing_outside_the_allow_list_was_connected_to(done):
    assert done.web.leaks == []
    assert sum(done.end["connections_blocked"].values()) >= 5


def test_memory_and_time_are_bounded(done):
    assert done.end["last_run"]["max_resident_mb"] < MAX_RESIDENT_MB
    assert done.seconds < MAX_SECONDS
    print(done.end["last_run"])


def test_a_slow_host_holds_nobody_and_is_given_up(done):
    slow = [v for v in done.visits() if v["url"].startswith(done.web.url("slow_host", "/slow/"))]
    assert any("given up" in v["error"] or "spent on failed requests" in v["error"] for v in slow)
    assert sum(done.web.origins["slow_host"].hits.values()) < 100


def test_what_was_closed_was_not_asked(done):
    asked = done.web.origins["robots_disallows_all"].hits
    assert set(asked) == {"/robots.txt"}
    assert not any(path.startswith("/private/") for path in done.web.origins["main"].hits)
    assert sum(done.web.origins["left_alone"].hits.values()) <= 3


def test_archives_are_whole_and_hold_no_bomb(done):
    paths = done.check_archives()
    assert paths
    bombs = [v for v in done.visits() if (v["status"], v["reason"]) == TOO_LARGE]
    assert bombs
    assert all(done.body(visit) == b"" for visit in bombs)
    assert {v["reason"] for v in done.visits()} - {None} <= set(REASONS)
    assert len({urlsplit(v["url"]).port for v in done.visits()}) >= len(ORIGINS)
