"""Vectors as a stage: found again, independent of the sharding's files, words of the segment stage and no others."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from data_contracts.config import Place
from data_contracts.errors import ConfigError, NothingLeft, SchemaMismatch
from data_contracts.stages import SegmentConfig
from data_contracts.vectors import VectorsConfig
from tasks import preflight
from tasks.segment import WORDS as COUNTS
from tasks.segment import segment
from tasks.store import Store
from tasks.vectors import MATRIX, TEXT, WORDS, vectors
from tests.given_documents import deposit, documents, split

pytest.importorskip("gensim", reason="the vectors extra is not installed")
CFG = VectorsConfig(dimensions=8, min_count=2, epochs=2)
TEXTS = [f"春天的公园里有花，也有第{i}个孩子在奔跑。夏天的海边有风，老人坐在长椅上。" for i in range(40)]


@pytest.fixture
def place(tmp_path) -> Place:
    return Place(store=str(tmp_path / "store"), workers=1)


def segmented(place: Place, texts: list[str] = TEXTS, parts: int = 2):
    given = deposit(Store(place.store).open(), split(documents(texts), parts))
    return segment.run(given, SegmentConfig(), place)[0]


def test_vectors_are_of_the_words_that_segment_counted(place: Place):
    given = segmented(place)
    made, found = vectors.run(given, CFG, place)
    assert not found
    assert vectors.run(given, CFG, place) == (made, True)
    store = Store(place.store)
    manifest = store.manifest(made)
    [shard] = manifest.shards
    table, matrix = pl.read_parquet(store.path(shard.files[WORDS])), np.load(store.path(shard.files[MATRIX]))
    assert matrix.shape == (table.height, 8)
    counted = pl.concat([pl.read_parquet(store.path(s.files[COUNTS])) for s in store.manifest(given).shards])
    expected = dict(counted.group_by("word").agg(pl.col("count").sum()).filter(pl.col("count") >= 2).iter_rows())
    assert dict(table.iter_rows()) == expected
    assert manifest.measures["sample_words"] == counted["count"].sum()
    assert (manifest.measures["words"], manifest.measures["reproducible"]) == (table.height, True)
    assert manifest.schema_label == "vectors"


def test_the_text_form_is_read_by_gensim_as_the_same_vectors(place: Place):
    from gensim.models import KeyedVectors

    made, _ = vectors.run(segmented(place), CFG, place)
    store = Store(place.store)
    [shard] = store.manifest(made).shards
    read = KeyedVectors.load_word2vec_format(str(store.path(shard.files[TEXT])))
    assert read.index_to_key == pl.read_parquet(store.path(shard.files[WORDS]))["word"].to_list()
    assert np.allclose(read.vectors, np.load(store.path(shard.files[MATRIX])), rtol=1e-5)


def test_the_same_text_in_another_store_has_the_same_bytes(place: Place, tmp_path):
    other = Place(store=str(tmp_path / "other"), workers=1)
    one, two = (Store(p.store).manifest(vectors.run(segmented(p), CFG, p)[0]) for p in (place, other))
    assert one.shards[0].files == two.shards[0].files


def test_a_sample_is_taken_by_document_and_not_by_shard(place: Place):
    given = segmented(place)
    some = vectors.run(given, CFG.model_copy(update={"sample_bytes": 2000}), place)[0]
    told = Store(place.store).manifest(some).measures
    assert 0 < told["sample_documents"] < 40
    one_shard = segmented(place, parts=1)
    again = Store(place.store).manifest(vectors.run(one_shard, CFG.model_copy(update={"sample_bytes": 2000}), place)[0])
    assert again.measures["sample_documents"] == told["sample_documents"]


def test_what_cannot_be_learned_is_said(place: Place):
    with pytest.raises(NothingLeft, match="min_count"):
        vectors.run(segmented(place), CFG.model_copy(update={"min_count": 10_000}), place)
    bare = deposit(Store(place.store).open(), [documents(TEXTS)])
    with pytest.raises(SchemaMismatch, match="word_chars"):
        vectors.run(bare, CFG, place)


def test_a_missing_library_is_said_before_anything_starts(monkeypatch: pytest.MonkeyPatch):
    from data_contracts.config import VectorsFlowConfig

    monkeypatch.setattr(preflight, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"pip install '\.\[vectors\]'"):
        preflight.check(VectorsFlowConfig())
