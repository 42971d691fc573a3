"""Decontaminate as a stage: items of benchmarks go, are cut or reported; each shard by itself; nothing is lost."""

from __future__ import annotations

import gzip
import json

import polars as pl
import pytest
import zstandard

from data_contracts.config import Place
from data_contracts.dataset import EVIDENCE, KEPT, QUARANTINED
from data_contracts.decontamination import Benchmark, DecontaminateConfig
from data_contracts.errors import ConfigError
from tasks.benchmarks import ingest_benchmark
from tasks.decontaminate import decontaminate
from tasks.reporting.passages import decontaminated
from tasks.store import Store
from tests.given_documents import deposit, documents, split

QUESTIONS = [
    "一辆汽车以每小时六十千米的速度从甲地开往乙地，途中停了二十分钟，问全程一共用了多长时间",
    "下列四个城市当中，哪一个城市既是省会又是长江沿岸重要的内河港口和铁路枢纽",
    "实验室里用高锰酸钾制取氧气时，试管口要略向下倾斜，其中最主要的理由是什么呢",
    "太短的题目",
]
CONTEXT = (
    "镇上的邮局每天下午四点关门，送信的老张骑着绿色的自行车走遍了附近的十二个村子，三十年来没有丢过一封信。"
    "退休那天，乡亲们在打谷场上摆了八桌酒席，给他戴上了大红花，县里的记者也赶来拍了照片。"
)
PROSE = "我家门前有一条小河，河水清清的，夏天常有孩子在里面摸鱼。河的两岸种着柳树，春天的时候柳絮飞得到处都是。" * 3


@pytest.fixture
def place(tmp_path) -> Place:
    return Place(store=str(tmp_path / "store"), workers=1)


@pytest.fixture
def quiz(tmp_path) -> Benchmark:
    """Four questions in two files, one of them with options that stand in no text."""
    folder = tmp_path / "quiz"
    folder.mkdir()
    lines = [json.dumps({"question": q, "options": ["甲", "乙"], "answer": 1}, ensure_ascii=False) for q in QUESTIONS]
    (folder / "a.jsonl.gz").write_bytes(gzip.compress("\n".join(lines[:2]).encode()))
    (folder / "b.jsonl.zst").write_bytes(zstandard.compress(("\n".join(lines[2:]) + "\n").encode()))
    return Benchmark(name="quiz", path=str(folder), fields=("question", "options"))


@pytest.fixture
def reading(tmp_path) -> Benchmark:
    """Two questions about one context, as Parquet with nested fields."""
    rows = [{"context": CONTEXT, "qas": [{"question": f"老张骑的自行车是什么颜色的{n}"}]} for n in "一二"]
    pl.DataFrame(rows).write_parquet(tmp_path / "reading.parquet")
    path = str(tmp_path / "reading.parquet")
    return Benchmark(name="reading", kind="parquet", path=path, fields=("context", "qas.question"))


def run(place: Place, texts: list[str], benchmarks: list[Benchmark], parts: int = 2, **cfg):
    store = Store(place.store).open()
    given = deposit(store, split(documents(texts), parts))
    tests = [ingest_benchmark.run(b, place)[0] for b in benchmarks]
    dataset, _ = decontaminate.run(given, tests, DecontaminateConfig(margin_chars=0, **cfg), place)
    manifest = store.manifest(dataset)
    kept = {row["url"]: row["text"] for row in store.scan(dataset).collect().to_dicts()}
    refused = store.scan(dataset, QUARANTINED).collect()
    return [kept.get(f"file:given#{i}") for i in range(len(texts))], refused, manifest


TEXTS = [
    PROSE,
    PROSE + QUESTIONS[0] + "？" + PROSE,
    QUESTIONS[1] + "。" + PROSE[:20],
    PROSE + CONTEXT,
    "短文" + QUESTIONS[3] + PROSE,
]


def test_the_passages_are_cut_and_a_text_of_little_else_goes(place, quiz, reading):
    kept, refused, manifest = run(place, TEXTS, [quiz, reading])
    assert kept == [PROSE, PROSE + PROSE, None, PROSE, TEXTS[4]]
    [gone] = refused.to_dicts()
    assert (gone["reason"], gone["benchmark"], gone["item"], gone["overlap"]) == (
        "contaminated", "quiz", "a.jsonl.gz#2", 1.0,
    )  # fmt: skip
    assert gone["text"] == TEXTS[2], "the quarantine holds the whole text"
    cut = sum(len(t) for t in TEXTS) - sum(len(k) for k in kept if k) - len(TEXTS[2])
    assert sum(s.measures.get("cut_chars", 0) for s in manifest.shards) == cut > 0
    assert manifest.total("rows_in") == manifest.total("rows_kept") + 1 == len(TEXTS)


def test_documents_go_or_are_only_reported(place, quiz, reading):
    kept, refused, _ = run(place, TEXTS, [quiz, reading], remove="document")
    assert kept == [PROSE, None, None, None, TEXTS[4]]
    assert set(refused["reason"]) == {"contaminated"}
    kept, refused, manifest = run(place, TEXTS, [quiz, reading], remove="none")
    assert kept == TEXTS
    assert refused.is_empty()
    assert sum(s.measures.get("contaminated", 0) for s in manifest.shards) == 3


