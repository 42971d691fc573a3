"""Twelve real Chinese sites in one crawl, killed again and again: nothing is lost, every archive is whole."""

from __future__ import annotations

import contextlib
import random
from collections import Counter
from urllib.parse import unquote, urljoin, urlsplit

import pytest
from resiliparse.parse.html import HTMLTree
from warcio.archiveiterator import ArchiveIterator

from tests.crawler.real_sites import SITES, RealSite, settings

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]
KILLS = 10


@pytest.fixture(scope="module")
def sites(shared_data):
    made = [RealSite(shared_data, name) for name in SITES]
    yield made
    for site in made:
        site.close()


@pytest.fixture(scope="module")
def reference(sites, crawl_once):
    run = crawl_once(None, **settings(sites))
    assert run(timeout=600) == 0, run.errors
    return run


def reachable(site):
    """Paths of the pages that links lead to, by another parser of HTML than the crawler's."""
    start = site.seed.removeprefix(site.origin)
    found, todo = {start}, [start]
    while todo:
        path = todo.pop()
        document = HTMLTree.parse_from_bytes(site.pages[path].body, "gb18030" if "w3school" in site.name else "utf-8")
        bases = [one.getattr("href") for one in document.document.query_selector_all("base[href]")]
        # A slice: walking the collection itself takes time that grows with the square of its length.
        for one in document.document.query_selector_all("a[href], area[href], frame[src], iframe[src]")[:]:
            if "nofollow" in (one.getattr("rel") or ""):
                continue
            link, base = one.getattr("href") or one.getattr("src") or "", bases[0] if bases else ""
            with contextlib.suppress(ValueError):
                target = urlsplit(urljoin(urljoin(site.origin + path, base), link.strip()))
                place = unquote(target.path) or "/"
                if f"{target.scheme}://{target.netloc}" == site.origin and place in site.pages and place not in found:
                    found.add(place)
                    todo.append(place)
    return found


def test_every_page_that_links_lead_to_is_found(sites, reference):
    kept = {v["url"] for v in reference.visits() if v["reason"] is None}
    different = {}
    for name, site in zip(SITES, sites, strict=True):
        paths = {unquote(urlsplit(url).path) for url in kept if url.startswith(f"{site.origin}/")}
        if missed := reachable(site) - paths:
            different[name] = sorted(missed)[:5]
    assert different == {}
    assert len(kept) >= 2400
    reference.check_archives()


def test_kills_lose_nothing(sites, reference, crawl_once):
    killed = crawl_once(None, **settings(sites))
    total, kills, chance = len(reference.visits()), 0, random.Random(11)
    for n in range(KILLS):
        wanted = int(total * (n + chance.random()) / (KILLS + 1)) + 1
        kills += killed.kill_when(lambda wanted=wanted: killed.committed() >= wanted, timeout=300)
    assert kills >= 8
    assert not (killed.out / "end.json").exists()
    assert killed(timeout=600) == 0, killed.errors
    assert killed.end["runs"] == kills + 1
    assert killed.essence() == reference.essence()
    archived = Counter()
    for path in killed.check_archives():
        with open(path, "rb") as stream:  # noqa: PTH123
            for record in ArchiveIterator(stream):
                if record.rec_type == "response":
                    archived[record.rec_headers.get_header("WARC-Target-URI")] += 1
    lost = [v["url"] for v in killed.visits() if v["status"] is not None and not archived[v["url"]]]
    assert lost == []
    assert max(n for url, n in archived.items() if not url.endswith("/robots.txt")) == 1
    print({"kills": kills, "urls": len(archived), "archives": len(killed.end["archives"])})


def test_a_recrawl_of_them_all_fetches_no_page_again(sites, reference, crawl_once):
    again = crawl_once(None, previous=reference, **settings(sites))
    assert again(timeout=600) == 0, again.errors
    assert again.essence() == reference.essence()
    last, first = again.end["last_run"], reference.end["last_run"]
    assert last["unmodified"] >= 2400
    assert last["bytes"] < first["bytes"] / 20
    again.check_archives()
    for run in (reference, again):
        spent = run.end["last_run"]
        print({"pages": spent["pages"], "cpu_ms_a_page": 1000 * spent["cpu_seconds"] / spent["pages"]})
