"""How fast and how well pages become text: ziliu's extractor beside its parts alone. Run with `pytest -m bench`.

Speed: MB of HTML per CPU second, decoding included, on pages of ten real sites, in this process, and through the stage's
killable worker (both processes counted). Quality: mean precision, recall and F1 of character 4-grams, white space
ignored, against hand-checked pages (gold, coverage of at least .9) and site-specific selectors (silver).
"""

from __future__ import annotations

import collections
import gzip
import json
import os
import platform
import random
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import polars as pl
import pytest
import trafilatura
from resiliparse.extract.html2text import extract_plain_text

from data_contracts.stages import ExtractConfig
from tasks.killable import Killable, Limits
from tasks.transforms.decode import decode
from tasks.transforms.page_text import Page, page_text

pytestmark = pytest.mark.bench
PAGES_PER_SITE = int(os.environ.get("ZILIU_BENCH_PAGES", "40"))
CFG = ExtractConfig()


def cpu_seconds() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def ours(body: bytes) -> str:
    return page_text(Page(body, None, "", CFG.min_chars, CFG.min_text_ratio)).get("text") or ""


EXTRACTORS: dict[str, Callable[[bytes], str]] = {
    "ziliu": ours,
    "resiliparse main_content": lambda b: extract_plain_text(decode(b).text, main_content=True),
    "trafilatura fast": lambda b: trafilatura.extract(decode(b).text, fast=True, include_comments=False) or "",
    "trafilatura": lambda b: trafilatura.extract(decode(b).text, include_comments=False) or "",
}


def web_pages(folder: Path) -> list[bytes]:
    """A fixed sample of every site's pages."""
    found = []
    for path in sorted((folder / "web").glob("*.tar.xz")):
        with tarfile.open(path, "r:xz") as archive:
            members = sorted((m for m in archive if m.isfile() and m.size), key=lambda m: m.name)
            wanted = {m.name for m in random.Random(7).sample(members, min(PAGES_PER_SITE, len(members)))}
        with tarfile.open(path, "r:xz") as archive:
            found += [archive.extractfile(m).read() for m in archive if m.name in wanted]
    return found


def gold(folder: Path) -> list[tuple[bytes, str]]:
    rows = pl.read_parquet(folder / "extraction" / "gold_pages.parquet")
    rows = rows.filter((pl.col("gold_text") != "") & (pl.col("coverage") >= 0.9))
    return list(rows.select("html", "gold_text").iter_rows())


def silver(folder: Path) -> Iterator[tuple[bytes, str]]:
    """A fixed sample of every site: no more than PAGES_PER_SITE / 4 pages each, because trafilatura is slow."""
    texts: dict[str, dict[str, str]] = collections.defaultdict(dict)
    with gzip.open(folder / "extraction" / "silver.jsonl.gz") as file:
        for line in file:
            row = json.loads(line)
            texts[row["site"]][f"{row['site']}/{row['path']}"] = row["text"]
    for site, known in sorted(texts.items()):
        wanted = set(random.Random(7).sample(sorted(known), min(max(1, PAGES_PER_SITE // 4), len(known))))
        with tarfile.open(folder / "web" / f"{site}.tar.xz", "r:xz") as archive:
            yield from [(archive.extractfile(m).read(), known[m.name]) for m in archive if m.name in wanted]


def grams(text: str) -> collections.Counter[str]:
    flat = "".join(text.split())
    return collections.Counter(flat[i : i + 4] for i in range(max(1, len(flat) - 3)))


def scores(pairs: list[tuple[str, str]]) -> dict[str, float]:
    """Mean precision, recall and F1 over (wanted, found) texts."""
    sums = collections.Counter()
    for wanted, found in pairs:
        want, have = grams(wanted), grams(found)
        same = (want & have).total()
        precision, recall = same / max(1, have.total()), same / max(1, want.total())
        sums["precision"] += precision
        sums["recall"] += recall
        sums["f1"] += 2 * precision * recall / (precision + recall) if same else 0.0
    return {name: round(value / len(pairs), 3) for name, value in sums.items()}


def through_the_worker(pages: list[bytes]) -> dict[str, float]:
    start = cpu_seconds()
    worker = Killable(page_text, Limits(CFG.deadline_seconds, CFG.max_memory_bytes))
    asked = (Page(b, None, "", CFG.min_chars, CFG.min_text_ratio) for b in pages)
    outcomes = list(worker.map(asked, size=lambda p: len(p.body)))
    worker.close()
    seconds = cpu_seconds() - start
    faults = collections.Counter(o.fault or o.value["reason"] or o.value["extractor"] for o in outcomes)
    mb = sum(map(len, pages)) / 1e6
    return {"mb_per_cpu_second": round(mb / seconds, 2), "cpu_seconds": round(seconds, 2), **faults}


def test_extract(shared_data: Path, tmp_path: Path) -> None:
    pages, checked, selected = web_pages(shared_data), gold(shared_data), list(silver(shared_data))
    mb = sum(map(len, pages)) / 1e6
    result: dict[str, object] = {
        "machine": platform.processor() or platform.machine(),
        "web_pages": len(pages),
        "web_mb": round(mb, 1),
        "stage_worker": through_the_worker(pages),
    }
    for name, extractor in EXTRACTORS.items():
        fast = "trafilatura" not in name
        timed = pages if fast else pages[:: max(1, len(pages) // 60)]
        extractor(timed[0])  # imports
        start = cpu_seconds()
        texts = [extractor(body) for body in timed]
        seconds = cpu_seconds() - start
        result[name] = {
            "mb_per_cpu_second": round(sum(map(len, timed)) / 1e6 / seconds, 2),
            "empty_ratio": round(sum(not t.strip() for t in texts) / len(texts), 4),
            "gold": scores([(wanted, extractor(body)) for body, wanted in checked]),
            "silver": scores([(wanted, extractor(body)) for body, wanted in selected]),
        }
    out = Path(os.environ.get("ZILIU_BENCH_OUT", tmp_path)) / "extract.json"
    out.write_text(json.dumps(result, ensure_ascii=False, indent=1), encoding="utf-8")
    print(json.dumps(result, ensure_ascii=False, indent=1))
    assert result["ziliu"]["gold"]["f1"] > 0
