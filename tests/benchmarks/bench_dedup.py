"""Near-duplicate search: MB per CPU second, and precision and recall against planted copies with known Jaccard."""

from __future__ import annotations

import random

import opencc
import polars as pl
import pytest

from data_contracts.config import Place
from data_contracts.dataset import QUARANTINED
from data_contracts.stages import DedupConfig
from tasks.dedup import dedup
from tasks.store import Store
from tests.benchmarks.measured import cpu_seconds, megabytes, real_documents, write
from tests.given_documents import deposit, documents, split

COMMON = "的一是了我不人在他有这个上们来到时大地为子中你说生国年着就那和要她出也得里后自以会"
WIDE = str.maketrans("，。！？：；（）", ",.!?:;()")


def shingles(text: str) -> set[str]:
    text = "".join(text.split())
    return {text[i : i + 5] for i in range(max(1, len(text) - 4))}


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


@pytest.mark.bench
def test_dedup(shared_data, tmp_path):
    rng = random.Random(7)
    base = real_documents(shared_data, 20).filter(pl.col("text").str.len_chars() >= 60)
    place = Place(store=str(tmp_path / "store"), workers=1)
    store = Store(place.store).open()
    cleared, _ = dedup.run(deposit(store, split(base, 4)), DedupConfig(min_similarity=0.4), place)  # no natural copies
    texts = store.scan(cleared).collect()["text"].to_list()
    copies = plant(texts, rng)
    frame = documents(texts + [c for _, _, c in copies], source="planted")
    number = {doc_id: i for i, doc_id in enumerate(frame["doc_id"])}
    origin = [*range(len(texts)), *(i for i, _, _ in copies)]
    given = deposit(store, split(frame, 4), stage="planted")
    spent: dict[str, float] = {}
    with cpu_seconds(spent, "dedup"):
        dataset, _ = dedup.run(given, DedupConfig(), place)
    files = [s.files[QUARANTINED] for s in store.manifest(dataset).shards if QUARANTINED in s.files]
    refused = pl.concat([pl.read_parquet(store.path(f)) for f in files], how="diagonal")
    gone = dict(zip(refused["doc_id"], refused["duplicate_of"], strict=True))
    right = sum(origin[number[a]] == origin[number[b]] for a, b in gone.items())
    found: dict[str, list[bool]] = {}
    for k, (i, kind, copy) in enumerate(copies):
        a, b = frame["doc_id"][i], frame["doc_id"][len(texts) + k]
        if kind in ("noise", "sentences"):
            x, y = shingles(texts[i]), shingles(copy)
            jaccard = len(x & y) / len(x | y)
            kind += " J>=0.8" if jaccard >= 0.8 else " J<0.8"
        found.setdefault(kind, []).append(gone.get(a, a) == gone.get(b, b))
    path = write(
        "dedup",
        {
            "megabytes": megabytes(frame["text"]),
            "documents": frame.height,
            "mb_per_cpu_second": megabytes(frame["text"]) / spent["dedup"],
            "precision": right / len(gone),
            "recall": {kind: sum(v) / len(v) for kind, v in sorted(found.items())},
            "copies": {kind: len(v) for kind, v in sorted(found.items())},
        },
        tmp_path,
    )
    print(path.read_text(encoding="utf-8"))
    assert right == len(gone)
