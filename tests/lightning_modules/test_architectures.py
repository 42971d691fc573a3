"""Every formula of data_contracts/network.py is held to the network that Hugging Face builds."""

from __future__ import annotations

from typing import Any, get_args

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from data_contracts.network import SHAPES, ArchitectureName, NetworkConfig, body_parameters, flops_per_token, parameters
from lightning_modules.architectures import (
    ARCHITECTURES,
    Tokens,
    built,
    config_from,
    cost_of,
    hugging_face_config,
    layers_of,
)

VOCAB, BLOCK = 120, 24
TINY: dict[str, dict[str, Any]] = {
    "llama": {"layers": 3, "heads": 4, "kv_heads": 2, "width": 32},
    "qwen3": {"layers": 3, "heads": 4, "kv_heads": 2, "width": 32, "tie_embeddings": False},
    "bert": {"layers": 3, "heads": 4, "width": 32},
    "modernbert": {"layers": 3, "heads": 4, "width": 32},
}


def network_of(cfg: NetworkConfig) -> Any:
    config = hugging_face_config(cfg, Tokens(VOCAB, 0, 1, BLOCK))
    return built(config, cfg.objective)


def test_every_architecture_has_its_row_and_its_test() -> None:
    assert set(ARCHITECTURES) == set(TINY) == set(get_args(ArchitectureName))


@pytest.mark.parametrize(
    ("name", "tied"), [*((name, True) for name in TINY), *((n, False) for n in TINY if n != "bert")]
)
def test_parameters(name: str, tied: bool) -> None:
    cfg = NetworkConfig(architecture=name, **{**TINY[name], "tie_embeddings": tied})
    network = network_of(cfg)
    assert parameters(cfg, VOCAB, BLOCK) == sum(p.numel() for p in network.parameters())
    assert cost_of(network, cfg.objective, BLOCK) == (parameters(cfg, VOCAB, BLOCK), flops_per_token(cfg, VOCAB, BLOCK))
    some = cost_of(network, cfg.objective, BLOCK, asked=0.25).flops_per_token
    assert some == pytest.approx(flops_per_token(cfg, VOCAB, BLOCK, asked=0.25), rel=1e-12)
    assert some == pytest.approx(flops_per_token(cfg, VOCAB, BLOCK) - 6 * 0.75 * VOCAB * cfg.width, rel=1e-12)


@pytest.mark.parametrize("name", TINY)
def test_flops_of_a_token(name: str) -> None:
    """Counted by torch, which knows nothing of the formula; it counts causal attention whole."""
    cfg = NetworkConfig(architecture=name, **TINY[name])
    network = network_of(cfg)
    network.set_attn_implementation("eager")
    with FlopCounterMode(display=False) as counter:
        network(input_ids=torch.zeros(2, BLOCK, dtype=torch.long)).logits.sum().backward()
    halved = 6.0 * cfg.layers * cfg.width * BLOCK if cfg.objective == "causal" else 0.0
    assert counter.get_total_flops() / (2 * BLOCK) == flops_per_token(cfg, VOCAB, BLOCK) + halved


def test_layers_of_modernbert_that_see_a_window_cost_no_more_for_longer_blocks() -> None:
    cfg = NetworkConfig(architecture="modernbert", layers=6, heads=4, width=32)
    more = flops_per_token(cfg, VOCAB, 2048) - flops_per_token(cfg, VOCAB, 1024)
    assert more == 12 * 32 * 2 * 1024, "two of six layers see everything"
    counted = [cost_of(network_of(cfg), "masked", n).flops_per_token for n in (1024, 2048)]
    assert counted[1] - counted[0] == more
    assert network_of(cfg).config.layer_types.count("full_attention") == 2


@pytest.mark.parametrize("name", TINY)
def test_the_layers_are_found_in_the_network(name: str) -> None:
    network = network_of(NetworkConfig(architecture=name, **TINY[name]))
    assert len(layers_of(network)) == 3


@pytest.mark.parametrize("name", TINY)
def test_a_config_survives_its_plain_form(name: str) -> None:
    config = network_of(NetworkConfig(architecture=name, **TINY[name])).config
    assert config_from(config.to_dict()).to_dict() == config.to_dict()


@pytest.mark.parametrize("name", TINY)
@pytest.mark.parametrize("size", [s for s in SHAPES if s])
def test_a_size_is_what_its_name_says(name: str, size: str) -> None:
    said = float(size[:-1]) * {"M": 1e6, "B": 1e9}[size[-1]]
    cfg = NetworkConfig(architecture=name, size=size)
    assert body_parameters(cfg) == pytest.approx(said, rel=0.14)
    assert cfg.head_width == 64
