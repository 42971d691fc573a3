"""Dedup as a stage: planted copies are found and named; shards and order change nothing; a new shard is cheap."""

from __future__ import annotations

import gzip
import random
from pathlib import Path

import opencc
import orjson
import polars as pl
import pytest

from data_contracts.config import Place
from data_contracts.dataset import KEPT, QUARANTINED
from data_contracts.stages import DedupConfig
from tasks.dedup import dedup
from tasks.store import Store
from tests.given_documents import deposit, documents, split

WIDE = str.maketrans("，。！？：；（）", ",.!?:;()")
COMMON = "的一是了我不人在他有这个上们来到时大地为子中你说生国年着就那和要她出也得里后自以会"


@pytest.fixture
def place(tmp_path) -> Place:
    return Place(store=str(tmp_path / "store"), workers=1)


def run(place: Place, shards, cfg: DedupConfig | None = None):
    store = Store(place.store).open()
    dataset, _ = dedup.run(deposit(store, shards), cfg or DedupConfig(), place)
    kept = store.scan(dataset).collect()
    refused = [
        pl.read_parquet(store.path(s.files[QUARANTINED]))
        for s in store.manifest(dataset).shards
        if QUARANTINED in s.files
    ]
    return kept, pl.concat(refused, how="diagonal") if refused else kept.clear(), store.manifest(dataset)


def text_of(rng: random.Random, chars: int) -> str:
    return "".join(chr(0x4E00 + rng.randrange(2500)) + ("，" if rng.random() < 0.1 else "") for _ in range(chars))


def noisy(rng: random.Random, text: str, rate: float) -> str:
    return "".join(rng.choice(COMMON) if rng.random() < rate else c for c in text)


def planted(seed: int = 3) -> tuple[list[str], dict[int, tuple[int, str]]]:
    """Texts and, for each copy, (the text it was made from, kind)."""
    rng = random.Random(seed)
    texts = [text_of(rng, rng.choice([80, 300, 1200])) for _ in range(120)]
    truth: dict[int, tuple[int, str]] = {}
    s2t = opencc.OpenCC("s2t")
    texts[:40] = [opencc.OpenCC("t2s").convert(t) for t in texts[:40]]
    makers = {
        "exact": lambda t: t,
        "width": lambda t: t.translate(WIDE),
        "spaces": lambda t: t.replace("，", "，\n　"),
        "script": s2t.convert,
        "noise": lambda t: noisy(rng, t, 0.005),
        "boilerplate": lambda t: "首页 > 资讯 > 正文\n" + t + "\n责任编辑：小王 转载请注明出处" if len(t) > 250 else t,
    }
    for number, (kind, make) in enumerate(makers.items()):
        for i in range(number * 6, number * 6 + 6):
            truth[len(texts)] = (i, kind)
            texts.append(make(texts[i]))
    return texts, truth


def test_planted_copies_are_found_and_nothing_else(place):
    texts, truth = planted()
    frame = documents(texts)
    kept, refused, manifest = run(place, split(frame, 3))
    assert kept.height + refused.height == len(texts) == sum(s.rows_in for s in manifest.shards)
    number = {doc_id: i for i, doc_id in enumerate(frame["doc_id"])}
    base = {i: truth.get(i, (i,))[0] for i in range(len(texts))}
    for doc_id, duplicate_of, similarity in refused.select("doc_id", "duplicate_of", "similarity").rows():
        assert base[number[doc_id]] == base[number[duplicate_of]], "precision: only copies go"
        assert similarity >= 0.65
    assert refused.height == len(truth), "recall: one of every pair goes"
    assert refused["duplicate_of"].is_in(kept["doc_id"].to_list()).all()
    kinds = {
        truth[max(number[a], number[b])][1]: r for a, b, r in refused.select("doc_id", "duplicate_of", "reason").rows()
    }
    assert {k for k, r in kinds.items() if r == "exact_duplicate"} >= {"exact", "width", "spaces", "script"}
    assert kinds["noise"] == kinds["boilerplate"] == "near_duplicate"


def test_the_longest_copy_stays_or_the_oldest_or_the_best(place):
    text = text_of(random.Random(1), 500)
    frame = documents([text, text + "。。。", text + "另有一句。", "别的文字" * 20])
    frame = frame.with_columns(date=pl.Series(["2020-05-01", "2020-04", None, None]))
    ids = frame["doc_id"].to_list()
    kept, refused, _ = run(place, [frame.sort("doc_id")])
    assert set(kept["doc_id"]) == {ids[2], ids[3]}
    assert refused["duplicate_of"].unique().to_list() == [ids[2]]
    kept, refused, _ = run(place, split(frame, 3), DedupConfig(keep="oldest"))
    assert set(kept["doc_id"]) == {ids[1], ids[3]}
    assert set(refused.select("doc_id", "duplicate_of", "reason").rows()) == {
        (ids[0], ids[1], "exact_duplicate"),
        (ids[2], ids[1], "near_duplicate"),
    }
    kept, _, _ = run(place, split(frame, 2), DedupConfig(keep="best"))
    assert set(kept["doc_id"]) == {ids[2], ids[3]}  # nothing has a score: the longest


