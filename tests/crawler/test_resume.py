"""Killed at any moment, the same command goes on: no URL lost, no torn archive, the same result as without the kill."""

from __future__ import annotations

import random
import signal
import time
from collections import Counter

import pytest
from warcio.archiveiterator import ArchiveIterator

from tasks.crawler import job


def build(site, pages, seconds=0.0):
    """A site whose pages link to each other at random, some of them redirects, errors and disallowed."""
    chance = random.Random(pages)
    for n in range(pages):
        links = [f"/{n + 1}", f"/{2 * n}", *(f"/{chance.randrange(pages + 5)}" for _ in range(10)), f"/private/{n}"]
        body = f"<p>{n} " + "字" * chance.randrange(3000)
        markup = (body + "".join(f'<a href="{link}">' for link in links)).encode()

        def answer(handler, markup=markup, tag=f'"{n}"'):
            time.sleep(seconds)
            if handler.headers.get("If-None-Match") == tag:
                return 304, {"ETag": tag}, b""
            return 200, {"ETag": tag} if tag[1:-1].endswith(("1", "2", "3")) else {}, markup

        site.pages[f"/{n}"] = answer
        if n % 17 == 16:
            site.page(f"/{n}", f"/{n + 1}", status=302, Location=f"/{n + 1}")
    site.pages["/"] = site.pages["/0"]
    site.pages["/robots.txt"] = (200, {"Content-Type": "text/plain"}, b"User-agent: *\nDisallow: /private/\n")


def check(run, reference):
    assert run.essence() == reference.essence()
    paths = run.check_archives()
    responses = Counter()
    for path in paths:
        with open(path, "rb") as stream:  # noqa: PTH123
            responses.update(
                record.rec_headers.get_header("WARC-Target-URI")
                for record in ArchiveIterator(stream)
                if record.rec_type == "response"
            )
    for visit in run.visits():
        if visit["status"] is not None:
            assert responses[visit["url"]] >= 1
            run.body(visit)
    # What was fetched but not committed is cut off, so no page is archived twice.
    assert max(n for url, n in responses.items() if not url.endswith("/robots.txt")) == 1


def test_one_kill(site, crawl):
    build(site, 50, seconds=0.02)
    reference, killed = crawl(site, "reference"), crawl(site, "killed")
    assert reference() == 0
    assert killed.kill_when(lambda: killed.committed() > 10)
    assert not (killed.out / "end.json").exists()
    assert killed() == 0
    assert killed.end["runs"] == 2
    start = next(event for event in killed.events if event["event"] == "start")
    assert start["recovered"] > 0 or start["torn_bytes_cut"] > 0
    check(killed, reference)


@pytest.mark.slow
@pytest.mark.timeout(280)
def test_many_kills_at_random_moments(site, crawl):
    build(site, 300, seconds=0.02)
    reference, killed = crawl(site, "reference"), crawl(site, "killed")
    assert reference() == 0
    chance, kills = random.Random(5), 0
    for _ in range(12):
        moment = time.time() + 0.4 + chance.random() * 1.5  # also while it starts
        kills += killed.kill_when(lambda moment=moment: time.time() > moment)
        if (killed.out / "end.json").exists():
            break
    assert kills >= 3
    assert killed(timeout=120) == 0
    check(killed, reference)


@pytest.mark.slow
def test_killed_between_the_pages_and_the_end(site, crawl):
    """All pages are done, the visits are not written: the rest of the work is done again from the frontier."""
    build(site, 60)
    reference, killed = crawl(site, "reference"), crawl(site, "killed")
    assert reference() == 0
    assert killed() == 0
    asked = len(site.hits)
    for name in ("end.json", "visits.jsonl"):
        (killed.out / name).unlink()
    (killed.out / "visits.partial").write_text('{"url": "half a li')
    assert killed() == 0
    assert len(site.hits) == asked
    check(killed, reference)


def test_a_kill_in_a_recrawl(site, crawl):
    """The crawl before is the same for the second run, and so is the result."""
    build(site, 50, seconds=0.02)
    first = crawl(site, "first")
    assert first() == 0
    site.page("/7", "/8", body="changed")
    site.page("/9", status=404)
    again = {"previous": first, "recrawl_after_hours": 0}
    reference, killed = crawl(site, "reference", **again), crawl(site, "killed", **again)
    assert reference() == 0
    assert killed.kill_when(lambda: killed.committed() > 10)
    assert killed() == 0
    assert killed.end["runs"] == 2
    assert killed.essence() == reference.essence()
    killed.check_archives()
    for visit in killed.visits():
        if visit["status"] is not None:
            killed.body(visit)
    by_path = killed.by_path(site)
    assert by_path["/9"]["reason"] == "gone"
    own = {a["name"] for a in killed.end["archives"] if not a["folder"]}
    assert by_path["/7"]["archive"] in own
    assert by_path["/11"]["archive"] not in own
    assert killed.end["last_run"]["unmodified"] > 0


def test_sigterm_stops_in_good_order(site, crawl):
    build(site, 200, seconds=0.05)
    run = crawl(site)
    process = run.start()
    while run.committed() < 5 and process.poll() is None:
        time.sleep(0.04)
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=20)
    assert process.returncode == 143, err
    assert '"event": "end"' not in out
    assert "Traceback" not in err
    assert not (run.out / "end.json").exists()
    run.check_archives()


def test_two_programs_on_one_folder(site, crawl):
    run = crawl(site)
    with job.lock(run.out):  # as another program holds it, until it ends
        assert run() == 5
    assert "another crawl is writing there" in run.errors
    assert site.hits == []
