"""Bits of documents computed one target at a time in fp64, the slow and obvious way."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import torch

BLOCK = 32


@torch.no_grad()
def document_bits(network: Any, corpus: Any, split: str) -> list[list[float]]:
    """For each shard, the bits of each document: its targets after its separator up to the next separator."""
    network = network.double()
    found = []
    for shard in corpus.shards:
        stream = np.fromfile(getattr(shard, split).path, dtype="<u2").astype(int).tolist()
        separators = [i for i, token in enumerate(stream) if token == 0]
        found.append(
            [
                sum(target_bits(network, stream, i) for i in range(start + 1, end + 1))
                for start, end in itertools.pairwise(separators)
            ]
        )
    network.float()
    return found


def target_bits(network: Any, stream: list[int], i: int) -> float:
    """Bits of target i given what its block and its document show before it."""
    block_start = (i - 1) // BLOCK * BLOCK
    document_start = max(j for j in range(i) if stream[j] == 0)
    context = stream[max(block_start, document_start) : i]
    logits = network(input_ids=torch.tensor([context])).logits[0, -1].double()
    return float(-torch.log_softmax(logits, -1)[stream[i]]) / math.log(2)
