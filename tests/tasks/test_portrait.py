from __future__ import annotations

import re
from pathlib import Path

import polars as pl
import pytest
import yaml

from data_contracts.config import Place
from data_contracts.errors import DatasetMissing
from data_contracts.stages import CleanConfig
from deployments.profiling import show_profile
from tasks.clean import clean
from tasks.portrait import CURVE, profile
from tasks.reporting.profile_page import page, proposal
from tasks.store import Store
from tests.given_documents import deposit, documents, split
from tests.transforms.test_thresholds import GOOD


@pytest.fixture
def filled(tmp_path: Path) -> tuple[Store, CleanConfig]:
    store = Store(tmp_path).open()
    given = deposit(store, split(documents([*GOOD, "短。", "乱" * 300, "首页\n登录\n" * 60]), 2))
    cfg = CleanConfig(min_chars=100)
    clean.run(given, cfg, Place(store=str(tmp_path), workers=1))
    return store, cfg


def test_a_cleaned_dataset_is_judged_by_its_signals(filled: tuple[Store, CleanConfig]) -> None:
    store, cfg = filled
    found = profile(store, "clean", keep=0.7)
    assert (found.rows, found.rows_in_all, found.config) == (15, 15, cfg)
    assert found.kept == pytest.approx(12 / 15)
    assert {s.reason: s.refused for s in found.refused}["too_short"] == pytest.approx(1 / 15)
    assert found.kept_by_proposed >= 0.7
    chars = next(curve for curve in found.curves if curve.signal == "chars")
    assert len(chars.values) == CURVE
    assert (chars.values[0], chars.limits["min_chars"]) == (2, 100)
    assert chars.values[-1] == len("首页\n登录\n" * 60) - 1
    row = found.quantiles.row(by_predicate=pl.col("signal") == "chars", named=True)
    assert (row["0%"], row["50%"], row["100%"]) == (2, len(GOOD[0]), 359)


def test_any_dataset_of_texts_is_measured(filled: tuple[Store, CleanConfig]) -> None:
    store, _ = filled
    [before] = [m for m in store.datasets() if m.stage != "clean"]
    found = profile(store, before.version, name="forum")
    assert found.config == CleanConfig(profile="forum")
    assert found.rows == 15
    assert found.kept == pytest.approx(12 / 15)


def test_what_is_no_dataset_of_texts_is_named(filled: tuple[Store, CleanConfig]) -> None:
    with pytest.raises(DatasetMissing, match="corpus/nothing"):
        profile(filled[0], "corpus/nothing")


def test_the_proposal_can_be_pasted(filled: tuple[Store, CleanConfig]) -> None:
    found = profile(filled[0], "clean", keep=0.7)
    pasted = yaml.safe_load(proposal(found))["clean"]
    assert CleanConfig(**pasted).model_dump() == (
        found.config.model_dump() | found.proposed | {"min_chars": pasted["min_chars"]}
    )


def test_the_page_shows_every_signal_and_asks_nothing_of_the_network(filled: tuple[Store, CleanConfig]) -> None:
    found = profile(filled[0], "clean", keep=0.7)
    html = page(found)
    assert html.count("<svg") == len(found.curves)
    assert all(f"<code>{curve.signal}</code>" in html for curve in found.curves)
    assert not re.search(r"https?://|<script|<link|@import|url\(", html)
    assert proposal(found).splitlines()[1] in html


def test_the_command_prints_and_writes(filled: tuple[Store, CleanConfig], capsys: pytest.CaptureFixture[str]) -> None:
    store, _ = filled
    assert show_profile(str(store.root), "clean", 0.7, "") == 0
    printed = capsys.readouterr().out
    assert "too_short" in printed
    assert "min_chars:" in printed
    assert len(list((store.root / "profiles").glob("clean-*.html"))) == 1
    assert show_profile(str(store.root), "clean", 0.7, "lyric") != 0
