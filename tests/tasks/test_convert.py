"""Convert as a stage: a model of the store in other forms, found again, with its lineage."""

from __future__ import annotations

import json
from typing import Any

import pytest

from data_contracts.config import Place
from data_contracts.dataset import Dataset, Shard
from data_contracts.errors import ConfigError
from data_contracts.training import ConvertConfig, ReportConfig
from tasks.convert import convert
from tasks.lineage import ancestors
from tasks.stage import stage
from tasks.store import Store
from tasks.transforms.bpe import train
from tasks.work import Work
from tests.given_documents import invented

gguf = pytest.importorskip("gguf", reason="the export extra is not installed")
pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]  # each form is a program that loads torch


@stage(schema="model")
def pretrain(architecture: str, cfg: ReportConfig, work: Work) -> list[Shard]:
    """预训练 pretrain: -> model. From random weights, as they are."""
    from transformers import BertConfig, BertForMaskedLM, LlamaConfig, LlamaForCausalLM

    (work.scratch / "tokenizer.json").write_text(train(invented(60), 300, 1), encoding="utf-8")
    special = {"bos_token": "<|endoftext|>", "eos_token": "<|endoftext|>", "pad_token": "<|pad|>"}
    tokenizer = {**special, "tokenizer_class": "PreTrainedTokenizerFast"}
    (work.scratch / "tokenizer_config.json").write_text(json.dumps(tokenizer), encoding="utf-8")
    shape: dict[str, Any] = {"vocab_size": 300, "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1}
    shape |= {"num_attention_heads": 2, "max_position_embeddings": 32, "pad_token_id": 1}
    made = {
        "llama": lambda: LlamaForCausalLM(LlamaConfig(**shape)),
        "bert": lambda: BertForMaskedLM(BertConfig(**shape)),
    }
    made[architecture]().save_pretrained(work.scratch)
    return [Shard(content=architecture, files={p.name: work.store.put_file(p) for p in sorted(work.scratch.iterdir())})]


@pytest.fixture
def place(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> Place:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    return Place(store=str(tmp_path / "store"), workers=1)


def test_a_model_becomes_a_gguf_file_with_its_lineage(place: Place) -> None:
    model, _ = pretrain.run("llama", ReportConfig(), place)
    cfg = ConvertConfig(forms=("gguf",))
    made, found = convert.run(model, cfg, place)
    assert (made.stage, found) == ("convert", False)
    store = Store(place.store)
    manifest = store.manifest(made)
    assert [m.stage for m in ancestors(store, manifest)] == ["pretrain"]
    assert manifest.measures == {"forms": ["gguf"], "gguf_tensors": 12, "gguf_parameters": parameters()}
    [shard] = manifest.shards
    assert set(shard.files) == {
        "model.gguf",
        "config.json",
        "generation_config.json",
        "tokenizer.json",
        "tokenizer_config.json",
    }
    reader = gguf.GGUFReader(store.path(shard.files["model.gguf"]))
    assert reader.fields["general.architecture"].contents() == "llama"
    assert convert.run(model, cfg, place) == (made, True)


def parameters() -> int:
    """Those of a llama of width 16, feed-forward 32, one layer, 300 tokens, output head of its own."""
    embeddings = 2 * 300 * 16
    return 4 * 16 * 16 + 3 * 16 * 32 + 3 * 16 + embeddings


def test_a_model_that_has_no_such_form_is_refused(place: Place) -> None:
    model: Dataset = pretrain.run("bert", ReportConfig(), place)[0]
    with pytest.raises(ConfigError, match="no GGUF for a network of type bert"):
        convert.run(model, ConvertConfig(forms=("gguf",)), place)
