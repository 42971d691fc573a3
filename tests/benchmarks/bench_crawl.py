"""Crawling real sites from loopback: CPU milliseconds a page, WARC and index included, on a first crawl and on recrawls.

CPU seconds of the crawler program alone, from its start to its end; the server is another process of nobody's. A page is
a URL that was answered (sites link to pages that were not kept: those are 404, archived and cheap), `kept` counts the
pages worth reading only.
"""

from __future__ import annotations

import pytest

from tests.benchmarks.measured import write
from tests.crawler.conftest import Run
from tests.crawler.real_sites import SITES, RealSite, settings

MEASURED = ("w3school-gb2312", "debian-handbook-zh-cn", "libreoffice-help-zh-cn", "blog-lujun9972", "trpl-zh-cn")


def figures(run: Run) -> dict[str, float]:
    """What one run of the program cost."""
    spent, kept = run.end["last_run"], run.end["reasons"].get("kept", 0)
    milliseconds = 1000 * spent["cpu_seconds"]
    return {
        "pages": spent["pages"],
        "kept": kept,
        "cpu_ms_a_page": round(milliseconds / spent["pages"], 2),
        "cpu_ms_a_kept_page": round(milliseconds / kept, 2),
        "cpu_seconds": spent["cpu_seconds"],
        "archived_bytes": sum(a["bytes"] for a in run.end["archives"] if not a["folder"]),
        "max_resident_mb": spent["max_resident_mb"],
        "seconds": spent["seconds"],
    }


def measure(sites: list[RealSite], tmp_path, name: str) -> dict[str, dict[str, float]]:
    """First crawl, a recrawl that asks for everything, and one for which nothing but the seeds is due."""
    asks = settings(sites)
    first = Run(None, tmp_path / f"{name}-first", **asks)
    again = Run(None, tmp_path / f"{name}-again", previous=first, **asks)
    idle = Run(None, tmp_path / f"{name}-idle", previous=again, **asks | {"recrawl_after_hours": 20})
    for run in (first, again, idle):
        assert run(timeout=900) == 0, run.errors
        assert run.essence() == first.essence()
    assert again.end["last_run"]["unmodified"] >= 0.95 * first.end["reasons"]["kept"]
    assert idle.end["last_run"]["answers"] < 0.05 * first.end["last_run"]["answers"] + 10 * len(sites)
    return {"first": figures(first), "recrawl": figures(again), "nothing_due": figures(idle)}


@pytest.mark.bench
@pytest.mark.timeout(3600)
def test_crawl(shared_data, tmp_path):
    found = {}
    for name in MEASURED:
        site = RealSite(shared_data, name)
        found[name] = measure([site], tmp_path, name)
        site.close()
    sites = [RealSite(shared_data, name) for name in SITES]
    found["all_twelve_at_once"] = measure(sites, tmp_path, "all")
    for site in sites:
        site.close()
    print(write("crawl", {"sites": found}, tmp_path).read_text(encoding="utf-8"))
