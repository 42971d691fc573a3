"""Whole stages for models other than the usual one: documents -> blocks -> model -> scores, the training program included."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from data_contracts.assessment import AssessConfig
from data_contracts.config import Place
from data_contracts.errors import ConfigError
from data_contracts.mixture import MixtureConfig
from data_contracts.stages import EncodeConfig, SegmentConfig, VocabConfig
from data_contracts.training import PretrainConfig
from deployments import display
from tasks.assess import SCORES, assess
from tasks.encode import encode
from tasks.pretrain import pretrain
from tasks.segment import segment
from tasks.store import Store
from tasks.transforms.foreign_tokenizer import size_of
from tasks.vocab import vocab
from tests.given_documents import deposit, documents, invented, split
from tests.transforms.test_foreign_tokenizer import BERT, ENDS, KINDS

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
    assert display.figures(raw).row_count == 1


def foreign(folder: Path, kind: str, tokenizer: str, config: str) -> Path:
    """A model of somebody else's with random weights and its own tokenizer, written by transformers elsewhere."""
    folder.mkdir()
    (folder / "tokenizer.json").write_text(tokenizer, encoding="utf-8")
    (folder / "tokenizer_config.json").write_text(config, encoding="utf-8")
    subprocess.run([sys.executable, "-c", MAKE, kind, str(folder), str(size_of(tokenizer))], check=True, timeout=300)
    return folder


MAKE = """
import sys
from transformers import BertConfig, BertForMaskedLM, LlamaConfig, LlamaForCausalLM
kind, folder, size = sys.argv[1], sys.argv[2], int(sys.argv[3])
shape = dict(vocab_size=size, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2, max_position_embeddings=64)
made = LlamaForCausalLM(LlamaConfig(**shape)) if kind == "llama" else BertForMaskedLM(BertConfig(**shape, pad_token_id=0))
made.save_pretrained(folder)
"""


def blocks_of(place, segmented, folder: Path, **more):
    tokenizer, _ = vocab.run(segmented, VocabConfig(folder=str(folder), **more), ENCODE.splits, place)
    return encode.run(segmented, tokenizer, ENCODE, MixtureConfig(), place)[0]


def test_a_causal_model_of_somebody_else_is_continued(place, segmented, tmp_path):
    """GPT-2's kind of tokenizer: nothing to fill blocks with, so it gets a token more, and the model a row."""
    folder = foreign(tmp_path / "theirs", "llama", KINDS["gpt2"], ENDS)
    blocks = blocks_of(place, segmented, folder)
    model = {"folder": str(folder), "extend_vocabulary": True}
    with pytest.raises(ConfigError, match="extend_vocabulary"):
        pretrain.run(blocks, PretrainConfig(model={"folder": str(folder)}, **SHORT), place)
    made, _ = pretrain.run(blocks, PretrainConfig(model=model, **SHORT), place)
    store = Store(place.store)
    files = store.manifest(made).shards[0].files
    card = store.path(files["README.md"]).read_text(encoding="utf-8")
    assert "continued_from" in card
    assert store.manifest(made).measures["objective"] == "causal"
    scores, _ = assess.run(made, AssessConfig(max_tokens=1000, max_pairs=5, sample_tokens=4), place)
    assert store.manifest(scores).measures["bits_per_char"] > 0

    elsewhere = folder.rename(tmp_path / "moved")
    again, found = pretrain.run(blocks, PretrainConfig(model={**model, "folder": str(elsewhere)}, **SHORT), place)
    assert (again, found) == (made, True), "what is in the folder is in the key, where it lies is not"
    (elsewhere / "config.json").write_text((elsewhere / "config.json").read_text("utf-8") + " ", encoding="utf-8")
    assert pretrain.look([blocks, PretrainConfig(model={**model, "folder": str(elsewhere)})])[0][1].digest not in card


def test_a_masked_model_with_word_pieces_is_continued(place, segmented, tmp_path):
    folder = foreign(tmp_path / "theirs", "bert", KINDS["bert"], BERT)
    blocks = blocks_of(place, segmented, folder, new_tokens=("崇山峻岭",))
    model = {"folder": str(folder), "extend_vocabulary": True}
    made, _ = pretrain.run(blocks, PretrainConfig(model=model, **SHORT), place)
    store = Store(place.store)
    assert store.manifest(made).measures["objective"] == "masked"
    assert store.manifest(blocks).measures["mask_id"] == 4
    assert json.loads(store.path(store.manifest(made).shards[0].files["config.json"]).read_bytes())["vocab_size"] == (
        size_of(KINDS["bert"]) + 1
    )


def test_blocks_of_another_tokenizer_are_refused_with_both_named(place, segmented, tmp_path):
    folder = foreign(tmp_path / "theirs", "llama", KINDS["gpt2"], ENDS)
    tokenizer, _ = vocab.run(segmented, VocabConfig(size=500), ENCODE.splits, place)
    blocks, _ = encode.run(segmented, tokenizer, ENCODE, MixtureConfig(), place)
    with pytest.raises(ConfigError, match=r"vocabulary of \d+ tokens \(\w{16}\).* another of \d+ \(\w{16}\)"):
        pretrain.run(blocks, PretrainConfig(model={"folder": str(folder)}, **SHORT), place)
