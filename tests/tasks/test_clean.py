from __future__ import annotations

from pathlib import Path

import polars as pl

from data_contracts.config import Place
from data_contracts.dataset import QUARANTINED
from data_contracts.stages import CleanConfig, RedactConfig
from tasks.clean import clean, mark
from tasks.redact import redact
from tasks.store import Store
from tests.given_documents import deposit, documents, split

GOOD = (
    "去年冬天，我们在北方的一个小镇住了两个月。镇子不大，只有一条街，街的尽头是火车站。每天早上，卖豆浆的老人推着车从街上走过，"
    "一边走一边喊。孩子们背着书包去上学，路上的雪被踩得咯吱咯吱响。到了晚上，整个镇子就安静下来，只听得见远处的汽笛。"
    "我常常在灯下写信，把看到的事情一件一件地记下来，寄给南方的朋友。他们回信说，读着这些信，好像自己也走在那条街上。"
    "后来我离开了那里，可是每到下雪的时候，还是会想起那个小镇，想起那些在雪里走路的人。"
)


def frame(texts: list[str | None]) -> pl.LazyFrame:
    rows = {"doc_id": [str(i) for i in range(len(texts))], "text": texts}
    return pl.LazyFrame(rows, schema={"doc_id": pl.String, "text": pl.String})


def test_good_text_is_kept_and_normalised() -> None:
    out = mark(
        frame(["\u3000\u3000" + GOOD.replace("，", "，\u200b") + "２０２６年&nbsp;完。\r\n"]), CleanConfig()
    ).collect()
    assert out["reason"].to_list() == [None]
    assert out["text"].to_list() == [GOOD + "2026年 完。"]
    assert out["language"].to_list() == ["zh-Hans"]


def test_null_empty_and_short_texts() -> None:
    out = mark(frame([None, "", "短。", GOOD]), CleanConfig()).collect()
    assert out["reason"].to_list() == ["unreadable", "too_short", "too_short", None]
    assert out["error"].to_list() == ["the text is null; its source gave none", None, None, None]


def test_empty_frame() -> None:
    out = mark(frame([]), CleanConfig()).collect()
    assert out.height == 0
    assert {"reason", "error", "han_ratio", "language"} <= set(out.columns)


def test_mojibake_is_repaired_or_refused() -> None:
    misread = GOOD.encode("gb18030").decode("latin-1")
    lost = GOOD.encode("gb18030").decode("utf-8", "replace")
    out = mark(frame([misread, lost]), CleanConfig()).collect()
    assert out["text"][0] == GOOD
    assert out["reason"].to_list() == [None, "mojibake"]


def test_to_simplified_converts_phrases() -> None:
    text = "他把軟體裝進電腦，用滑鼠點開了網路上的說明。" * 3
    cfg = CleanConfig(to_simplified=True, min_chars=10, max_duplicate_ngram_ratio=1.0, max_top_ngram_ratio=1.0)
    out = mark(frame([text, GOOD]), cfg).collect()
    assert out["text"][0].startswith("他把软件装进电脑，用鼠标点开了网络上的")
    assert out["text"][1] == GOOD


def test_both_stages_on_a_store(tmp_path: Path) -> None:
    place = Place(store=str(tmp_path), workers=1)
    store = Store(tmp_path).open()
    given = deposit(store, split(documents([GOOD, "短。", GOOD + "联系电话13812345609。", "乱" * 300]), 2))
    tidy, found = clean.run(given, CleanConfig(), place)
    assert not found
    assert (tidy.rows, tidy.quarantined) == (2, 2)
    assert store.manifest(tidy).reasons == {"low_entropy": 1, "too_short": 1}
    refused = store.scan(tidy, QUARANTINED).collect().sort("chars")
    assert refused["unigram_entropy"].to_list() == [0.693147, 0.0]
    safe, _ = redact.run(tidy, RedactConfig(), place)
    assert sorted(store.scan(safe).collect()["text"].to_list()) == sorted([GOOD, GOOD + "联系电话<MOBILE>。"])
    counted = store.manifest(safe).shards
    assert sum(shard.measures["mobile"] for shard in counted) == 1
    assert sum(shard.measures["redacted"] for shard in counted) == 1
    assert clean.run(given, CleanConfig(), place) == (tidy, True)
    looser, found = clean.run(given, CleanConfig(min_chars=1), place)
    assert not found, "another threshold is another dataset"
    assert store.manifest(looser).reasons == {"low_entropy": 2}
