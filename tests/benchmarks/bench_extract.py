"""How fast and how well pages become text: ziliu's extractor beside its parts alone and beside peers.

    ZILIU_SHARED_DATA=FOLDER ZILIU_PEER_READABILITY=PYTHON ZILIU_PEER_DATATROVE=PYTHON \\
        pytest -m bench tests/benchmarks/bench_extract.py

Speed: MB of HTML per CPU second, decoding included, on pages of ten real sites, in this process, and through the stage's
killable worker (both processes counted). Quality: mean precision, recall and F1, white space ignored, of character
4-grams and of single characters, against hand-checked pages (gold, coverage of at least .9) and site-specific selectors
(silver). Settings were made with these pages in sight, so "on unseen sites" scores every site by settings that were found
without it (held_out.py). "no template known" is ziliu with its lists of templates and forums taken away. Peers live in
environments of their own, named by their python; without that they are left out. They get pages that ziliu decoded.
"""

from __future__ import annotations

import collections
import gzip
import json
import os
import random
import subprocess
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import fmean
from urllib.parse import urlsplit

import polars as pl
import pytest
import trafilatura
from resiliparse.extract.html2text import extract_plain_text

from data_contracts.stages import ExtractConfig
from tasks.killable import Killable, Limits
from tasks.transforms import main_text
from tasks.transforms.decode import decode
from tasks.transforms.page_text import Page, page_text
from tests.benchmarks.held_out import Checked, held_out
from tests.benchmarks.measured import write

pytestmark = pytest.mark.bench
PAGES_PER_SITE = int(os.environ.get("ZILIU_BENCH_PAGES", "40"))
CFG = ExtractConfig()


def cpu_seconds() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def ours(body: bytes) -> str:
    return page_text(Page(body, None, "")).get("text") or ""


def without_templates(body: bytes) -> str:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(main_text, "content_root", lambda *_: None)
        patch.setattr(main_text, "forum_posts", lambda *_: [])
        return ours(body)


EXTRACTORS: dict[str, Callable[[bytes], str]] = {
    "ziliu": ours,
    "ziliu, no template known": without_templates,
    "resiliparse main_content": lambda b: extract_plain_text(decode(b).text, main_content=True),
    "trafilatura fast": lambda b: trafilatura.extract(decode(b).text, fast=True, include_comments=False) or "",
    "trafilatura": lambda b: trafilatura.extract(decode(b).text, include_comments=False) or "",
}
PEERS = ("readability", "datatrove")
FAST = ("ziliu", "ziliu, no template known", "resiliparse main_content")


