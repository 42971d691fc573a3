"""Paragraphs across a corpus: off by default, one document keeps each, nothing is lost that cannot be put back."""

from __future__ import annotations

import random

import polars as pl
import pytest

from data_contracts.config import Place
from data_contracts.dataset import PARAGRAPHS, QUARANTINED
from data_contracts.stages import DedupConfig
from tasks.copies import tables
from tasks.dedup import dedup
from tasks.store import Store
from tasks.why import explain
from tests.given_documents import deposit, documents, split

NOTICE = (
    "免责声明：本站所载文章均来自网友投稿，仅供学习交流，版权归原作者所有，如有侵权请与我们联系删除，谢谢合作与支持。"
)
CFG = DedupConfig(max_paragraph_documents=3, min_paragraph_chars=30)


@pytest.fixture
def place(tmp_path) -> Place:
    return Place(store=str(tmp_path / "store"), workers=1)


def text_of(rng: random.Random, chars: int) -> str:
    return "".join(chr(0x4E00 + rng.randrange(2500)) for _ in range(chars))


def corpus() -> pl.DataFrame:
    rng = random.Random(9)
    texts = [f"{text_of(rng, 200 + i)}\n{NOTICE}\n{text_of(rng, 100)}" for i in range(6)]
    texts += [text_of(rng, 150) + "\n" + text_of(rng, 40), "\n" + NOTICE + "\n ", texts[0]]
    return documents(texts)


def run(place: Place, shards, cfg: DedupConfig):
    store = Store(place.store).open()
    dataset, _ = dedup.run(deposit(store, shards), cfg, place)
    return store, dataset


def test_off_by_default(place):
    frame = corpus()
    store, dataset = run(place, split(frame, 3), DedupConfig())
    kept = store.scan(dataset).collect()
    assert kept["text"].is_in(frame["text"].to_list()).all()
    assert not any(PARAGRAPHS in s.files for s in store.manifest(dataset).shards)


@pytest.mark.parametrize("rows_of_a_part", [2, 1 << 18])
@pytest.mark.parametrize("parts", [1, 4])
def test_one_document_keeps_the_paragraph_and_all_can_be_put_back(place, monkeypatch, parts, rows_of_a_part):
    monkeypatch.setattr(tables, "PART_ROWS", rows_of_a_part)
    frame = corpus()
    ids = frame["doc_id"].to_list()
    store, dataset = run(place, split(frame, parts), CFG)
    kept = dict(store.scan(dataset).select("doc_id", "text").collect().rows())
    cut = store.scan(dataset, PARAGRAPHS).collect()
    assert {i for i, text in kept.items() if NOTICE in text} == {ids[5]}  # the longest
    assert set(cut["kept_in"]) == {ids[5]}
    assert set(cut["documents"]) == {7}  # the exact copy is none
    assert kept[ids[6]] == frame["text"][6]
    for doc_id, text in kept.items():
        lines = text.split("\n")
        for line, removed in cut.filter(doc_id=doc_id).sort("line").select("line", "text").rows():
            lines.insert(line, removed)
        assert "\n".join(lines) == frame["text"][ids.index(doc_id)]
    manifest = store.manifest(dataset)
    assert sum(s.measures.get("repeated_chars", 0) for s in manifest.shards) == 5 * (len(NOTICE) + 1)
    assert sum(s.measures.get("repeated_paragraphs", 0) for s in manifest.shards) == cut.height == 5
    assert manifest.handle.chars == sum(map(len, kept.values()))


def test_a_document_of_nothing_else_goes_and_says_so(place):
    frame = corpus()
    ids = frame["doc_id"].to_list()
    store, dataset = run(place, split(frame, 2), CFG)
    refused = store.scan(dataset, QUARANTINED).filter(pl.col("reason") == "repeated_paragraphs").collect()
    (row,) = refused.to_dicts()
    assert (row["doc_id"], row["duplicate_of"], row["text"]) == (ids[7], ids[5], frame["text"][7])
    assert row["similarity"] == pytest.approx(len(NOTICE) / len(frame["text"][7]))


def test_why_names_what_keeps_the_paragraph(place):
    ids = corpus()["doc_id"].to_list()
    store, dataset = run(place, split(corpus(), 2), CFG)
    steps = dict(explain(store, ids[1], dataset.name))[ids[1]]
    assert steps[-1].fate == "changed"
    assert steps[-1].facts["paragraphs_kept_in"] == ids[5]
    assert steps[-1].values["repeated_chars"] == len(NOTICE) + 1
    assert steps[-1].values["repeated_paragraphs"] == 1
