"""Dedup: MB per CPU second, precision and recall against planted copies with known Jaccard, peers beside it, memory.

ZILIU_PEER_DATATROVE and ZILIU_PEER_DATA_JUICER name the python of an environment that has that peer; without them it is
left out (datatrove 0.10.1; py-data-juicer 1.6.1 with aiohttp, and torch installed before it). ZILIU_BENCH_MEGABYTES
(60,200) are the sizes at which memory is measured.
"""

from __future__ import annotations

import gzip
import json
import os
import random
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import opencc
import orjson
import polars as pl
import pytest

from data_contracts.config import Place
from data_contracts.dataset import QUARANTINED
from data_contracts.stages import DedupConfig
from tasks.dedup import dedup
from tasks.store import Store
from tests.benchmarks.measured import cpu_seconds, megabytes, real_documents, write
from tests.given_documents import deposit, documents, split

ROOT = Path(__file__).resolve().parents[2]
COMMON = "的一是了我不人在他有这个上们来到时大地为子中你说生国年着就那和要她出也得里后自以会"
WIDE = str.maketrans("，。！？：；（）", ",.!?:;()")
PEERS = {"datatrove": "datatrove_minhash.py", "data_juicer": "data_juicer_minhash.py"}


def shingles(text: str) -> set[str]:
    text = "".join(text.split())
    return {text[i : i + 5] for i in range(max(1, len(text) - 4))}


def jaccard(left: str, right: str) -> float:
    x, y = shingles(left), shingles(right)
    return len(x & y) / len(x | y)


def plant(texts: list[str], rng: random.Random) -> list[tuple[int, str, str]]:
    """(index of the original, kind, copy): 20 % exact, 10 % near, 1 % width, 1 % script, as on the real web."""
    s2t = opencc.OpenCC("s2t")
    pool = [t[:40] for t in rng.sample(texts, min(len(texts), 500))]

    def noise(text: str) -> str:
        rate = rng.choice([0.005, 0.01, 0.02, 0.04])
        return "".join(rng.choice(COMMON) if rng.random() < rate else c for c in text)

    def sentences(text: str) -> str:
        return "".join(rng.choice(pool) if rng.random() < 0.08 else s + "。" for s in text.split("。"))

    kinds = {
        "exact": (0.2, lambda t: t),
        "noise": (0.05, noise),
        "sentences": (0.05, sentences),
        "width": (0.01, lambda t: t.translate(WIDE)),
        "script": (0.01, s2t.convert),
    }
    return [
        (i, kind, copy(texts[i]))
        for kind, (share, copy) in kinds.items()
        for i in rng.sample(range(len(texts)), int(share * len(texts)))
    ]


def kind_of(kind: str, original: str, copy: str) -> str:
    """Near copies by their true Jaccard; a script copy only where its characters did change."""
    if kind == "script":
        return kind if jaccard(original, copy) < 0.9 else "script, hardly changed"
    if kind in ("noise", "sentences"):
        alike = jaccard(original, copy)
        return "near J>=0.8" if alike >= 0.8 else "near J 0.7-0.8" if alike >= 0.7 else "near J<0.7"
    return kind


def scored(copies: list[tuple[int, str, str]], texts: list[str], kept: set[int]) -> dict[str, Any]:
    """Precision and recall of what was kept; `kept` are row numbers, the copies stand behind the texts.

    A group is a text and its copies. What goes is right while one of its group stays. Recall by kind is taken from
    groups of one copy, where it is clear which copy was found.
    """
    origin = [*range(len(texts)), *(i for i, _, _ in copies)]
    sizes, left = Counter(origin), Counter(origin[row] for row in kept)
    wrong = sum(1 for text in sizes if not left[text])
    removed = len(origin) - len(kept)
    found: dict[str, list[bool]] = {}
    for i, kind, copy in copies:
        if sizes[i] == 2:
            found.setdefault(kind_of(kind, texts[i], copy), []).append(left[i] == 1)
    return {
        "removed": removed,
        "precision": (removed - wrong) / max(1, removed),
        "recall": {kind: round(sum(hits) / len(hits), 4) for kind, hits in sorted(found.items())},
        "copies": {kind: len(hits) for kind, hits in sorted(found.items())},
    }


