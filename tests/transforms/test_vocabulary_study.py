from __future__ import annotations

import polars as pl
import pytest
from pydantic import ValidationError

from data_contracts.network import NetworkConfig
from data_contracts.study import StudyConfig, study_of
from tasks.transforms import bpe
from tasks.transforms.vocabulary_study import measured, recommended
from tests.given_documents import invented


@pytest.fixture(scope="module")
def largest() -> str:
    return bpe.train(invented(), 900, 2)


@pytest.mark.parametrize("size", [300, 457, 700, 899, 900])
def test_a_smaller_vocabulary_is_the_beginning_of_a_larger_one_to_the_byte(largest, size):
    assert bpe.vocabulary_size(largest) == 900
    assert bpe.cut_to(largest, size) == bpe.train(invented(), size, 2)


def test_a_token_made_in_two_ways_does_not_shift_the_cut():
    texts = ["aab aab abb abb aabb aabb ab ab b b a a abab abab"] * 9 + ["啊啊啊啊 啊啊 啊啊啊"] * 5
    whole = bpe.train(texts, 290, 1)
    for size in range(259, bpe.vocabulary_size(whole)):
        assert bpe.cut_to(whole, size) == bpe.train(texts, size, 1)


def test_real_text_gives_the_same_vocabulary_cut_or_trained(shared_data):
    texts = pl.read_parquet(shared_data / "pretrain" / "recipes.parquet", columns=["text"])["text"].to_list()[:150]
    whole = bpe.train(texts, 3000, 2)
    for size in (1000, 2222):
        cut, trained = bpe.cut_to(whole, size), bpe.train(texts, size, 2)
        assert cut == trained
        assert bpe.encoder(cut).encode(texts).ids.tolist() == bpe.encoder(trained).encode(texts).ids.tolist()


def test_nothing_can_be_cut_to_more_than_there_is(largest):
    with pytest.raises(ValueError, match="cannot cut 900 tokens to 901"):
        bpe.cut_to(largest, 901)


def test_figures_worked_out_by_hand():
    """Trained on nothing but 天天: 天 is a token, 地 is spelled in three bytes."""
    vocabulary = bpe.opened(bpe.train(["天天"] * 9, 300, 2))
    made = measured(vocabulary, ["天天地", "a", ""], StudyConfig(sizes=(300,), width=10, body_parameters=400))
    size = vocabulary.size
    assert size == 258 + 3, "天 takes two merges, 天天 a third"
    assert made == {
        "size": size,
        "chars_per_token": 0.8,  # 天天 | three bytes of 地 | a: 4 characters in 5 tokens
        "split_char_ratio": 0.25,
        "byte_token_ratio": 0.6,
        "covered_ratio": pytest.approx(2 / 3, abs=1e-6),
        "embedding_parameters": size * 10,
        "embedding_ratio": pytest.approx(size * 10 / (size * 10 + 400), abs=1e-6),
        "work_per_char": round((400 + size * 10) / 0.8),
    }
    assert measured(vocabulary, [], StudyConfig(sizes=(300,)))["chars_per_token"] == 0.0


def test_the_smallest_size_near_the_least_work_is_recommended():
    rows = [{"size": s, "work_per_char": w} for s, w in ((8000, 1300), (16000, 1019), (32000, 1000), (64000, 1200))]
    assert recommended(rows) == 16000
    assert recommended(rows[:1] + rows[2:]) == 32000


def test_a_study_is_for_the_model_of_the_config():
    model = NetworkConfig(layers=2, heads=2, width=32)
    asked = study_of((16000, 8000, 8000), model)
    # lightning_modules/README.md: this model has 43,488 parameters with 330 tokens
    assert (asked.sizes, asked.body_parameters + 330 * 32) == ((8000, 16000), 43_488)
    assert study_of((8000,), model.model_copy(update={"tie_embeddings": False})).embeddings == 2
    with pytest.raises(ValidationError, match="between 300"):
        study_of((100,), model)
