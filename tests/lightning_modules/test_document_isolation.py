from __future__ import annotations

import numpy as np
import pytest
import torch

from lightning_modules.block_files import batch_of
from lightning_modules.causal_language_model import CausalLanguageModel

MODEL = {"layers": 2, "heads": 4, "kv_heads": 2, "width": 32}


@pytest.fixture(scope="module", params=["llama", "qwen3"])
def module(request: pytest.FixtureRequest) -> CausalLanguageModel:
    network = {**MODEL, "architecture": request.param}
    made = CausalLanguageModel(50, 0, 1, 16, 10, network, {}, seed=3, train_chars_per_token=1.0, validation_chars=10)
    made.configure_model()
    return made


def test_packed_documents_do_not_see_each_other(module: CausalLanguageModel) -> None:
    documents = [[0, 5, 6, 7, 8], [0, 9, 10], [0], [0, 11, 12, 13, 14, 15, 16]]
    packed = batch_of(np.array([[i for d in documents for i in d] + [0]]), 0, 1)
    with torch.no_grad():
        together = module.network(input_ids=packed["inputs"], position_ids=packed["positions"]).logits[0]
        alone = torch.cat([module.network(input_ids=torch.tensor([d])).logits[0] for d in documents])
    assert (together - alone).abs().max() <= 1e-5


def test_changing_one_document_changes_no_other(module: CausalLanguageModel) -> None:
    first = np.array([[0, 5, 6, 7, 0, 9, 10, 11, 0]])
    second = np.array([[0, 25, 26, 27, 0, 9, 10, 11, 0]])
    with torch.no_grad():
        logits = [
            module.network(input_ids=b["inputs"], position_ids=b["positions"]).logits[0, 4:]
            for b in (batch_of(t, 0, 1) for t in (first, second))
        ]
    assert (logits[0] - logits[1]).abs().max() <= 1e-5


def test_the_gradient_does_not_depend_on_the_cut_into_micro_batches(module: CausalLanguageModel) -> None:
    tokens = np.random.default_rng(0).integers(2, 50, (4, 17))
    tokens[1, 9:] = 1  # one block is half padding
    module.train()

    def gradient(parts: list[np.ndarray]) -> torch.Tensor:
        module.zero_grad()
        for part in parts:
            (module.training_step(batch_of(part, 0, 1), 0) / len(parts)).backward()
        return torch.cat([p.grad.flatten() for p in module.parameters() if p.grad is not None])

    whole, cut = gradient([tokens]), gradient([tokens[:1], tokens[1:2], tokens[2:3], tokens[3:]])
    module.take_step_sums()
    assert torch.allclose(whole, cut, atol=1e-7)


def test_the_network_comes_from_the_seed_alone(module: CausalLanguageModel) -> None:
    torch.manual_seed(999)
    before = torch.get_rng_state()
    network = {**MODEL, "architecture": module.config.model_type}
    again = CausalLanguageModel(50, 0, 1, 16, 10, network, {}, seed=3, train_chars_per_token=1.0, validation_chars=10)
    again.configure_model()
    assert all(torch.equal(a, b) for a, b in zip(module.parameters(), again.parameters(), strict=True))
    assert torch.equal(before, torch.get_rng_state())  # dropout draws elsewhere
