"""Batches of samples: the same every time, each row as by itself; continuations; speed; masked models."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest
import torch
from tokenizers import Tokenizer
from transformers import BertConfig, BertForMaskedLM

from data_contracts.score_file import PROMPT, NamedTable, ScoreConfig
from lightning_modules.generation import continuations, free_samples, generate_batch, next_tokens
from lightning_modules.sampling import generate
from lightning_modules.score import PARTS, load_exported, score
from lightning_modules.speed import measure_speed
from tests.lightning_modules.tiny_runs import Corpus, Trained


@pytest.fixture(scope="module")
def network(trained: Trained) -> Any:
    return load_exported(trained.folder / "export")


@pytest.fixture(scope="module")
def tokenizer(corpus: Corpus) -> Tokenizer:
    return Tokenizer.from_file(str(corpus.folder / "tokenizer.json"))


def config(trained: Trained, **values: Any) -> ScoreConfig:
    return ScoreConfig(model=str(trained.folder / "export"), result="none.json", **values)


def test_a_batch_writes_what_its_rows_write_alone(network: Any) -> None:
    options: dict[str, Any] = {"temperature": 0.9, "top_p": 0.9, "stop_id": 0}
    prompts = [[0, 40], [0, 41], [0, 42]]
    made = generate_batch(network, prompts, 12, seeds=[4, 5, 6], **options)
    assert made == [generate(network, p, 12, seed=s, **options) for p, s in zip(prompts, (4, 5, 6), strict=True)]
    assert made == generate_batch(network, prompts, 12, seeds=[4, 5, 6], **options)


def test_temperature_zero_takes_the_likeliest_and_top_p_keeps_the_likely() -> None:
    logits = torch.log(torch.tensor([[0.5, 0.3, 0.15, 0.05], [0.1, 0.2, 0.3, 0.4]]))
    assert next_tokens(logits, 0.0, 1.0, []) == [0, 3]
    draws = [torch.Generator().manual_seed(i) for i in (0, 1)]
    drawn = [next_tokens(logits, 1.0, 0.65, draws) for _ in range(200)]
    assert [{row[i] for row in drawn} for i in (0, 1)] == [{0, 1}, {2, 3}]


def test_free_samples_are_as_many_as_asked_and_never_beyond_the_context(
    network: Any, tokenizer: Tokenizer, trained: Trained
) -> None:
    cfg = config(trained, free_samples=18, free_tokens=500)
    made = free_samples(network, tokenizer, cfg, 0)
    assert len(made) == 18
    assert len(set(made)) > 10
    room = network.config.max_position_embeddings - 1
    assert made == free_samples(network, tokenizer, config(trained, free_samples=18, free_tokens=room), 0)
    assert made != free_samples(network, tokenizer, config(trained, free_samples=18, free_tokens=room - 1), 0)
    assert made == free_samples(network, tokenizer, cfg, 0)
    assert made[0] == free_samples(network, tokenizer, config(trained, free_samples=1, free_tokens=500), 0)[0]


def test_continuations_are_of_texts_that_are_long_enough(
    network: Any, tokenizer: Tokenizer, trained: Trained, corpus: Corpus, tmp_path: Path
) -> None:
    texts = ["春", *corpus.documents[0]["train"][:3]]
    frame = pl.DataFrame({"item": ["a", "b", "c", "d"], "text": texts}, schema=PROMPT.columns)
    frame.write_parquet(tmp_path / "p.parquet")
    cfg = config(trained, probes=NamedTable(name="p", path=str(tmp_path / "p.parquet")), probe_tokens=4, free_tokens=6)
    found = continuations(network, tokenizer, cfg.probes, cfg, 0)  # type: ignore[arg-type]
    assert [one["item"] for one in found] == ["b", "c", "d"]
    for one, text in zip(found, texts[1:], strict=True):
        assert text.startswith(one["prompt"])
        assert "\ufffd" not in one["prompt"]


def test_speed_is_measured(network: Any) -> None:
    found = measure_speed(network)
    names = ("read_tokens_per_second", "written_tokens_per_second", "first_token_ms", "token_ms", "peak_memory_bytes")
    assert all(found[name] > 0 for name in names)
    assert found["peak_memory_bytes"] > 50_000_000, "Python and torch alone are larger"


def test_what_was_not_asked_for_is_null(trained: Trained) -> None:
    found = score(config(trained))
    assert [found[part] for part in PARTS] == [None] * len(PARTS)
    assert found["not_scored"] is None


def test_a_masked_model_is_told_to_have_no_likelihood(tmp_path: Path) -> None:
    torch.manual_seed(0)
    tiny = BertConfig(vocab_size=40, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16, max_position_embeddings=32)  # fmt: skip
    BertForMaskedLM(tiny).save_pretrained(tmp_path)
    found = score(ScoreConfig(model=str(tmp_path), result="none.json", prompts=("春",), speed=True))
    assert "no left-to-right likelihood" in found["not_scored"]
    assert all(found[part] is None for part in PARTS)