def test_the_report_counts_items_documents_and_sources(place, quiz, reading):
    store = Store(place.store)
    _, _, manifest = run(place, [*TEXTS, QUESTIONS[0] + PROSE], [quiz, reading], remove="none")
    assert manifest.measures["benchmarks"] == {
        "quiz": {"items": 4, "judged": 3, "found": 2, "documents": 3, "sources": {"given": 3}},
        "reading": {"items": 2, "judged": 2, "found": 2, "documents": 1, "sources": {"given": 1}},
    }
    told = decontaminated(store, manifest)
    assert (told.remove, told.documents, told.refused, told.cut_chars) == ("none", 4, 0, 0)
    assert [(p.item, p.field, p.overlap) for p in told.benchmarks[1].passages] == [
        ("reading.parquet#1", "context", 1.0)
    ]
    assert told.benchmarks[0].passages[0].excerpt.startswith("一辆汽车")


def test_evidence_names_the_item_of_rows_that_stay(place, quiz, reading):
    _, _, manifest = run(place, TEXTS, [quiz, reading], parts=1)
    evidence = Store(place.store).scan(manifest.handle, EVIDENCE).collect().sort("start")
    told = evidence.filter(benchmark="reading").to_dicts()
    assert [(t["item"], t["field"], t["items"], t["start"], t["stop"]) for t in told] == [
        ("reading.parquet#1", "context", 2, len(PROSE), len(PROSE + CONTEXT) - 1)
    ]


def test_without_benchmarks_every_shard_is_passed_on_as_it_is(place):
    store = Store(place.store)
    _, _, manifest = run(place, TEXTS, [])
    before = store.manifest(manifest.parents[0])
    assert [s.files[KEPT] for s in manifest.shards] == [s.files[KEPT] for s in before.shards]
    assert manifest.handle.rows == len(TEXTS)
    assert manifest.total("chars") == before.total("chars")


def test_a_shard_that_repeats_nothing_is_not_written_again(place, quiz):
    store = Store(place.store)
    _, _, manifest = run(place, [PROSE, PROSE + QUESTIONS[0]], [quiz])
    before = store.manifest(manifest.parents[0])
    same = [a.files[KEPT] == b.files[KEPT] for a, b in zip(manifest.shards, before.shards, strict=True)]
    assert sorted(same) == [False, True]
    assert manifest.total("text_bytes") == before.total("text_bytes")


def test_a_new_shard_costs_itself_and_an_edited_benchmark_everything(place, quiz, tmp_path):
    def jobs() -> set[str]:
        return {p.name for p in (tmp_path / "store" / "shards" / "decontaminate").glob("*.json")}

    store = Store(place.store).open()
    shards = [documents(TEXTS, source="a"), documents([PROSE + QUESTIONS[2]], source="b")]
    cfg = DecontaminateConfig()
    tests = [ingest_benchmark.run(quiz, place)[0]]
    first, _ = decontaminate.run(deposit(store, shards[:1]), tests, cfg, place)
    done = jobs()
    both, _ = decontaminate.run(deposit(store, shards), tests, cfg, place)
    assert len(jobs() - done) == 1
    assert store.manifest(both).shards[0].content == store.manifest(first).shards[0].content
    assert decontaminate.run(deposit(store, shards), tests, cfg, place) == (both, True)
    done = jobs()
    line = json.dumps({"question": QUESTIONS[3] * 6, "options": ["丙"]}, ensure_ascii=False)
    (tmp_path / "quiz" / "c.jsonl").write_text(line + "\n", encoding="utf-8")
    more, found = ingest_benchmark.run(quiz, place)
    assert not found
    assert more.rows == 5
    decontaminate.run(deposit(store, shards), [more], cfg, place)
    assert len(jobs() - done) == 3, "the index and both shards"


@pytest.mark.parametrize(
    ("content", "fields", "said"),
    [
        ('{"question": "甲"}\n{"question": ', ("question",), "line 2 is not JSON"),
        ('["甲"]\n', ("question",), "no JSON object"),
        ('{"question": "甲"}\n', ("question", "stem"), "no item of its 1 files has text in stem"),
    ],
)
def test_a_benchmark_that_cannot_be_read_whole_is_an_error(place, tmp_path, content, fields, said):
    (tmp_path / "bad.jsonl").write_text(content, encoding="utf-8")
    with pytest.raises(ConfigError, match=said):
        ingest_benchmark.run(Benchmark(name="bad", path=str(tmp_path / "bad.jsonl"), fields=fields), place)


def test_a_benchmark_without_a_single_gram_finds_nothing(place, tmp_path):
    (tmp_path / "tiny.jsonl").write_text('{"question": "甲"}\n', encoding="utf-8")
    tiny = Benchmark(name="tiny", path=str(tmp_path / "tiny.jsonl"), fields=("question",))
    kept, _, manifest = run(place, TEXTS, [tiny])
    assert kept == TEXTS
    assert manifest.measures["benchmarks"]["tiny"] == {
        "items": 1, "judged": 0, "found": 0, "documents": 0, "sources": {},
    }  # fmt: skip
