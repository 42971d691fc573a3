"""How the crawler treats hosts, its folder and its config: small crawls, each of one thing."""

from __future__ import annotations

import itertools
import json
import resource
import socket
import time

import pytest

ROBOTS = {"Content-Type": "text/plain"}


def gaps(times):
    return [b - a for a, b in itertools.pairwise(times)]


def test_nothing_outside_the_allow_list_is_connected_to(site, other_site, crawl):
    """A redirect, links in every disguise and a robots.txt of its own: the second port sees no connection at all."""
    connections = []
    accept = other_site.server.get_request

    def counted():
        connection = accept()
        connections.append(connection)
        return connection

    other_site.server.get_request = counted
    port = other_site.port
    hosts = [
        "127.0.0.1",
        "127.0.0.2",
        "localhost",
        "[::ffff:127.0.0.1]",
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "127.1",
    ]
    links = [f"http://{host}:{port}/leak" for host in hosts] + [
        f"http://me:pw@127.0.0.1:{port}/",
        f"ftp://127.0.0.1:{port}/",
    ]
    site.page("/", *links, "/hop", "/robots-hop")
    site.page("/hop", status=302, Location=f"http://localhost:{port}/hopped")
    prefixes = [f"{site.origin}/", f"http://127.0.0.1:{port}/", f"http://localhost:{port}/"]
    prefixes += [f"http://127.0.0.2:{port}/", f"http://[::ffff:127.0.0.1]:{port}/"]
    run = crawl(site, url_prefixes=prefixes)
    assert run() == 0, run.errors
    assert connections == []
    blocked = {v["url"]: v["reason"] for v in run.visits() if f":{port}" in v["url"]}
    assert set(blocked.values()) == {"address_blocked"}
    assert f"http://127.0.0.1:{port}/leak" in blocked
    assert f"http://localhost:{port}/hopped" in blocked
    assert len(blocked) == 5
    assert sum(run.end["connections_blocked"].values()) >= 4


def test_a_robots_redirect_to_a_forbidden_address_is_not_followed(site, other_site, crawl):
    site.page("/")
    site.pages["/robots.txt"] = (301, {"Location": f"{other_site.origin}/robots.txt"}, b"")
    run = crawl(site)
    assert run() == 0
    assert other_site.hits == []
    assert run.by_path(site)["/"]["reason"] == "address_blocked"


def test_a_name_that_resolves_to_an_allowed_address(site, crawl):
    site.page("/", "/x")
    site.page("/x")
    run = crawl(site, seeds=[f"http://localhost:{site.port}/"])
    assert run() == 0
    assert [v["reason"] for v in run.visits() if not v["url"].endswith(".xml")] == [None, None]


@pytest.mark.parametrize("status", [500, 503, 429])
def test_robots_that_fails_closes_the_host(site, crawl, status):
    site.page("/", "/x")
    site.pages["/robots.txt"] = (status, ROBOTS, b"User-agent: *\nAllow: /\n")
    run = crawl(site, max_tries=3)
    assert run() == 0
    assert len(site.asked("/robots.txt")) == 3
    assert site.asked("/") == []
    (visit,) = run.visits()
    assert visit["reason"] == "robots_disallowed"
    assert str(status) in visit["error"]


def test_robots_that_fails_once_is_asked_again(site, crawl):
    site.page("/")
    answers = [(500, ROBOTS, b"x"), (200, ROBOTS, b"User-agent: *\nDisallow: /x\n")]
    site.pages["/robots.txt"] = lambda handler: answers.pop(0)
    site.page("/", "/x")
    run = crawl(site)
    assert run() == 0
    assert {p: v["reason"] for p, v in run.by_path(site).items()}["/x"] == "robots_disallowed"
    assert run.by_path(site)["/"]["reason"] is None


def test_a_missing_robots_allows_everything_and_redirects_are_followed(site, crawl):
    site.page("/", "/private/x")
    site.page("/private/x")
    site.page("/robots.txt", status=301, Location="/real-robots.txt")
    site.pages["/real-robots.txt"] = (200, ROBOTS, b"User-agent: *\nDisallow: /private/\n")
    run = crawl(site)
    assert run() == 0
    assert run.by_path(site)["/private/x"]["reason"] == "robots_disallowed"


def test_requests_to_a_host_keep_their_distance(site, crawl):
    site.page("/", *(f"/{n}" for n in range(4)))
    for n in range(4):
        site.page(f"/{n}")
    run = crawl(site, seconds_between_requests=0.3, sitemaps=False)
    assert run() == 0
    assert len(site.hits) == 6
    assert min(gaps([at for at, _, _ in site.hits])) > 0.25


def test_crawl_delay_is_kept(site, crawl):
    site.page("/", "/1", "/2")
    site.page("/1")
    site.page("/2")
    site.pages["/robots.txt"] = (200, ROBOTS, b"User-agent: *\nCrawl-delay: 0.4\n")
    run = crawl(site, sitemaps=False)
    assert run() == 0
    assert min(gaps([at for at, path, _ in site.hits if path != "/robots.txt"])) > 0.35


def test_no_more_requests_at_once_than_the_config_says(site, crawl):
    now, most = [], []

    def answer(handler):
        now.append(1)
        most.append(len(now))
        time.sleep(0.1)
        now.pop()
        return 200, {}, b"<p>x"

    site.page("/", *(f"/{n}" for n in range(12)))
    for n in range(12):
        site.pages[f"/{n}"] = answer
    run = crawl(site, requests_per_host=3)
    assert run() == 0
    assert max(most) == 3


