"""评分: each reason has its bad text; a signal that nobody asked for stays null; a new shard costs only itself."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from data_contracts.config import Place
from data_contracts.dataset import KEPT, QUARANTINED, SIGNALS, Dataset
from data_contracts.errors import DatasetMissing, StageError
from data_contracts.schemas import DOCUMENT, SCORES
from data_contracts.scoring import ClassifierConfig, LimitsConfig, NgramConfig, ScoringConfig
from data_contracts.stages import IngestConfig
from tasks import work as work_module
from tasks.ingest import ingest_examples
from tasks.score import mark, score
from tasks.scorers import trained
from tasks.store import Store
from tasks.train_classifier import train_classifier
from tasks.train_ngrams import train_ngrams
from tests.given_documents import deposit, documents, split

sys.path.append(str(Path(__file__).parent))
lessons = importlib.import_module("given_lessons")
SMALL = ClassifierConfig(hash_bits=14, passes=2, sample_bytes=10**6).model_dump()
NGRAMS = NgramConfig(order=3, held_out_ratio=0.2).model_dump()
GOOD = "春天来了，学者们在图书馆里读历史文献，院子里的老人想起年轻时候的事情。"
BAD = {
    "low_quality": "首页 登录 注册 下一页 上一页 关于我们 联系方式 友情链接 网站地图 版权所有",
    "high_perplexity": "鬯罍彝爵斝觚觯兕觥簠簋豆俎镬鼎甗甑釜",
    "toxic": "蠢货一个，滚远一点，你这种人真是又蠢又坏，不要脸的废物。",
    "spam": "加微信领取优惠券，注册就送彩金，零首付贷款当天到账，回复退订。",
}


# marking


def told(**values: list[float]):
    return {signal: lambda texts, v=v: np.array(v[: len(texts)]) for signal, v in values.items()}


def test_each_limit_has_its_reason_and_the_worst_is_named_first():
    frame = documents(list("甲乙丙丁戊己"))
    scorers = told(
        quality=[0.9, 0.1, 0.9, 0.9, 0.9, 0.1],
        bits_per_char=[5.0, 5.0, 9.0, 5.0, 5.0, 9.0],
        toxicity=[0.1, 0.1, 0.1, 0.95, 0.1, 0.95],
        spam=[0.1, 0.1, 0.1, 0.1, 0.95, 0.95],
    )
    limits = LimitsConfig(min_quality=0.5, max_bits_per_char=8.0, max_toxicity=0.9, max_spam=0.9)
    out = mark(frame.lazy(), limits, scorers).collect()
    assert out["reason"].to_list() == [None, "low_quality", "high_perplexity", "toxic", "spam", "spam"]
    assert out["quality"].to_list() == [0.9, 0.1, 0.9, 0.9, 0.9, 0.1]


def test_a_value_at_the_limit_is_kept():
    limits = LimitsConfig(min_quality=0.5, max_bits_per_char=8.0, max_toxicity=0.9, max_spam=0.9)
    scorers = told(quality=[0.5], bits_per_char=[8.0], toxicity=[0.9], spam=[0.9])
    assert mark(documents(["甲"]).lazy(), limits, scorers).collect()["reason"].to_list() == [None]


def test_what_nobody_asked_for_stays_null_and_refuses_nothing():
    out = mark(documents(["甲", "乙"]).lazy(), LimitsConfig(max_spam=0.5), told(quality=[0.1, 0.2])).collect()
    assert out["reason"].to_list() == [None, None]
    assert out.select("bits_per_char", "toxicity", "spam").null_count().row(0) == (2, 2, 2)


def test_a_null_text_is_unreadable_and_an_empty_frame_stays_empty():
    frame = documents(["甲"]).with_columns(text=pl.lit(None, pl.String))
    out = mark(frame.lazy(), LimitsConfig(), told(quality=[0.4])).collect()
    assert out.select("reason", "quality").row(0) == ("unreadable", None)
    empty = mark(documents([]).lazy(), LimitsConfig(), told(quality=[])).collect()
    assert empty.height == 0
    assert dict(empty.select(*DOCUMENT.columns).schema) == DOCUMENT.columns


# the stages


@pytest.fixture(scope="module")
def world(tmp_path_factory) -> tuple[Place, ScoringConfig]:
    """A store, and a config with examples for every signal."""
    folder = tmp_path_factory.mktemp("examples")
    prose, offers, insults = (
        lessons.texts(s, 160, i) for i, s in enumerate((lessons.PROSE, lessons.OFFERS, lessons.INSULTS))
    )
    both = folder / "labelled.jsonl"
    rows = [{"text": t, "label": 1} for t in insults] + [{"text": t, "label": 0} for t in prose]
    both.write_text("".join(json.dumps(r, ensure_ascii=False) + "\n" for r in rows), "utf-8")
    pl.DataFrame({"content": offers}).write_parquet(folder / "offers.parquet")
    good = {
        "kind": "jsonl",
        "name": "prose",
        "licence": "CC0-1.0",
        "path": str(lessons.write(folder / "prose.jsonl", prose)),
    }
    menus = [
        f"{t[:5]}首页 登录 注册 下一页 上一页 关于我们 联系方式 友情链接 网站地图 版权所有"
        for t in lessons.texts(("",), 160)
    ]
    junk = good | {"name": "junk", "path": str(lessons.write(folder / "junk.jsonl", menus))}
    label = good | {"name": "labelled", "path": str(both)}
    bad = {"kind": "parquet", "name": "offers", "licence": "CC0-1.0", "path": str(folder / "offers.parquet")}
    cfg = ScoringConfig.model_validate(
        {
            "quality": {"wanted": [good], "unwanted": [junk], "training": SMALL, "min_quality": 0.5},
            "bits_per_char": {"trusted": [good], "training": NGRAMS, "max_bits_per_char": 23.0},
            "toxicity": {
                "harmful": [label | {"name": "toxic", "where": {"label": 1}}],
                "harmless": [label | {"name": "harmless", "where": {"label": "0"}}],
                "training": SMALL, "max_score": 0.75,
            },
            "spam": {
                "harmful": [bad | {"text_field": "content"}], "harmless": [good], "training": SMALL, "max_score": 0.75,
            },
        }
    )  # fmt: skip
    return Place(store=str(tmp_path_factory.mktemp("store")), workers=1), cfg


def run_trained(cfg: ScoringConfig, place: Place, monkeypatch) -> list[Dataset]:
    """`trained` without Prefect."""
    for stage in (ingest_examples, train_classifier, train_ngrams):
        monkeypatch.setattr(f"tasks.scorers.{stage.name}", lambda *a, s=stage: s.run(*a)[0])
    return trained(cfg, IngestConfig(), place)


def test_every_reason_has_its_bad_text(world, monkeypatch):
    place, cfg = world
    store = Store(place.store).open()
    scorers = run_trained(cfg, place, monkeypatch)
    assert [store.manifest(s).measures["signal"] for s in scorers] == ["quality", "toxicity", "spam", "bits_per_char"]
    given = deposit(store, [documents([GOOD, *BAD.values()])])
    made, found = score.run(given, scorers, cfg.limits, place)
    assert not found
    refused = store.scan(made, QUARANTINED).collect().sort("doc_id")
    by_text = dict(refused.select("text", "reason").iter_rows())
    assert {text: by_text.get(text) for text in BAD.values()} == {text: reason for reason, text in BAD.items()}
    kept = store.scan(made, KEPT).collect()
    assert kept["text"].to_list() == [GOOD]
    assert kept.select("quality", "bits_per_char", "toxicity", "spam").null_count().row(0) == (0, 0, 0, 0)
    assert score.run(given, scorers, cfg.limits, place) == (made, True)
    deciles = store.manifest(made).measures["quality_deciles"]
    assert len(deciles) == 11
    assert deciles == sorted(deciles)
    assert deciles[0] < 0.5 < deciles[-1]


def test_scorers_are_found_again_and_known_by_their_lesson(world, monkeypatch):
    place, cfg = world
    first = run_trained(cfg, place, monkeypatch)
    assert run_trained(cfg, place, monkeypatch) == first
    swapped = cfg.quality.model_copy(update={"wanted": cfg.quality.unwanted, "unwanted": cfg.quality.wanted})
    other = run_trained(cfg.model_copy(update={"quality": swapped}), place, monkeypatch)
    assert other[0].version != first[0].version
    assert other[1:] == first[1:]
    loose = cfg.quality.model_copy(update={"min_quality": 0.1})
    assert run_trained(cfg.model_copy(update={"quality": loose}), place, monkeypatch) == first


def test_scorers_are_judged_on_texts_that_they_have_not_seen(world, monkeypatch):
    place, cfg = world
    store = Store(place.store).open()
    quality, _, _, fluency = (store.manifest(s) for s in run_trained(cfg, place, monkeypatch))
    told = quality.measures
    assert told["auc"] > 0.99
    assert told["positives"] + told["negatives"] + sum(told["learned_from"].values()) < 320  # the rest calibrates
    assert fluency.measures["texts"] + fluency.measures["held_out_texts"] == 160
    orders = fluency.measures["bits_per_char_by_order"]
    assert len(orders) == 3
    assert orders[0] > orders[2]
    assert fluency.measures["quantiles"]["0.05"] <= fluency.measures["quantiles"]["0.95"] < 13.0


def test_a_new_shard_costs_only_itself(world, monkeypatch):
    place, cfg = world
    store = Store(place.store).open()
    scorers = run_trained(cfg, place, monkeypatch)
    frame = documents([f"{GOOD}{i}" for i in range(30)], source="more")
    ran = []
    real = work_module.run_job
    monkeypatch.setattr(work_module, "run_job", lambda *a: ran.append(a[3].__name__) or real(*a))
    first, _ = score.run(deposit(store, split(frame, 3)), scorers, cfg.limits, place)
    assert ran == ["score_shard"] * 3
    more = [*split(frame, 3), documents([f"{GOOD}又"], source="new")]
    second, _ = score.run(deposit(store, more), scorers, cfg.limits, place)
    assert ran == ["score_shard"] * 4
    assert (first.rows, second.rows) == (30, 31)
    whole, _ = score.run(deposit(store, [frame]), scorers, cfg.limits, place)
    columns = ["doc_id", *SCORES]
    assert (
        store.scan(whole)
        .select(columns)
        .collect()
        .sort("doc_id")
        .equals(store.scan(first).select(columns).collect().sort("doc_id"))
    )


def test_without_scorers_the_shards_pass_on_unread(store):
    given = deposit(store, split(documents([GOOD, "短", "长"]), 2))
    place = Place(store=str(store.root), workers=1)
    made, _ = score.run(given, [], ScoringConfig().limits, place)
    before, after = store.manifest(given).shards, store.manifest(made).shards
    assert [s.files for s in after] == [{KEPT: s.files[KEPT]} for s in before]
    assert (made.rows, made.quarantined, made.chars) == (given.rows, 0, given.chars)
    assert all(SIGNALS not in s.files for s in after)


def test_a_dataset_of_the_store_is_an_example_by_version_or_channel(world, monkeypatch):
    place, cfg = world
    store = Store(place.store).open()
    wanted = deposit(store, [documents(lessons.texts(lessons.PROSE, 160, 7), source="wanted")])
    store.point("corpus/wanted", wanted)
    made = []
    for name in ("corpus/wanted", wanted.name):
        sides = {"wanted": [{"kind": "dataset", "dataset": name}], "unwanted": cfg.quality.unwanted, "training": SMALL}
        made += run_trained(ScoringConfig.model_validate({"quality": sides}), place, monkeypatch)
    assert made[0] == made[1]
    assert store.manifest(made[0]).parents[0] == wanted.name
    sides["wanted"] = [{"kind": "dataset", "dataset": "corpus/nowhere"}]
    with pytest.raises(DatasetMissing, match="corpus/nowhere"):
        run_trained(ScoringConfig.model_validate({"quality": sides}), place, monkeypatch)


@pytest.mark.parametrize(
    ("unwanted", "said"), [(lessons.texts(lessons.OFFERS, 20), "20 different negative texts"), (None, "told apart")]
)
def test_a_lesson_that_cannot_be_learned_is_said(world, tmp_path, monkeypatch, unwanted, said):
    place, cfg = world
    if unwanted is None:  # the same sentences on both sides
        monkeypatch.setattr("tasks.transforms.text_classifier.calibrate", lambda raw, labels: (-0.1, 0.0))
        unwanted = lessons.texts(lessons.PROSE, 160, 3)
    path = lessons.write(tmp_path / "few.jsonl", unwanted)
    few = cfg.quality.wanted[0].model_copy(update={"name": "few", "path": str(path)})
    quality = cfg.quality.model_copy(update={"unwanted": (few,)})
    with pytest.raises(StageError, match=said):
        run_trained(ScoringConfig(quality=quality), place, monkeypatch)
