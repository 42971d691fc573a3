"""`ziliu leaderboard` on a store with models and scores that were written as the stages write them."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path

import polars as pl
import pytest

from data_contracts.dataset import Dataset, Manifest, Shard
from data_contracts.errors import ConfigError, DatasetMissing
from deployments.leaderboard import entered, leaderboard, ranking
from tasks.contest import contest
from tasks.entrants import Entrant, entrant, every, side
from tasks.rows import Room
from tasks.store import Store

sys.path.append(str(Path(__file__).parents[1] / "tasks"))
told = importlib.import_module("told_contest")


def put(store: Store, number: int, given: Entrant, scored: bool = True) -> Dataset:
    """A model, its run's tables, and its scores."""
    run = f"train-{number}"
    folder = store.run_folder(run)
    rows = "".join(f"{i},{8 - i / 100},{5 - i / 100},0.1,1.0,1000\n" for i in range(1, 101))
    (folder / "metrics.csv").write_text(f"step,loss,bits_per_char,learning_rate,gradient_norm,tokens\n{rows}")
    (folder / "validation.csv").write_text("step,loss,bits_per_char,tokens\n50,7.5,4.6,500\n100,7.0,4.1,500\n")
    (folder / "speed.csv").write_text("step,tokens_per_second,peak_share\n40,2000,0.5\n100,1000,0.5\n")
    common = {"config": {}, "code": "", "libraries": {}, "created_at": f"2026-11-0{number}T00:00:00Z"}
    model = Manifest(stage="pretrain", version=f"{number:016x}", schema_label="model", parents=[], shards=[Shard(content="m", files={})], measures={"run": run, "parameters": 5000, "tokens": 100_000}, **common)  # fmt: skip
    handle = store.commit(model)
    if scored:
        with store.folder.scratch() as scratch:
            room = Room(store, scratch)
            files = {"documents.parquet": room.put(given.documents), "outcomes.parquet": room.put(given.outcomes)}
        files["scores.json"] = store.put_bytes(json.dumps(given.scores).encode())
        store.commit(Manifest(stage="assess", version=f"{number:016x}", schema_label="scores", parents=[handle.name], shards=[Shard(content="s", files=files)], measures={"speed": given.measures["speed"]}, **common))  # fmt: skip
    return handle


@pytest.fixture
def models(store: Store) -> list[Dataset]:
    given = [told.entrant("a"), told.entrant("b", 0.09, seed=8), told.entrant("c", documents=told.documents(start=900))]
    made = [put(store, i, one) for i, one in enumerate(given, 1)]
    store.point("model/demo", made[0])
    store.point("model/demo", made[1])
    return made


def test_named_models_are_compared_and_a_page_written(store: Store, models, capsys: pytest.CaptureFixture[str]):
    assert leaderboard(str(store.root), [models[0].name, "model/demo"], "") == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "demo 00000000" in out
    assert "< 0.001" in out
    [page] = (store.root / "comparisons").glob("*.html")
    assert str(page) in out
    assert "demo 00000000" in page.read_text(encoding="utf-8")


def test_a_model_asked_about_other_texts_is_refused_by_name(store: Store, models, capsys: pytest.CaptureFixture[str]):
    assert leaderboard(str(store.root), [models[0].name, models[2].name], "") == 2
    assert "no held-out text in common" in capsys.readouterr().err


def test_without_names_the_newest_decides_who_can_be_compared(store: Store, models, capsys: pytest.CaptureFixture[str]):
    put(store, 4, told.entrant("d", 0.2))
    found, reference = entered(store, [], "")
    assert [e.model for e in found] == [f"pretrain/{n:016x}" for n in (4, 2, 1)]
    assert reference == 0
    assert "left out" in capsys.readouterr().out
    assert ranking(contest(found, resamples=100)).row_count == 3


def test_the_reference_comes_first_whatever_the_order(store: Store, models):
    found, _ = entered(store, [models[0].name, models[1].name], models[1].name)
    assert [e.model for e in found] == [models[1].name, models[0].name]


def test_one_model_or_one_twice_is_no_comparison(store: Store, models):
    with pytest.raises(DatasetMissing, match="it takes two"):
        entered(store, [models[0].name], "")
    with pytest.raises(ConfigError, match="named twice"):
        entered(store, [models[1].name, "model/demo"], "")


def test_a_model_without_scores_is_named(store: Store, models):
    unscored = put(store, 5, told.entrant("e"), scored=False)
    with pytest.raises(DatasetMissing, match="no scores yet"):
        entrant(store, unscored.name)
    assert unscored.name not in {e.model for e in every(store)}


def test_scores_that_do_not_name_their_texts_are_not_compared(store: Store, models):
    old = put(store, 6, told.entrant("old", documents=told.documents().drop("digest")))
    with pytest.raises(ConfigError, match="assess the model again"):
        entrant(store, old.name)
    assert old.name not in {e.model for e in every(store)}


def test_what_is_no_model_is_said(store: Store, models):
    with pytest.raises(ConfigError, match="is no model"):
        entrant(store, f"assess/{1:016x}")


def test_curves_are_told_against_tokens_and_seconds(store: Store, models):
    found = entrant(store, models[0].name)
    assert found.unit == "bits_per_char"
    assert found.curves["validation"] == [(50_000.0, pytest.approx(30.0), 4.6), (100_000.0, pytest.approx(80.0), 4.1)]
    assert found.curves["train"][-1] == (100_000.0, pytest.approx(80.0), 4.0)
    facts = side(found).facts
    assert facts["训练词元 training tokens"] == "100K"
    assert facts["背出训练文档达 30 字 training texts recalled"] == "0.060"
    assert isinstance(found.documents, pl.DataFrame)