def test_of_one_url_in_several_sources_one_stays(place):
    rng = random.Random(4)
    old, new, other = text_of(rng, 300), text_of(rng, 400), text_of(rng, 350)
    urls = ["http://a.cn/1", "https://a.cn/1", "https://b.cn/2", "https://b.cn/3", "file:x#1"]
    frame = documents([old, new, old[:280], new + "另有一句。", other]).with_columns(
        url=pl.Series(urls), source=pl.Series(["甲", "乙", "甲", "丙", "丁"])
    )
    ids = frame["doc_id"].to_list()
    for parts in (1, 2, 5):
        kept, refused, _ = run(place, split(frame, parts))
        # The old page gives way to the new one, itself a copy, and does not take with it what resembles the old one.
        assert set(kept["doc_id"]) == {ids[2], ids[3], ids[4]}
        rows = {row[0]: row[1:] for row in refused.select("doc_id", "duplicate_of", "reason", "similarity").rows()}
        assert rows[ids[0]][:2] == (ids[3], "same_url")
        assert rows[ids[0]][2] < 0.1
        assert rows[ids[1]][:2] == (ids[3], "near_duplicate")
    assert run(place, split(frame, 2), DedupConfig(same_url=False))[0].height == 3


def test_script_copies_stay_when_the_script_is_not_folded(place):
    simplified = "国家发展经济学习开放时间电视剧团结问题" * 3
    frame = documents([simplified, opencc.OpenCC("s2t").convert(simplified)])
    assert run(place, [frame.sort("doc_id")], DedupConfig(fold_script=False))[0].height == 2
    assert run(place, [frame.sort("doc_id")])[0].height == 1


def test_short_empty_and_bare_texts(place):
    frame = documents(["", "", "好", "好！", "坏", "……", "……", "！！", "你好吗"])
    kept, refused, _ = run(place, [frame.sort("doc_id")])
    assert kept["text"].str.replace("！$", "").sort().to_list() == ["", "……", "你好吗", "坏", "好", "！"]
    assert set(refused["reason"]) == {"exact_duplicate"}


def test_shards_and_their_order_change_nothing(place):
    frame = documents(planted()[0])

    def result(shards):
        kept, refused, _ = run(place, shards)
        return sorted(kept["doc_id"]), sorted(refused.select("doc_id", "duplicate_of", "similarity", "reason").rows())

    once = result([frame.sort("doc_id")])
    assert result(split(frame, 5)) == once
    assert result(list(reversed(split(frame, 7)))) == once


def test_a_new_shard_costs_its_signatures_and_leaves_untouched_shards(place, tmp_path):
    texts, _ = planted()
    shards = [documents(texts[i : i + 39], start=i).sort("doc_id") for i in range(0, len(texts), 39)]
    _, _, before = run(place, shards[:3])
    jobs = {
        p.name for p in Store(place.store).path(before.shards[0].files[KEPT]).parents[2].glob("shards/dedup/*.json")
    }
    copies = documents([texts[0] + "末尾"], source="late").sort("doc_id")
    kept, refused, after = run(place, [*shards[:3], copies])
    assert copies["doc_id"][0] in set(kept["doc_id"])  # longer than what it copies
    assert refused.filter(pl.col("duplicate_of") == copies["doc_id"][0])["doc_id"].to_list() == [
        documents(texts[:1])["doc_id"][0]
    ]
    now = {p.name for p in Store(place.store).path(before.shards[0].files[KEPT]).parents[2].glob("shards/dedup/*.json")}
    # sign the new shard; link, group and choose, in one part each; mark the new shard and the one that holds the copy
    assert len(now - jobs) == 6
    assert [s.content for s in after.shards[1:3]] == [s.content for s in before.shards[1:3]]
    scratch = run(Place(store=str(tmp_path / "scratch"), workers=1), [copies, *reversed(shards)])[1]
    columns = ("doc_id", "duplicate_of", "similarity", "reason")
    grown = run(place, [*shards, copies])[1]
    assert sorted(grown.select(columns).rows()) == sorted(scratch.select(columns).rows())


def records(path: Path) -> list[dict]:
    return [orjson.loads(line) for line in gzip.decompress(path.read_bytes()).split(b"\n") if line]


def test_laws_with_known_jaccard(place, shared_data):
    docs, pairs = (records(shared_data / "dedup" / name) for name in ("law_docs.jsonl.gz", "law_pairs.jsonl.gz"))
    frame = documents([d["text"] for d in docs], source="law")
    ids = dict(zip((d["id"] for d in docs), frame["doc_id"], strict=True))
    kept, refused, _ = run(place, split(frame, 2))
    stays = dict(zip(refused["doc_id"], refused["duplicate_of"], strict=True))
    alike = [p for p in pairs if p["jaccard5"] >= 0.8]
    assert len(alike) >= 5
    for pair in alike:
        a, b = ids[pair["a"]], ids[pair["b"]]
        assert stays.get(a, a) == stays.get(b, b), pair
    known = {frozenset((ids[p["a"]], ids[p["b"]])): p["jaccard5"] for p in pairs}
    for a, b in stays.items():
        assert known.get(frozenset((a, b)), 1.0) > 0.5, (a, b)
    assert kept.height + refused.height == len(docs)


def test_the_cost_of_the_dataset_is_that_of_all_its_steps(place):
    texts, _ = planted()
    _, _, manifest = run(place, split(documents(texts), 3))
    store = Store(place.store)
    names = store.folder.names("shards/dedup")
    jobs = [store.job("dedup", name.split("/")[-1].removesuffix(".json")) for name in names]
    assert manifest.cpu_seconds == pytest.approx(sum(s.cpu_seconds for made in jobs for s in made))
    assert manifest.cpu_seconds > sum(s.cpu_seconds for s in manifest.shards) > 0  # these were marked, others signed
