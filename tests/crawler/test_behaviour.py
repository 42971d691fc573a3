"""The program and the network, its folder and its config: small crawls of real servers, each of one thing."""

from __future__ import annotations

import json
import resource
import socket

import pytest

from tests.crawler.hostile_site import HostileWeb, page


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


def test_a_host_that_is_not_there(site, crawl):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    run = crawl(site, seeds=[f"http://127.0.0.1:{port}/"], allow_addresses=[f"127.0.0.1/32:{port}"])
    assert run() == 0
    (visit,) = run.visits()
    assert visit["reason"] == "fetch_failed"
    assert run.end["answered"] == 0


def test_certificates_are_verified(site, crawl, tmp_path):
    """A plain HTTP server on an https address is no answer; nothing falls back to an unverified connection."""
    site.page("/")
    run = crawl(site, seeds=[f"https://127.0.0.1:{site.port}/"])
    assert run() == 0
    assert run.visits()[0]["reason"] == "fetch_failed"
    assert site.hits == []


def test_a_certificate_is_taken_when_somebody_vouches_for_it_and_only_then(crawl, tmp_path, monkeypatch):
    web = HostileWeb(("tls",))
    web.start(tmp_path)
    web.origins["tls"].answers["/"] = page()
    settings = {
        "seeds": [web.url("tls", "/")],
        "allow_addresses": [f"127.0.0.1/32:{web.origins['tls'].port}"],
        "max_tries": 1,
        "sitemaps": False,
    }
    try:
        unknown = crawl(None, "unknown", **settings)
        assert unknown() == 0
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "certificate.pem"))
        known = crawl(None, "known", **settings)
        assert known() == 0
    finally:
        web.stop()
    assert [v["reason"] for v in unknown.visits()] == ["fetch_failed"]
    assert [(v["status"], v["reason"]) for v in known.visits()] == [(200, None)]


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
