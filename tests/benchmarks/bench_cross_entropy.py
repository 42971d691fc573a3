"""Milliseconds of CPU for the loss over a vocabulary, forward and backward, beside torch's, by turns in one process.

    python -m pytest -m bench tests/benchmarks/bench_cross_entropy.py -s

One thread, 1,024 positions, 8,192 and 32,768 tokens. The product that makes the logits is not counted.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch.nn import functional

from lightning_modules.cross_entropy import summed_nats
from tests.benchmarks.measured import write

POSITIONS, VOCABULARIES, ROUNDS = 1024, (8192, 32768), 7
Loss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
KINDS: dict[str, Loss] = {
    "ziliu": lambda logits, targets: summed_nats(logits, targets)[1],
    "torch": lambda logits, targets: functional.cross_entropy(logits, targets, reduction="sum"),
}


def milliseconds(loss: Loss, values: torch.Tensor, targets: torch.Tensor) -> float:
    """CPU time of a loss and of its gradient."""
    logits = values.clone().requires_grad_() * 1.0  # like a network's: no leaf
    ended: list[float] = []
    logits.register_hook(lambda gradient: ended.append(time.process_time()))
    start = time.process_time()
    loss(logits, targets).backward()
    return 1000 * (ended[0] - start)


@pytest.mark.bench
def test_cross_entropy(tmp_path: Path) -> None:
    torch.set_num_threads(1)
    figures = {}
    for tokens in VOCABULARIES:
        values, targets = 3 * torch.randn(POSITIONS, tokens), torch.randint(tokens, (POSITIONS,))
        ours, theirs = (
            KINDS[kind](values.clone().requires_grad_() * 1.0, targets).item() for kind in ("ziliu", "torch")
        )
        assert abs(ours - theirs) < 1e-5 * theirs, "what is timed is the same loss"
        found = [{kind: milliseconds(loss, values, targets) for kind, loss in KINDS.items()} for _ in range(ROUNDS)][1:]
        middle = {kind: statistics.median(one[kind] for one in found) for kind in KINDS}
        figures[str(tokens)] = {**middle, "ratio": middle["torch"] / middle["ziliu"]}
    print(write("cross_entropy", {"positions": POSITIONS, "milliseconds": figures}, tmp_path).read_text("utf-8"))