def by_peer(name: str, bodies: list[bytes], folder: Path) -> tuple[list[str], float] | None:
    """Texts by a peer and its CPU seconds; None where its environment is not named."""
    python = os.environ.get(f"ZILIU_PEER_{name.upper()}")
    if not python:
        return None
    pages = folder / "pages.jsonl"
    pages.write_text("".join(json.dumps(decode(b).text) + "\n" for b in bodies), encoding="utf-8")
    program = Path(__file__).with_name("peers") / "html_text.py"
    ended = subprocess.run([python, program, name, pages], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr[-3000:]
    answer = json.loads(ended.stdout.splitlines()[-1])
    return answer["texts"], answer["cpu_seconds"]


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


def gold(folder: Path) -> list[Checked]:
    rows = pl.read_parquet(folder / "extraction" / "gold_pages.parquet")
    rows = rows.filter((pl.col("gold_text") != "") & (pl.col("coverage") >= 0.9)).select("html", "gold_text", "url")
    return [Checked(html, text, domain(url), "gold") for html, text, url in rows.iter_rows()]


def domain(url: str) -> str:
    parts = (urlsplit(url).hostname or "").split(".")
    return ".".join(parts[-3:] if parts[-1] == "cn" and parts[-2] in ("com", "org", "net", "gov") else parts[-2:])


def silver(folder: Path) -> Iterator[Checked]:
    """A fixed sample of every site: no more than PAGES_PER_SITE / 4 pages each, because trafilatura is slow."""
    texts: dict[str, dict[str, str]] = collections.defaultdict(dict)
    with gzip.open(folder / "extraction" / "silver.jsonl.gz") as file:
        for line in file:
            row = json.loads(line)
            texts[row["site"]][f"{row['site']}/{row['path']}"] = row["text"]
    for site, known in sorted(texts.items()):
        wanted = set(random.Random(7).sample(sorted(known), min(max(1, PAGES_PER_SITE // 4), len(known))))
        with tarfile.open(folder / "web" / f"{site}.tar.xz", "r:xz") as archive:
            members = [m for m in archive if m.name in wanted]
            yield from (Checked(archive.extractfile(m).read(), known[m.name], site, "silver") for m in members)


def grams(text: str, size: int) -> collections.Counter[str]:
    flat = "".join(text.split())
    return collections.Counter(flat[i : i + size] for i in range(max(1, len(flat) - size + 1)))


def scores(pairs: list[tuple[str, str]], size: int = 4) -> dict[str, float]:
    """Mean precision, recall and F1 over (wanted, found) texts, by character n-grams of a size."""
    each = [_scores(wanted, found, size) for wanted, found in pairs]
    names = ("precision", "recall", "f1")
    return {name: round(fmean(values), 3) for name, values in zip(names, zip(*each, strict=True), strict=True)}


def f1(wanted: str, found: str) -> float:
    return _scores(wanted, found, 4)[2]


def _scores(wanted: str, found: str, size: int) -> tuple[float, float, float]:
    want, have = grams(wanted, size), grams(found, size)
    same = (want & have).total()
    precision, recall = same / max(1, have.total()), same / max(1, want.total())
    return precision, recall, 2 * precision * recall / (precision + recall) if same else 0.0


def through_the_worker(pages: list[bytes]) -> dict[str, float]:
    start = cpu_seconds()
    worker = Killable(page_text, Limits(CFG.deadline_seconds, CFG.max_memory_bytes))
    asked = (Page(b, None, "") for b in pages)
    outcomes = list(worker.map(asked, size=lambda p: len(p.body)))
    worker.close()
    seconds = cpu_seconds() - start
    faults = collections.Counter(o.fault or o.value["reason"] or o.value["extractor"] for o in outcomes)
    mb = sum(map(len, pages)) / 1e6
    return {"mb_per_cpu_second": round(mb / seconds, 2), "cpu_seconds": round(seconds, 2), **faults}


def judged(texts: list[str], checked: list[Checked]) -> dict[str, object]:
    """Scores of the texts of all checked pages."""
    result: dict[str, object] = {}
    for kind in ("gold", "silver"):
        pairs = [(page.wanted, text) for page, text in zip(checked, texts, strict=True) if page.kind == kind]
        result |= {kind: scores(pairs), f"{kind}_characters": scores(pairs, 1)}
    return result


@pytest.mark.timeout(3600)
def test_extract(shared_data: Path, tmp_path: Path) -> None:
    pages, checked = web_pages(shared_data), [*gold(shared_data), *silver(shared_data)]
    asked = [page.body for page in checked]
    some = pages[:: max(1, len(pages) // 60)]  # for the slow ones
    result: dict[str, object] = {
        "web_pages": len(pages),
        "web_mb": round(sum(map(len, pages)) / 1e6, 1),
        "stage_worker": through_the_worker(pages),
    }
    for name, extractor in EXTRACTORS.items():
        timed = pages if name in FAST else some
        extractor(timed[0])  # imports
        start = cpu_seconds()
        texts = [extractor(body) for body in timed]
        result[name] = rate(timed, texts, cpu_seconds() - start) | judged([extractor(b) for b in asked], checked)
    for name in PEERS:
        if (speed := by_peer(name, some, tmp_path)) and (quality := by_peer(name, asked, tmp_path)):
            result[name] = rate(some, *speed) | judged(quality[0], checked)
        else:
            result[name] = f"left out: ZILIU_PEER_{name.upper()} names no python"
    result["ziliu, on unseen sites"] = held_out(checked, ours, f1)
    write("extract", result, tmp_path)
    print(json.dumps(result, ensure_ascii=False, indent=1))
    mine, worker = result["ziliu"], result["stage_worker"]
    for name in (*EXTRACTORS, *PEERS):
        if isinstance(result[name], dict):
            for measure in ("gold", "gold_characters", "silver", "silver_characters"):
                assert mine[measure]["f1"] >= result[name][measure]["f1"], (name, measure)
    assert mine["empty_ratio"] <= 0.01
    assert not {"timeout", "memory", "crash"} & set(worker)


def rate(pages: list[bytes], texts: list[str], seconds: float) -> dict[str, object]:
    return {
        "mb_per_cpu_second": round(sum(map(len, pages)) / 1e6 / seconds, 2),
        "empty_ratio": round(sum(not t.strip() for t in texts) / len(texts), 4),
    }
