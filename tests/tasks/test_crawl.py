"""What a crawl saw is its version: two crawls of the same bytes are one, and a young one is not made again."""

from __future__ import annotations

import json
from dataclasses import replace

import polars as pl
import pytest

from data_contracts.config import Place
from data_contracts.dataset import KEPT, QUARANTINED
from data_contracts.errors import ConfigError
from data_contracts.sources import CrawlSource
from data_contracts.stages import IngestConfig
from deployments.demo.site_server import DemoSite
from deployments.demo.website import Website
from tasks import journal, lineage, why
from tasks.crawl import crawl
from tasks.ingest import ingest_visits
from tasks.store import Store


def source(port: int, **more) -> CrawlSource:
    # One part of the site, whole: where max_pages cuts a crawl short, the time of each answer decides which pages it saw.
    site = f"http://127.0.0.1:{port}/shici/"
    return CrawlSource(
        name="site",
        licence="CC0",
        seeds=(site,),
        url_prefixes=(site,),
        allow_addresses=(f"127.0.0.1/32:{port}",),
        seconds_between_requests=0,
        requests_per_host=8,
        max_pages=400,
        max_depth=4,
        max_tries=1,
        **more,
    )


@pytest.fixture(scope="module")
def site():
    with DemoSite(0) as url:
        yield int(url.rsplit(":", 1)[1])


def test_two_stores_that_saw_the_same_have_the_same_version_of_pages(site, tmp_path):
    seen = []
    for name in ("one", "two"):
        place = Place(store=str(tmp_path / name), workers=1)
        visits, found = crawl.run(source(site), place)
        pages, _ = ingest_visits.run(visits, IngestConfig(), place)
        assert not found
        manifest = Store(place.store).manifest(pages)
        seen.append((visits, pages, [s.content for s in manifest.shards]))
    assert seen[0] == seen[1]
    assert seen[0][0].rows > 10


def test_a_young_crawl_is_found_and_an_old_one_is_made_again_as_the_same_version(site, tmp_path):
    place = Place(store=str(tmp_path), workers=1)
    first, _ = crawl.run(source(site), place)
    assert crawl.run(source(site), place) == (first, True)
    again, found = crawl.run(source(site, recrawl_after_hours=0.0), place)
    assert not found
    assert again == first
    assert len(list(tmp_path.glob("crawls/*/*/end.json"))) == 2


def test_a_changed_page_makes_a_new_version_of_old_and_new_records(tmp_path, monkeypatch):
    """What did not change is a revisit; its bytes are read from the first crawl's archive."""
    place = Place(store=str(tmp_path), workers=1)
    served = DemoSite(0)
    with served as url:
        port = int(url.rsplit(":", 1)[1])
        first, _ = crawl.run(source(port, recrawl_after_hours=0.0), place)
        store = Store(place.store)
        page = store.scan(first).filter(pl.col("depth") == 1).select("url").collect().sort("url")["url"][0]
        answered = Website.answer

        def changed(website, target):
            answer = answered(website, target)
            return replace(answer, body=answer.body + b"<p>new") if page.endswith(target) and target != "/" else answer

        monkeypatch.setattr(Website, "answer", changed)
        second, found = crawl.run(source(port, recrawl_after_hours=0.0), place)
    assert not found
    assert second != first
    visits = {d: {v["url"]: v for v in store.scan(d).collect().to_dicts()} for d in (first, second)}
    assert set(visits[first]) == set(visits[second])
    moved = {u for u, v in visits[second].items() if v["archive"] != visits[first][u]["archive"]}
    assert moved == {page}
    assert store.faults(store.manifest(second)) == []
    held = {file.sha256 for shard in store.manifest(second).shards for file in shard.files.values()}
    assert {v["archive"] for v in visits[second].values()} <= held  # so that garbage collection leaves them
    pages, _ = ingest_visits.run(second, IngestConfig(), place)
    bodies = store.scan(pages).collect()
    assert bodies.height == second.rows
    assert bodies["digest"].sort().equals(store.scan(second).collect()["digest"].sort())
    assert bodies.filter(url=page)["body"][0].endswith(b"<p>new")


def test_every_url_ends_as_a_visit_with_its_record_or_its_reason(site, tmp_path):
    place = Place(store=str(tmp_path), workers=1)
    visits, _ = crawl.run(source(site), place)
    store = Store(place.store)
    kept, refused = store.scan(visits, KEPT).collect(), store.scan(visits, QUARANTINED).collect()
    assert kept["archive"].null_count() == kept["offset"].null_count() == 0
    assert set(kept["status"]) == {200}
    assert refused["reason"].null_count() == 0
    assert all((tmp_path / "objects" / a[:2] / a).is_file() for a in kept["archive"].unique())


def test_a_page_leads_to_its_warc_file_and_the_index_of_the_crawl(site, tmp_path):
    place = Place(store=str(tmp_path), workers=1)
    with journal.keep("corpus", place):
        visits, _ = crawl.run(source(site), place)
        ingest_visits.run(visits, IngestConfig(), place)
    store = Store(place.store)
    files = store.manifest(visits).shards[-1].files
    visit = store.scan(visits).collect().to_dicts()[3]
    ((_, steps),) = why.explain(store, visit["url"])
    assert [s.dataset.split("/")[0] for s in steps] == ["crawl", "ingest_visits"]
    for step in steps:
        assert step.facts["offset"] == visit["offset"]
        assert files[step.facts["warc"]].sha256 == step.facts["archive"] == visit["archive"]
    told = [line.split(" ", 2) for line in store.path(files["index.cdxj"]).read_text("utf-8").splitlines()]
    (facts,) = [f for f in (json.loads(text) for _, _, text in told) if f["url"] == visit["url"]]
    assert (facts["filename"], int(facts["offset"])) == (steps[0].facts["warc"], visit["offset"])
    assert list(lineage.archives_of(store.manifest(visits))) == [steps[0].facts["warc"]]


def test_a_config_that_the_crawler_refuses_is_a_config_error(site, tmp_path):
    with pytest.raises((ConfigError, ValueError), match=r"seeds|address"):
        crawl.run(source(site).model_copy(update={"allow_addresses": ("not-an-address",)}), Place(store=str(tmp_path)))
