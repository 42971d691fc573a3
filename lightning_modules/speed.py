"""速度 speed: how fast a model reads and writes here, and how much memory that takes.

These figures belong to a machine and a moment, not to the model: they stand apart from everything that has a key.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import torch
from transformers import DynamicCache, PreTrainedModel

from lightning_modules.devices import peak_bytes

BATCH_ROWS = 8
PROMPT_TOKENS, NEW_TOKENS = 64, 32
ROUNDS = 3  # the median of so many, after one that is not counted


@torch.inference_mode()
def measure_speed(network: PreTrainedModel) -> dict[str, Any]:
    """Tokens/s read and written in a batch; latency of one row; the largest memory that the process had.

    `read`: BATCH_ROWS rows of the model's context at once. `written`: BATCH_ROWS rows, NEW_TOKENS behind PROMPT_TOKENS.
    First and further tokens: one row. Random ids cost what any others cost.
    """
    context = int(network.config.max_position_embeddings)
    prompt, new = min(PROMPT_TOKENS, context // 2), min(NEW_TOKENS, context // 2)
    draw = torch.Generator().manual_seed(0)
    ids = torch.randint(network.config.vocab_size, (BATCH_ROWS, context), generator=draw).to(network.device)
    read = _median(network, lambda: network(input_ids=ids, use_cache=False))
    one, rest = _written(network, ids[:1, :prompt], new)
    batch_first, batch_rest = _written(network, ids[:, :prompt], new)
    return {
        "device": _device(network),
        "threads": torch.get_num_threads(),
        "read_tokens_per_second": BATCH_ROWS * context / read,
        "written_tokens_per_second": BATCH_ROWS * new / (batch_first + batch_rest),
        "batch_rows": BATCH_ROWS,
        "prompt_tokens": prompt,
        "first_token_ms": 1000 * one,
        "token_ms": 1000 * rest / max(1, new - 1),
        "peak_memory_bytes": peak_bytes(network.device),
    }


def _median(network: PreTrainedModel, work: Callable[[], Any]) -> float:
    """Seconds of one piece of work."""
    work()
    return statistics.median(_timed(network, work) for _ in range(ROUNDS))


def _timed(network: PreTrainedModel, work: Callable[[], Any]) -> float:
    _wait(network)
    start = time.perf_counter()
    work()
    _wait(network)
    return time.perf_counter() - start


def _written(network: PreTrainedModel, prompt: torch.Tensor, new_tokens: int) -> tuple[float, float]:
    """Median seconds until the first new token of every row, and for all further ones."""
    firsts, rests = [], []
    for _ in range(ROUNDS + 1):
        cache = DynamicCache(config=network.config)
        fed = [prompt]

        def step(cache: DynamicCache = cache, fed: list[torch.Tensor] = fed) -> None:
            logits = network(input_ids=fed[0], past_key_values=cache, use_cache=True, logits_to_keep=1).logits
            fed[0] = logits[:, -1].argmax(-1, keepdim=True)

        firsts.append(_timed(network, step))
        rests.append(_timed(network, lambda step=step: [step() for _ in range(new_tokens - 1)]))  # type: ignore[misc]
    return statistics.median(firsts[1:]), statistics.median(rests[1:])


def _wait(network: PreTrainedModel) -> None:
    if network.device.type == "cuda":
        torch.cuda.synchronize()


def _device(network: PreTrainedModel) -> str:
    return torch.cuda.get_device_name() if network.device.type == "cuda" else "cpu"