def beside(name: str, frame: pl.DataFrame, folder: Path, spent: dict[str, float]) -> set[str] | None:
    """Ids that a peer keeps; None where it is not installed."""
    python = os.environ.get(f"ZILIU_PEER_{name.upper()}")
    if not python:
        return None
    corpus, work = folder / "corpus", folder / name
    for made in (corpus, work):
        made.mkdir(exist_ok=True)
    for number, part in enumerate(split(frame, 4)):
        part.select(id="doc_id", text="text").write_ndjson(corpus / f"{number}.jsonl")
    program = Path(__file__).with_name("peers") / PEERS[name]
    with cpu_seconds(spent, name):
        ended = subprocess.run([python, program, corpus, work], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr[-3000:]
    return set(json.loads(ended.stdout.splitlines()[-1])["kept"])


@pytest.mark.bench
@pytest.mark.timeout(1800)
def test_dedup(shared_data, tmp_path):
    base = real_documents(shared_data, 20).filter(pl.col("text").str.len_chars() >= 60)
    place = Place(store=str(tmp_path / "store"), workers=1)
    store = Store(place.store).open()
    low = DedupConfig(bands=32, rows_per_band=3, min_similarity=0.4)  # no natural copies are left in the base
    texts = store.scan(dedup.run(deposit(store, split(base, 4)), low, place)[0]).collect()["text"].to_list()
    copies = plant(texts, random.Random(7))
    frame = documents(texts + [c for _, _, c in copies], source="planted")
    number = {doc_id: i for i, doc_id in enumerate(frame["doc_id"])}
    given = deposit(store, split(frame, 4), stage="planted")
    spent: dict[str, float] = {}
    with cpu_seconds(spent, "ziliu"):
        dataset, _ = dedup.run(given, DedupConfig(), place)
    kept = {"ziliu": set(store.scan(dataset).select("doc_id").collect()["doc_id"])}
    for peer in PEERS:
        if (ids := beside(peer, frame, tmp_path, spent)) is not None:
            kept[peer] = ids
    size = megabytes(frame["text"])
    tools = {
        tool: {"mb_per_cpu_second": round(size / spent[tool], 2), **scored(copies, texts, {number[i] for i in ids})}
        for tool, ids in kept.items()
    }
    origin = [*range(len(texts)), *(i for i, _, _ in copies)]
    pairs = _named(store, dataset)
    named_right = sum(origin[number[a]] == origin[number[b]] for a, b in pairs)
    figures = {
        "megabytes": size,
        "documents": frame.height,
        "tools": tools,
        "named_precision": named_right / len(pairs),
    }
    print(write("dedup", figures, tmp_path).read_text(encoding="utf-8"))
    ours = tools["ziliu"]
    assert min(ours["precision"], figures["named_precision"]) >= 0.99
    assert ours["recall"]["near J>=0.8"] >= 0.98
    assert min(ours["recall"][kind] for kind in ("exact", "width", "script", "script, hardly changed")) >= 0.99


@pytest.mark.bench
def test_laws(shared_data, tmp_path):
    docs, pairs = (_records(shared_data / "dedup" / n) for n in ("law_docs.jsonl.gz", "law_pairs.jsonl.gz"))
    frame = documents([d["text"] for d in docs], source="law")
    ids = dict(zip((d["id"] for d in docs), frame["doc_id"], strict=True))
    text = dict(zip(frame["doc_id"], frame["text"], strict=True))
    place = Place(store=str(tmp_path / "store"), workers=1)
    store = Store(place.store).open()
    dataset, _ = dedup.run(deposit(store, split(frame, 4)), DedupConfig(), place)
    stays = dict(_named(store, dataset))
    alike = [p for p in pairs if p["jaccard5"] >= 0.8]
    found = sum(stays.get(ids[p["a"]], ids[p["a"]]) == stays.get(ids[p["b"]], ids[p["b"]]) for p in alike)
    true = sorted(jaccard(text[a], text[b]) for a, b in stays.items())
    figures = {
        "pairs J>=0.8": len(alike),
        "recall": found / len(alike),
        "removed": len(stays),
        "precision at J>=0.6": sum(j >= 0.6 for j in true) / max(1, len(true)),
        "lowest J": true[0] if true else None,
    }
    print(write("dedup_laws", figures, tmp_path).read_text(encoding="utf-8"))
    assert figures["recall"] >= 0.98
    assert figures["precision at J>=0.6"] >= 0.99


@pytest.mark.bench
@pytest.mark.timeout(3600)
def test_memory(shared_data, tmp_path):
    sizes = os.environ.get("ZILIU_BENCH_MEGABYTES", "60,200").split(",")
    took = []
    for size in sizes:
        store = str(tmp_path / size)
        name = json.loads(_program("make", store, size, str(shared_data)))
        took.append(json.loads(_program("run", store, name, "2")))
    peaks = [max(t["peak_rss_mb"].values()) for t in took]
    figures = {"sizes": took, "largest_over_smallest": round(peaks[-1] / peaks[0], 3)}
    print(write("dedup_memory", figures, tmp_path).read_text(encoding="utf-8"))
    assert peaks[-1] <= 1.2 * peaks[0]


def _program(*arguments: str) -> str:
    command = [sys.executable, "-m", "tests.benchmarks.dedup_memory", *arguments]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr[-3000:]
    return ended.stdout.splitlines()[-1]


def _named(store: Store, dataset: Any) -> list[tuple[str, str]]:
    """(document that goes, document that it names)."""
    return store.scan(dataset, QUARANTINED).select("doc_id", "duplicate_of").collect().rows()


def _records(path: Path) -> list[dict[str, Any]]:
    return [orjson.loads(line) for line in gzip.decompress(path.read_bytes()).split(b"\n") if line]
