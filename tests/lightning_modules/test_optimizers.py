from __future__ import annotations

import copy
from typing import Any, get_args

import pytest
import torch
from torch import nn
from torch.nn import functional

from data_contracts.network import NetworkConfig
from data_contracts.optimizers import OptimizerConfig, OptimizerName, learning_rate_share
from lightning_modules.architectures import Tokens, built, hugging_face_config
from lightning_modules.optimizers import MatrixMuon, optimizer_of, orthogonal, schedule

NAMES = get_args(OptimizerName)


def network() -> Any:
    torch.manual_seed(0)
    return built(hugging_face_config(NetworkConfig(layers=2, heads=2, width=16), Tokens(50, 0, 1, 8)), "causal")


def step_of(model: Any, optimizer: torch.optim.Optimizer, draw: int) -> float:
    ids = torch.randint(50, (4, 8), generator=torch.Generator().manual_seed(draw % 3))
    optimizer.zero_grad()
    loss = functional.cross_entropy(model(input_ids=ids).logits[:, :-1].flatten(0, 1), ids[:, 1:].flatten())
    loss.backward()
    optimizer.step()
    return float(loss.detach())


@pytest.mark.parametrize("name", NAMES)
def test_torch_steps_through_the_same_schedule(name: str) -> None:
    cfg = OptimizerConfig(name=name)
    model = network()
    optimizer = optimizer_of(model, cfg)
    first = [group["lr"] for group in optimizer.param_groups]
    scheduler = schedule(optimizer, 20, cfg)
    for step in range(20):
        share = learning_rate_share(step, 20, cfg)
        assert [group["lr"] for group in optimizer.param_groups] == [rate * share for rate in first]
        optimizer.step()
        scheduler.step()


@pytest.mark.parametrize("name", NAMES)
def test_each_learns_and_continues_from_its_state_as_if_nothing_had_happened(name: str) -> None:
    cfg = OptimizerConfig(name=name)
    model = network()
    optimizer = optimizer_of(model, cfg)
    losses = [step_of(model, optimizer, i) for i in range(6)]
    weights, state = copy.deepcopy(model.state_dict()), copy.deepcopy(optimizer.state_dict())
    on = [step_of(model, optimizer, i) for i in range(6, 40)]
    assert on[-1] < losses[0] - 0.1, "with the settings that it has by itself"
    again = network()
    again.load_state_dict(weights)
    other = optimizer_of(again, cfg)
    other.load_state_dict(state)
    assert [step_of(again, other, i) for i in range(6, 40)] == on


@pytest.mark.parametrize("name", NAMES)
def test_only_matrices_decay(name: str) -> None:
    optimizer = optimizer_of(network(), OptimizerConfig(name=name, weight_decay=0.2))
    for group in optimizer.param_groups:
        matrices = {p.dim() >= 2 for p in group["params"]}
        assert matrices == {group["weight_decay"] == 0.2}


def test_muon_takes_the_matrices_of_the_layers_and_nothing_else() -> None:
    model = network()
    optimizer = optimizer_of(model, OptimizerConfig(name="muon", learning_rate=0.004, matrix_learning_rate=0.03))
    names = {id(p): name for name, p in model.named_parameters()}
    by_rate = {
        rate: {names[id(p)] for g in optimizer.param_groups if g["lr"] == rate for p in g["params"]}
        for rate in (0.004, 0.03)
    }
    assert by_rate[0.03] == {n for n in names.values() if "proj" in n}
    assert "model.embed_tokens.weight" in by_rate[0.004]
    assert by_rate[0.03] | by_rate[0.004] == set(names.values())


def test_a_network_without_layers_is_all_adamw() -> None:
    rates = [group["lr"] for group in optimizer_of(nn.Linear(3, 4), OptimizerConfig(name="muon")).param_groups]
    assert rates == [1e-3, 1e-3]


@pytest.mark.parametrize("shape", [(24, 24), (40, 16), (16, 40)])
def test_orthogonal_brings_the_singular_values_near_one(shape: tuple[int, int]) -> None:
    matrix = torch.randn(shape, generator=torch.Generator().manual_seed(1))
    u, _, v = torch.linalg.svd(matrix, full_matrices=False)
    found = orthogonal(matrix, (3.4445, -4.7750, 2.0315), 5)
    values = torch.linalg.svdvals(found)
    assert 0.3 < values.min() <= values.max() < 1.3  # what this iteration is made for: see torch.optim.Muon
    assert functional.cosine_similarity(found.flatten(), (u @ v).flatten(), dim=0) > 0.95


def test_in_fp32_it_is_the_muon_of_torch_but_for_the_rounding_of_bf16() -> None:
    start = torch.randn(24, 12, generator=torch.Generator().manual_seed(2))
    ours, theirs = (nn.Parameter(start.clone()) for _ in range(2))
    rules = MatrixMuon([ours], lr=0.02), torch.optim.Muon([theirs], lr=0.02)
    for i in range(5):
        gradient = torch.randn(24, 12, generator=torch.Generator().manual_seed(10 + i))
        for p, rule in zip((ours, theirs), rules, strict=True):
            p.grad = gradient.clone()
            rule.step()
    moved, apart = (theirs - start).norm(), (ours - theirs).norm()
    assert apart < 0.02 * moved
    assert moved > 0.1


def test_adamw_is_fused() -> None:
    assert all(group["fused"] for group in optimizer_of(network(), OptimizerConfig()).param_groups)
