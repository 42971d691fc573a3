from __future__ import annotations

import pytest

from data_contracts.config import Place
from data_contracts.schemas import SEGMENTED
from data_contracts.stages import SegmentConfig
from tasks import segment as stage_module
from tasks.segment import segment
from tasks.store import Store
from tests.given_documents import deposit, documents, split


@pytest.fixture
def place(tmp_path) -> Place:
    return Place(store=str(tmp_path / "store"), workers=1)


def test_words_lie_beside_the_untouched_text(place):
    frame = documents(["我爱北京天安门。", "hello 世界", "", "。。。"])
    store = Store(place.store).open()
    dataset, _ = segment.run(deposit(store, split(frame, 2)), SegmentConfig(), place)
    made = store.scan(dataset).collect()
    assert dict(made.schema) == SEGMENTED.columns
    assert made.drop("word_chars").sort("doc_id").equals(frame.sort("doc_id"))
    lengths = dict(zip(made["text"], made["word_chars"].to_list(), strict=True))
    assert lengths == {"我爱北京天安门。": [1, 1, 2, 3, 1], "hello 世界": [5, 1, 2], "": [], "。。。": [3]}
    manifest = store.manifest(dataset)
    assert sum(s.measures["words"] for s in manifest.shards) == 6
    assert manifest.measures["mean_word_chars"] == round((1 + 1 + 2 + 3 + 5 + 2) / 6, 4)


def test_a_cutter_that_loses_a_character_stops_the_stage(place, monkeypatch):
    from data_contracts.errors import ConservationBroken

    real = stage_module.words
    monkeypatch.setattr(stage_module, "words", lambda texts, hmm: real([t[1:] for t in texts], hmm))
    store = Store(place.store).open()
    with pytest.raises(ConservationBroken, match="do not add up"):
        segment.run(deposit(store, [documents(["春眠不觉晓"])]), SegmentConfig(), place)
