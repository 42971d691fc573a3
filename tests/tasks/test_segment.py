from __future__ import annotations

import subprocess
import sys

import polars as pl
import pytest

from data_contracts.config import Place
from data_contracts.dataset import KEPT
from data_contracts.errors import ConfigError
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


def test_words_are_counted_over_all_shards(place):
    frame = documents(["我爱北京天安门。", "北京 hello", "北京！！hello 世界"])
    store = Store(place.store).open()
    dataset, _ = segment.run(deposit(store, split(frame, 2)), SegmentConfig(), place)
    manifest = store.manifest(dataset)
    told = manifest.measures["vocabulary"]
    assert told["top"] == [["北京", 3], ["hello", 2], ["世界", 1], ["天安门", 1], ["我", 1], ["爱", 1]]
    assert (told["distinct"], told["hapax_ratio"], told["unknown_ratio"]) == (6, round(4 / 6, 6), 0.0)
    tables = [pl.read_parquet(store.path(s.files["words.parquet"])) for s in manifest.shards]
    assert sum(t["count"].sum() for t in tables) == 9


def test_a_user_dictionary_cuts_and_its_words_are_the_key(place, tmp_path):
    store, text = Store(place.store).open(), "他爱吃螺蛳粉，也写T恤广告"
    given = deposit(store, [documents([text])])
    plain, _ = segment.run(given, SegmentConfig(), place)
    file = tmp_path / "mine.txt"
    file.write_text("\ufeff螺蛳粉 100 n\n\nT恤\n", encoding="utf-8")
    mine, _ = segment.run(given, SegmentConfig(dictionaries=(str(file),)), place)
    manifest = store.manifest(mine)
    assert (manifest.measures["dictionary_words"], manifest.measures["dictionary_ignored"]) == (1, 1)
    assert pl.read_parquet(store.path(manifest.shards[0].files[KEPT]))["word_chars"].to_list()[0][3] == 3
    assert store.manifest(plain).measures["vocabulary"]["distinct"] != manifest.measures["vocabulary"]["distinct"]
    moved = file.rename(tmp_path / "elsewhere.txt")
    assert segment.run(given, SegmentConfig(dictionaries=(str(moved),)), place) == (mine, True)
    assert segment.run(given, SegmentConfig(words=("螺蛳粉 100", "T恤")), place) == (mine, True)
    moved.write_text("螺蛳粉 101\n", encoding="utf-8")
    assert segment.run(given, SegmentConfig(dictionaries=(str(moved),)), place)[1] is False
    assert "elsewhere" not in store.manifest(mine).model_dump_json()


def test_a_dictionary_that_cannot_be_read_is_a_config_error(place, tmp_path):
    given = deposit(Store(place.store).open(), [documents(["一"])])
    with pytest.raises(ConfigError, match=r"gone\.txt 无法读取"):
        segment.run(given, SegmentConfig(dictionaries=(str(tmp_path / "gone.txt"),)), place)
    with pytest.raises(ConfigError, match=r"segment\.words, line 1"):
        segment.run(given, SegmentConfig(words=("云计算 0",)), place)


def test_lists_of_lengths_cost_no_import_of_pandas():
    code = (
        "import sys; from tasks.segment import word_lengths; from tasks.transforms.words import words\n"
        "print(word_lengths(words(['我们来了', '', '好'])).to_list(), 'pandas' in sys.modules)"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert told.split("\n")[0] == "[[2, 1, 1], [], [1]] False"


def test_a_cutter_that_loses_a_character_stops_the_stage(place, monkeypatch):
    from data_contracts.errors import ConservationBroken

    real = stage_module.words
    monkeypatch.setattr(stage_module, "words", lambda texts, *how: real([t[1:] for t in texts], *how))
    store = Store(place.store).open()
    with pytest.raises(ConservationBroken, match="do not add up"):
        segment.run(deposit(store, [documents(["春眠不觉晓"])]), SegmentConfig(), place)
