from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from tokenizers import Tokenizer
from transformers import AutoModelForCausalLM, AutoTokenizer

from data_contracts.errors import StoreError
from lightning_modules.checkpointing import CheckpointFolder
from lightning_modules.export import export_run, network_of
from tests.lightning_modules.tiny_runs import Trained, call


def test_transformers_loads_the_folder_with_equal_logits(trained: Trained) -> None:
    found = CheckpointFolder(trained.folder / "checkpoints").newest()
    assert found is not None
    network, _ = network_of(found.path)
    loaded = AutoModelForCausalLM.from_pretrained(trained.folder / "export").eval()
    ids = torch.randint(0, network.config.vocab_size, (3, 20))
    with torch.no_grad():
        difference = (network(input_ids=ids).logits - loaded(input_ids=ids).logits).abs().max()
    assert difference == 0.0
    assert loaded.dtype == torch.float32
    assert loaded.config.use_cache is True


def test_the_tokenizer_reads_and_writes_the_same_text(trained: Trained, corpus: Any) -> None:
    loaded = AutoTokenizer.from_pretrained(trained.folder / "export")
    original = Tokenizer.from_file(str(corpus.folder / "tokenizer.json"))
    for text in ("春眠不觉晓，处处闻啼鸟。", "ABC 123\n　全角空格", "𠮷野家", corpus.documents[0]["train"][0]):
        ids = loaded(text, add_special_tokens=False)["input_ids"]
        assert ids == original.encode(text).ids
        assert loaded.decode(ids) == text
    assert (loaded.bos_token_id, loaded.eos_token_id, loaded.pad_token_id) == (0, 0, 1)


def test_the_model_generates_through_transformers(trained: Trained) -> None:
    model = AutoModelForCausalLM.from_pretrained(trained.folder / "export")
    made = model.generate(torch.tensor([[0, 40, 41]]), max_new_tokens=5, do_sample=False)
    assert made.shape[1] <= 8


def test_the_same_weights_give_the_same_bytes(trained: Trained, tmp_path: Path) -> None:
    ended = call("export", str(trained.folder / "run.yaml"), str(tmp_path / "again"))
    assert ended.code == 0
    first = {p.name: p.read_bytes() for p in (trained.folder / "export").iterdir()}
    assert {p.name: p.read_bytes() for p in (tmp_path / "again").iterdir()} == first
    assert set(first) >= {"config.json", "model.safetensors", "generation_config.json", "tokenizer.json", "README.md"}


def test_the_card_tells_where_the_data_came_from(trained: Trained) -> None:
    card = (trained.folder / "export" / "README.md").read_text(encoding="utf-8")
    for expected in ("clean/0123456789abcdef", "poems", "CC0-1.0", "参数 parameters", "每字比特数", "| 12 |"):
        assert expected in card
    assert str(trained.folder) not in card
    assert json.loads((trained.folder / "result.json").read_text(encoding="utf-8"))["step"] == 12


def test_a_run_without_checkpoints_cannot_be_exported(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no readable checkpoint"):
        export_run({"run": {"folder": str(tmp_path), "tokenizer": ""}})
