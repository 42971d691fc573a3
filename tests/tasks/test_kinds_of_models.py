"""Whole stages for models other than the usual one: documents -> blocks -> model -> scores, the training program included."""

from __future__ import annotations

import json

import pytest

from data_contracts.assessment import AssessConfig
from data_contracts.config import Place
from data_contracts.mixture import MixtureConfig
from data_contracts.stages import EncodeConfig, SegmentConfig, VocabConfig
from data_contracts.training import PretrainConfig
from deployments import display
from tasks.assess import SCORES, assess
from tasks.encode import encode
from tasks.pretrain import pretrain
from tasks.reporting import curves
from tasks.segment import segment
from tasks.store import Store
from tasks.vocab import vocab
from tests.given_documents import deposit, documents, invented, split

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
ENCODE = EncodeConfig(block_tokens=32, validation_ratio=0.1, test_ratio=0.1)
SHORT = {"duration": "4 steps", "tokens_per_step": 256, "blocks_per_device": 4, "precision": "32"}
TINY = {"layers": 2, "heads": 2, "width": 32}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    return Place(store=str(tmp_path_factory.mktemp("kinds") / "store"), workers=1)


@pytest.fixture(scope="module")
def segmented(place):
    given = deposit(Store(place.store).open(), split(documents(invented()), 2))
    return segment.run(given, SegmentConfig(), place)[0]


def test_a_masked_model_is_trained_and_its_scores_say_what_applies(place, segmented):
    tokenizer, _ = vocab.run(segmented, VocabConfig(size=500), ENCODE.splits, place)
    blocks, _ = encode.run(segmented, tokenizer, ENCODE, MixtureConfig(), place)
    model, _ = pretrain.run(blocks, PretrainConfig(model={**TINY, "architecture": "modernbert"}, **SHORT), place)
    store = Store(place.store)
    measures = store.manifest(model).measures
    assert measures["objective"] == "masked"
    scores, _ = assess.run(model, AssessConfig(), place)
    raw = json.loads(store.path(store.manifest(scores).shards[0].files[SCORES]).read_text(encoding="utf-8"))
    assert "masked model" in raw["not_scored"]
    assert curves.scores(raw).bits_per_char is None
    assert display.figures(raw).row_count == 1
