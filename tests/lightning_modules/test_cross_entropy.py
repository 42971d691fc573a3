from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from lightning_modules.block_files import IGNORED
from lightning_modules.cross_entropy import CHUNK, summed_nats

VOCABULARY = 700
ROWS = 2 * CHUNK["cpu"] // VOCABULARY + 5  # three chunks, the last one short


def made(seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    draw = torch.Generator().manual_seed(seed)
    logits = 3 * torch.randn(ROWS, VOCABULARY, generator=draw)
    targets = torch.randint(VOCABULARY, (ROWS,), generator=draw)
    targets[::7] = IGNORED
    return logits, targets


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_it_is_the_cross_entropy_of_torch_and_so_is_its_gradient(smoothing):
    logits, targets = made()
    ours, theirs = (logits.clone().requires_grad_() for _ in range(2))
    nats, loss = summed_nats(ours * 1.0, targets, smoothing)
    kept = {"ignore_index": IGNORED, "reduction": "sum"}
    expected = functional.cross_entropy(theirs * 1.0, targets, label_smoothing=smoothing, **kept)
    (0.25 * loss).backward()
    (0.25 * expected).backward()
    assert loss.item() == pytest.approx(expected.item(), rel=1e-6)
    assert nats.item() == pytest.approx(functional.cross_entropy(logits, targets, **kept).item(), rel=1e-6)
    assert not nats.requires_grad
    torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-5, atol=1e-7)
    assert ours.grad[::7].abs().sum() == 0


def test_without_a_gradient_the_logits_stay_as_they_are():
    logits, targets = made()
    before = logits.clone()
    nats, loss = summed_nats(logits, targets)
    assert nats == loss
    assert torch.equal(logits, before)
    wanting = logits.clone().requires_grad_()
    with torch.no_grad():
        summed_nats(wanting, targets)
    assert torch.equal(wanting, before)


def test_extreme_logits_have_finite_losses_and_gradients():
    logits = torch.tensor([[1e4, -1e4, 0.0], [-1e4, 1e4, 0.0]]).requires_grad_()
    nats, loss = summed_nats(logits * 1.0, torch.tensor([0, 0]))
    loss.backward()
    assert nats.item() == 2e4
    torch.testing.assert_close(logits.grad, torch.tensor([[0.0, 0.0, 0.0], [-1.0, 1.0, 0.0]]))


def test_a_loss_that_is_no_number_stays_one():
    logits = torch.tensor([[float("nan"), 0.0], [0.0, 0.0]]).requires_grad_()
    nats, _ = summed_nats(logits * 1.0, torch.tensor([0, 1]))
    assert torch.isnan(nats)
