from __future__ import annotations

import polars as pl
import pytest

from data_contracts.clean_profiles import PROFILES
from data_contracts.stages import CleanConfig
from tasks.clean import mark
from tasks.transforms import thresholds
from tests.benchmarks.noise import noise

SENTENCES = [
    "去年冬天，我们在北方的一个小镇住了两个月。", "镇子不大，只有一条街，街的尽头是火车站。", "每天早上，卖豆浆的老人推着车从街上走过，一边走一边喊。",
    "孩子们背着书包去上学，路上的雪被踩得咯吱咯吱响。", "到了晚上，整个镇子就安静下来，只听得见远处的汽笛。", "我常常在灯下写信，把看到的事情一件一件地记下来。",
    "他们回信说，读着这些信，好像自己也走在那条街上。", "后来我离开了那里，可是每到下雪的时候，还是会想起那个小镇。", "图书馆新到了一批历史著作，管理员把它们摆在靠窗的书架上。",
    "学生们下课以后常常来这里自习，有的准备考试，有的查找资料。", "傍晚的阳光照进来，落在翻开的书页上。", "这座城市的冬天并不冷，只是常常下雨。",
]  # fmt: skip
GOOD = ["".join(SENTENCES[i:] + SENTENCES[:i]) for i in range(len(SENTENCES))]


@pytest.fixture(scope="module")
def marked() -> pl.DataFrame:
    texts = GOOD * 4 + [text for _, text in noise(GOOD, seed=3, each=2)]
    frame = pl.DataFrame({"doc_id": [f"{i:016x}" for i in range(len(texts))], "text": texts})
    return mark(frame.lazy(), CleanConfig()).collect()


@pytest.mark.parametrize("name", PROFILES)
def test_every_threshold_limits_a_signal_that_clean_measures(marked: pl.DataFrame, name: str) -> None:
    found = thresholds.limits(CleanConfig(profile=name))
    settings = {k for k in CleanConfig.model_fields if k.startswith(("min_", "max_"))}
    when = {"min_layout_chars", "min_flagged_words", "min_advert_phrases", "min_machine_phrases"}
    assert {limit.key for limit in found} == settings - when
    assert {limit.signal for limit in found} <= set(marked.columns)


def test_rules_refuse_by_signals_what_clean_refused(marked: pl.DataFrame) -> None:
    held = marked.select(pl.any_horizontal(thresholds.refusals(CleanConfig()).values())).to_series()
    assert held.equals(marked["reason"].is_not_null())


def test_shares_add_up(marked: pl.DataFrame) -> None:
    kept, found = thresholds.shares(marked, CleanConfig())
    assert kept == marked["reason"].is_null().mean()
    assert sum(share.alone for share in found) <= 1 - kept <= sum(share.refused for share in found)
    assert all(0 <= share.alone <= share.refused <= 1 for share in found)
    assert found[0].refused == max(share.refused for share in found)


@pytest.mark.parametrize("keep", [0.3, 0.5, 0.8])
def test_proposed_thresholds_keep_the_wanted_share(marked: pl.DataFrame, keep: float) -> None:
    cfg = CleanConfig()
    better = thresholds.with_thresholds(cfg, thresholds.proposed(marked, cfg, keep))
    kept, _ = thresholds.shares(marked, better)
    assert keep <= kept <= 1
    again = mark(marked.select("doc_id", "text").lazy(), better).collect()["reason"]
    late = (again == "broken_words").fill_null(False)  # measured only now that no other rule refuses these rows
    assert (again.is_null() | late).mean() >= keep


def test_a_higher_share_means_looser_thresholds(marked: pl.DataFrame) -> None:
    cfg = CleanConfig()
    tight, loose = (thresholds.proposed(marked, cfg, keep) for keep in (0.3, 0.7))
    for limit in thresholds.limits(cfg):
        if limit.key in tight:
            looser = loose[limit.key] <= tight[limit.key] if limit.is_min else loose[limit.key] >= tight[limit.key]
            assert looser, limit.key


def test_signals_without_a_value_propose_nothing() -> None:
    empty = mark(pl.LazyFrame({"doc_id": ["a"], "text": [""]}), CleanConfig()).collect()
    assert "min_word_chars" not in thresholds.proposed(empty, CleanConfig(), 0.9)
