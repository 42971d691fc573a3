from __future__ import annotations

import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from data_contracts.errors import ConfigError
from data_contracts.network import MaskingConfig, NetworkConfig, parameters


def test_the_default_is_what_it_always_was() -> None:
    cfg = NetworkConfig()
    assert (cfg.architecture, cfg.layers, cfg.width, cfg.heads, cfg.feed_forward) == ("llama", 6, 384, 6, 1024)
    assert parameters(cfg, 16_384, 256) == 16_913_280


def test_a_size_is_one_dial_and_single_values_override_it() -> None:
    cfg = NetworkConfig(size="60M")
    assert (cfg.layers, cfg.width, cfg.heads) == (12, 640, 10)
    wider = NetworkConfig(size="60M", width=768)
    assert (wider.layers, wider.width, wider.heads) == (12, 768, 12)
    assert cfg.model_dump()["layers"] == 12, "the key of a run holds what a size meant when it ran"


def test_the_default_ffn_width_is_8_thirds_in_steps_of_64() -> None:
    assert NetworkConfig(width=32, heads=2).feed_forward == 128
    assert NetworkConfig(ffn_width=500).feed_forward == 500


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"width": 100, "heads": 3}, "width 100 is not a multiple of heads 3"),
        ({"heads": 6, "kv_heads": 4}, "heads 6 is not a multiple of kv_heads 4"),
        ({"width": 15, "heads": 5}, "head width 3 is odd"),
        ({"architecture": "bert", "kv_heads": 3}, "leave kv_heads out"),
        ({"architecture": "bert", "tie_embeddings": False}, "leave tie_embeddings out"),
        ({"size": "3M"}, "'2M', '15M'"),
    ],
)
def test_an_impossible_shape_is_named(values: dict[str, object], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        NetworkConfig(**values)


def test_a_folder_says_what_its_model_was_trained_for(tmp_path: Path) -> None:
    cfg = NetworkConfig(folder=str(tmp_path))
    with pytest.raises(ConfigError, match=r"config\.json cannot be read"):
        _ = cfg.objective
    for name, objective in (
        ("Qwen2ForCausalLM", "causal"),
        ("GPT2LMHeadModel", "causal"),
        ("BertForMaskedLM", "masked"),
    ):
        (tmp_path / "config.json").write_text(json.dumps({"architectures": [name]}))
        assert cfg.objective == objective
    (tmp_path / "config.json").write_text(json.dumps({"architectures": ["BertForTokenClassification"]}))
    with pytest.raises(ConfigError, match="none of which is a causal"):
        _ = cfg.objective


def test_the_folder_decides_the_shape(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="leave out layers, dropout"):
        NetworkConfig(folder=str(tmp_path), layers=3, dropout=0.1)
    assert NetworkConfig(**NetworkConfig(folder=str(tmp_path)).model_dump()).folder == str(tmp_path)


def test_more_than_everything_cannot_be_replaced() -> None:
    with pytest.raises(ValidationError, match="more than 1"):
        MaskingConfig(hidden_ratio=0.8, random_ratio=0.3)