def test_a_slow_host_does_not_hold_another(site, other_site, crawl):
    def hang(handler):
        time.sleep(3)
        return 200, {}, b"<p>late"

    for n in range(20):
        site.pages[f"/{n}"] = hang
        other_site.page(f"/{n}", f"/{n + 1}")
    site.page("/", *(f"/{n}" for n in range(20)), f"{other_site.origin}/0")
    allow = [f"127.0.0.1/32:{site.port}", f"127.0.0.1/32:{other_site.port}"]
    prefixes = [f"{site.origin}/", f"{other_site.origin}/"]
    run = crawl(
        site, allow_addresses=allow, url_prefixes=prefixes, timeout_seconds=1, max_tries=1, max_failures_in_a_row=6
    )
    assert run(timeout=40) == 0
    last_quick = max(at for at, path, _ in other_site.hits)
    assert last_quick - other_site.hits[0][0] < 2.5
    reasons = [v["reason"] for p, v in run.by_path(site).items() if p != "/" and "xml" not in p]
    assert reasons == ["fetch_failed"] * 20
    asked = sum(path[1:].isdigit() for _, path, _ in site.hits)
    assert asked < 20  # the budget closed the host
    assert any("failures in a row" in (v["error"] or "") for v in run.visits())


def test_a_host_that_is_not_there(site, crawl):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    run = crawl(site, seeds=[f"http://127.0.0.1:{port}/"], allow_addresses=[f"127.0.0.1/32:{port}"])
    assert run() == 0
    (visit,) = run.visits()
    assert visit["reason"] == "fetch_failed"
    assert run.end["answered"] == 0


def test_the_page_limit_is_kept_and_the_rest_is_named(site, crawl):
    site.page("/", *(f"/{n}" for n in range(30)))
    for n in range(30):
        site.page(f"/{n}")
    run = crawl(site, max_pages=10, sitemaps=False)
    assert run() == 0
    assert run.end["reasons"] == {"page_limit": 21, "kept": 10}
    assert len(site.hits) == 11


def test_the_depth_limit_is_kept(site, crawl):
    for n in range(6):
        site.page(f"/{n}", f"/{n + 1}")
    run = crawl(site, seeds=[f"{site.origin}/0"], max_depth=2, sitemaps=False)
    assert run() == 0
    assert list(run.by_path(site)) == ["/0", "/1", "/2"]
    assert run.end["links_too_deep"] == 1


def test_the_scope_is_kept(site, other_site, crawl):
    site.page("/docs/", "/docs/a", "/blog/b", f"{other_site.origin}/")
    site.page("/docs/a")
    allow = [f"127.0.0.1/32:{site.port}", f"127.0.0.1/32:{other_site.port}"]
    run = crawl(site, seeds=[f"{site.origin}/docs/"], url_prefixes=[f"{site.origin}/docs/"], allow_addresses=allow)
    assert run() == 0
    assert set(run.by_path(site)) == {"/docs/", "/docs/a", "/sitemap.xml"}
    assert other_site.hits == []


def test_certificates_are_verified(site, crawl, tmp_path):
    """A plain HTTP server on an https address is no answer; nothing falls back to an unverified connection."""
    site.page("/")
    run = crawl(site, seeds=[f"https://127.0.0.1:{site.port}/"])
    assert run() == 0
    assert run.visits()[0]["reason"] == "fetch_failed"
    assert site.hits == []


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "not JSON"),
        ("[]", "valid dictionary"),
        ('{"source": {}, "folder": "/x"}', "source.name"),
        ('{"source": {"name": "a", "licence": "x", "seeds": ["http://a.cn/"], "speed": 9}, "folder": "/x"}', "speed"),
        ('{"source": {"name": "a", "licence": "x", "seeds": ["http://0x7f.1/"]}, "folder": "FOLDER"}', "0x7f.1"),
    ],
)
def test_a_wrong_config_is_said_and_nothing_is_made(site, crawl, text, says):
    run = crawl(site)
    run.config.write_text(text.replace("FOLDER", str(run.out)))
    assert run() == 2
    assert says in run.errors
    assert "Traceback" not in run.errors
    assert run.events[-1]["event"] == "error"
    assert site.hits == []


def test_a_missing_config_and_a_folder_that_cannot_be_made(site, crawl):
    run = crawl(site)
    config = json.loads(run.config.read_text())
    run.config.write_text(json.dumps(config | {"folder": str(run.config / "below-a-file")}))
    assert run() == 5
    assert "cannot be written" in run.errors
    run.config.unlink()
    assert run() == 2


def test_a_full_disk_is_said_and_the_crawl_goes_on_later(site, crawl):
    """A limit on file sizes stands in for a full disk: the write fails in the middle of the crawl."""
    site.page("/", *(f"/{n}" for n in range(60)))
    noise = bytes(range(256)) * 40
    for n in range(60):
        site.pages[f"/{n}"] = (200, {}, f"<p>{n}".encode() + bytes(b ^ (n * 37 % 256) for b in noise))
    run = crawl(site)
    assert run(preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000))) == 5
    assert "free space and run the same command again" in run.errors
    assert "Traceback" not in run.errors
    assert not (run.out / "end.json").exists()
    assert run() == 0
    run.check_archives()
    assert run.end["reasons"]["kept"] == 61
