"""The study of vocabulary sizes as a stage and as a command."""

from __future__ import annotations

import json
import re

import polars as pl
import pytest
from typer.testing import CliRunner

from data_contracts.config import Place
from data_contracts.errors import NothingLeft
from data_contracts.stages import SegmentConfig, Splits, VocabConfig
from data_contracts.study import StudyConfig
from deployments.cli import app
from tasks.reporting.study_page import study_page
from tasks.segment import segment
from tasks.store import Store, publish
from tasks.transforms.splits import TRAIN, cuts, places, split_of
from tasks.vocab_study import held_out, vocab_study
from tests.given_documents import deposit, documents, invented, split

SPLITS, STUDY = Splits(validation_ratio=0.1, test_ratio=0.1), StudyConfig(sizes=(300, 500, 9000), width=16)


@pytest.fixture
def place(tmp_path) -> Place:
    return Place(name="t", store=str(tmp_path / "store"), workers=1)


def test_every_size_is_measured_on_what_none_was_trained_on(place):
    frame = documents(invented(200))
    store = Store(place.store).open()
    given = deposit(store, split(frame, 3))
    made, _ = vocab_study.run(given, VocabConfig(), SPLITS, STUDY, place)
    told = store.manifest(made).measures
    assert [row["size"] for row in told["sizes"]][:2] == [300, 500]
    assert 500 < told["sizes"][2]["size"] < 9000, "the text gives no more merges"
    rates = [row["chars_per_token"] for row in told["sizes"]]
    assert rates == sorted(rates)
    assert told["recommended"] in [row["size"] for row in told["sizes"]]
    chosen = held_out(store, [s.files["kept.parquet"] for s in store.manifest(given).shards], 10**9, SPLITS)
    ids = [i for c in chosen for i in pl.read_parquet(store.path(c.source))[c.rows]["doc_id"]]
    where = places(frame["doc_id"].to_list())
    held = {i for i, s in zip(frame["doc_id"], split_of(where, cuts(where, 0.1, 0.1)), strict=True) if s != TRAIN}
    assert set(ids) == held
    assert told["held_out_documents"] == len(held)
    again = deposit(store, split(frame, 2), stage="other")
    other = store.manifest(vocab_study.run(again, VocabConfig(), SPLITS, STUDY, place)[0]).measures
    assert other == told, "sharding changes nothing"


def test_one_document_cannot_be_held_out(place):
    given = deposit(Store(place.store).open(), [documents(["孤独的文档"])])
    with pytest.raises(NothingLeft, match="no document is held out"):
        vocab_study.run(given, VocabConfig(), SPLITS, STUDY, place)


def test_the_command_shows_a_table_and_writes_a_page(place, tmp_path):
    store = Store(place.store).open()
    corpus, _ = segment.run(deposit(store, [documents(invented(60))]), SegmentConfig(), place)
    publish(corpus, "corpus", place)
    (tmp_path / "a.jsonl").write_text('{"text": "一"}')
    config = tmp_path / "c.yaml"
    config.write_text(f"name: t\nstore: {store.root}\nsources: [{{kind: jsonl, name: a, licence: x, path: a.jsonl}}]\n")
    told = CliRunner().invoke(app, ["vocabulary", str(config), "--sweep", "300,400"])
    assert told.exit_code == 0, told.output
    assert re.search(r"建议 recommended: vocab\.size=(300|400)", told.output)
    [page] = store.root.glob("runs/vocabulary-*/study.html")
    html = page.read_text(encoding="utf-8")
    assert html.count("<svg") == 2
    assert "://" not in re.sub(r">[^<]*<", "><", html)
    assert "<script" not in html
    assert "300" in html
    assert "Cached" in CliRunner().invoke(app, ["vocabulary", str(config), "--sweep", "400,300"]).output
    wrong = CliRunner().invoke(app, ["vocabulary", str(config), "--sweep", "big"])
    assert wrong.exit_code == 2


def test_a_page_shows_text_as_text(place):
    row = {"size": 300, "chars_per_token": 1.0, "split_char_ratio": 0.1, "byte_token_ratio": 0.1, "covered_ratio": 0.9}
    row |= {"embedding_parameters": 4800, "embedding_ratio": 0.5, "work_per_char": 9600}
    told = {"sizes": [row], "recommended": 300, "held_out_documents": 1, "held_out_bytes": 3, "width": 16}
    html = study_page(json.loads(json.dumps(told | {"body_parameters": 0})), "<b>x</b>", "vocab_study/1")
    assert "<b>x</b>" not in html
    assert "300 ★" in html
