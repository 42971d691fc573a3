"""Decontamination: MB per CPU second on clean text, recall on planted items by kind, precision, natural overlaps."""

from __future__ import annotations

import random
from pathlib import Path

import opencc
import polars as pl
import pytest

from data_contracts.config import Place
from data_contracts.dataset import EVIDENCE
from data_contracts.decontamination import Benchmark, DecontaminateConfig
from tasks.benchmarks import UNITS, ingest_benchmark
from tasks.decontaminate import decontaminate
from tasks.store import Store
from tasks.transforms.fold import fold
from tasks.transforms.gram_index import weight
from tests.benchmarks.measured import cpu_seconds, megabytes, real_documents, write
from tests.given_documents import deposit, documents, split

FILES = {
    "cmmlu": ("mcq/cmmlu/test_part1.jsonl.gz", ("question",)),
    "agieval": ("mcq/agieval/*.jsonl.gz", ("passage", "question")),
    "c3": ("mcq/c3/dev.jsonl.gz", ("context", "question")),
    "chid": ("fewclue/chid/dev_few_all.jsonl.gz", ("content",)),
    "csl": ("fewclue/csl/dev_few_all.jsonl.gz", ("abst",)),
    "tnews": ("fewclue/tnews/dev_few_all.jsonl.gz", ("sentence",)),
    "ocnli": ("fewclue/ocnli/dev_few_all.jsonl.gz", ("sentence1", "sentence2")),
}
READING = {"cmrc2018": "qa/cmrc2018/dev.jsonl.gz", "drcd": "qa/drcd/dev.jsonl.gz"}
MEGABYTES = 12
COMMON = "的一是了我不人在他有这个上们来到时大地为子中你说生国年着就那和要她出也得里后自以会"
WIDE = str.maketrans("，。！？：；（）0123456789", ",.!?:;()０１２３４５６７８９")
S2T = opencc.OpenCC("s2t")


def edited(text: str, rng: random.Random, share: float) -> str:
    """Every character is replaced, dropped or doubled with this probability."""
    return "".join(rng.choice([rng.choice(COMMON), "", c + c]) if rng.random() < share else c for c in text)


KINDS = {
    "whole": lambda t, rng: t,
    "width": lambda t, rng: t.translate(WIDE),
    "script": lambda t, rng: S2T.convert(t),
    "lines": lambda t, rng: "\n".join(t[i : i + 20] for i in range(0, len(t), 20)),
    "first half": lambda t, rng: t[: (len(t) + 1) // 2],
    "last half": lambda t, rng: t[len(t) // 2 :],
    "1 % edited": lambda t, rng: edited(t, rng, 0.01),
    "3 % edited": lambda t, rng: edited(t, rng, 0.03),
}


def length_class(text: str) -> str:
    chars = weight(fold([text], True).codes).sum()
    return next((f"{low:03}+" for low in (200, 100, 50, 30, 16) if chars >= low), "not judged")


@pytest.mark.bench
def test_decontaminate(shared_data, tmp_path):
    rng = random.Random(11)
    place = Place(store=str(tmp_path / "store"), workers=1)
    store = Store(place.store).open()
    cfg = DecontaminateConfig(remove="none")
    tests = [
        ingest_benchmark.run(Benchmark(name=name, path=str(shared_data / path), fields=fields), place)[0]
        for name, (path, fields) in FILES.items()
    ]
    base = real_documents(shared_data, MEGABYTES)
    spent: dict[str, float] = {}
    given = deposit(store, split(base, 4))
    with cpu_seconds(spent, "natural"):
        natural, _ = decontaminate.run(given, tests, cfg, place)
    guilty = store.scan(natural, EVIDENCE).select("doc_id").unique().collect()["doc_id"]
    hosts = base.filter(~pl.col("doc_id").is_in(guilty.implode()), pl.col("text").str.len_chars() >= 200)
    planted, truth = plant(store, tests, hosts, rng)
    marked, _ = decontaminate.run(deposit(store, split(planted, 4), stage="planted"), tests, cfg, place)
    evidence = store.scan(marked, EVIDENCE).select("doc_id", "benchmark", hit=True).unique().collect()
    found = truth.join(evidence, on=["doc_id", "benchmark"], how="left").with_columns(pl.col("hit").fill_null(False))
    recall = found.group_by("kind", "length").agg(recall=pl.col("hit").mean(), planted=pl.len()).sort("kind", "length")
    convicted = evidence["doc_id"].unique()
    path = write(
        "decontaminate",
        {
            "megabytes": megabytes(base["text"]),
            "documents": base.height,
            "mb_per_cpu_second": megabytes(base["text"]) / sum(s.cpu_seconds for s in store.manifest(natural).shards),
            "mb_per_cpu_second_with_index": megabytes(base["text"]) / spent["natural"],
            "documents_with_natural_overlap": len(guilty),
            "benchmarks": store.manifest(natural).measures["benchmarks"],
            "planted_documents": truth.height,
            "precision": float(convicted.is_in(truth["doc_id"].implode()).mean()),
            "recall": recall.to_dicts(),
            "reading": reading(shared_data, place),
        },
        tmp_path,
    )
    print(path.read_text(encoding="utf-8"))
    whole = recall.filter(pl.col("kind") == "whole", pl.col("length") != "not judged")
    assert whole["planted"].sum() > 0
    assert whole["recall"].min() == 1
    assert convicted.is_in(truth["doc_id"].implode()).mean() >= 0.99


def plant(store: Store, tests: list, hosts: pl.DataFrame, rng: random.Random) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Documents, a tenth of them with one item in the middle; and which holds what."""
    units = pl.concat(pl.read_parquet(store.path(s.files[UNITS])) for t in tests for s in store.manifest(t).shards)
    units = units.unique(["benchmark", "text"], maintain_order=True)
    rows = rng.sample(range(hosts.height), hosts.height // 2)
    texts, truth = hosts["text"].to_list(), []
    for row in rows:
        unit = units.row(rng.randrange(units.height), named=True)
        kind = rng.choice(list(KINDS))
        middle = len(texts[row]) // 2
        texts[row] = f"{texts[row][:middle]}\n{KINDS[kind](unit['text'], rng)}\n{texts[row][middle:]}"
        truth.append((row, kind, length_class(unit["text"]), unit["benchmark"]))
    planted = documents(texts, source="planted")
    columns = ["row", "kind", "length", "benchmark"]
    table = pl.DataFrame(truth, schema=columns, orient="row")
    return planted, table.with_columns(doc_id=planted["doc_id"].gather(table["row"]))


def reading(shared_data: Path, place: Place) -> dict[str, dict[str, int]]:
    """Items found in wiki_paragraphs, which holds the contexts of both reading tests."""
    store = Store(place.store)
    texts = pl.read_parquet(shared_data / "pretrain" / "wiki_paragraphs.parquet", columns=["text"])["text"].to_list()
    tests = [
        ingest_benchmark.run(Benchmark(name=name, path=str(shared_data / path), fields=("context",)), place)[0]
        for name, path in READING.items()
    ]
    given = deposit(store, [documents(texts, source="wiki")])
    dataset, _ = decontaminate.run(given, tests, DecontaminateConfig(remove="none"), place)
    told = store.manifest(dataset).measures["benchmarks"]
    return {name: {k: v for k, v in facts.items() if k != "sources"} for name, facts in told.items()}
