"""最小对立体 minimal pairs: how often a model finds the grammatical sentence of a pair more likely, by phenomenon."""

from __future__ import annotations

import gzip
import hashlib
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer
from torch.nn import functional
from transformers import PreTrainedModel

from data_contracts.errors import ConfigError, DatasetMissing
from data_contracts.score_file import ScoreConfig
from lightning_modules.block_files import IGNORED
from lightning_modules.events import progress

BATCH_TOKENS = 4096  # padded tokens of one forward pass
NORMAL_975 = 1.959963984540054  # 97.5 % quantile of the normal distribution


def read_pairs(path: Path, max_pairs: int, seed: int) -> list[dict[str, str]]:
    """At most `max_pairs` pairs, chosen by the hash of their text and the seed, in file order."""
    if not path.is_file():
        raise DatasetMissing(f"minimal pairs {path} are missing; check assess.minimal_pairs")
    data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    pairs = [json.loads(line) for line in data.decode("utf-8").split("\n") if line.strip()]
    for number, pair in enumerate(pairs, 1):
        missing = {"sentence_good", "sentence_bad", "phenomenon"} - set(pair)
        if missing:
            raise ConfigError(f"minimal pairs {path}, pair {number}: no {', '.join(sorted(missing))}")
    if len(pairs) <= max_pairs:
        return pairs
    order = sorted(range(len(pairs)), key=lambda i: _hash(pairs[i], seed))
    return [pairs[i] for i in sorted(order[:max_pairs])]


def _hash(pair: dict[str, str], seed: int) -> bytes:
    text = f"{seed}\0{pair['sentence_good']}\0{pair['sentence_bad']}"
    return hashlib.blake2b(text.encode(), digest_size=8).digest()


def wilson(right: int, count: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a proportion; (0, 1) for no trials. Source: Wilson 1927, JASA 22, 209-212."""
    if not count:
        return 0.0, 1.0
    share, z2 = right / count, NORMAL_975**2
    middle = (share + z2 / (2 * count)) / (1 + z2 / count)
    half = NORMAL_975 / (1 + z2 / count) * math.sqrt(share * (1 - share) / count + z2 / (4 * count**2))
    return max(0.0, middle - half), min(1.0, middle + half)


@torch.inference_mode()
def log_likelihoods(network: PreTrainedModel, sentences: list[list[int]], separator_id: int) -> list[float]:
    """Summed log-probability (nats) of each sentence's ids after a separator; 0 for no ids.

    Sentences are batched by length and padded on the right, which a causal model cannot see.
    """
    scores, done = [0.0] * len(sentences), 0
    for group in _batches(sentences):
        longest = max(len(sentences[i]) for i in group)
        inputs = torch.full((len(group), longest), separator_id)
        targets = torch.full((len(group), longest), IGNORED)
        for row, i in enumerate(group):
            ids = torch.tensor(sentences[i])
            inputs[row, 1 : len(ids)] = ids[:-1]
            targets[row, : len(ids)] = ids
        inputs, targets = inputs.to(network.device), targets.to(network.device)
        positions = torch.arange(longest, device=network.device).expand(len(group), -1)  # one document a row
        logits = network(input_ids=inputs, position_ids=positions, use_cache=False).logits.float()
        nats = functional.cross_entropy(logits.flatten(0, 1), targets.flatten(), reduction="none")
        for i, total in zip(group, nats.view_as(targets).double().sum(1).tolist(), strict=True):
            scores[i] = -total
        done += len(group)
        progress(done, len(sentences), phase="minimal_pairs", unit="sentences")
    return scores


def _batches(sentences: list[list[int]]) -> Iterator[list[int]]:
    """Indices of non-empty sentences of similar length, at most BATCH_TOKENS padded tokens together."""
    order = sorted((i for i in range(len(sentences)) if sentences[i]), key=lambda i: len(sentences[i]))
    group: list[int] = []
    for i in order:
        if group and (len(group) + 1) * len(sentences[i]) > BATCH_TOKENS:
            yield group
            group = []
        group.append(i)
    if group:
        yield group


def score_pairs(
    network: PreTrainedModel, tokenizer: Tokenizer, path: Path, cfg: ScoreConfig, separator_id: int
) -> dict[str, Any]:
    """Accuracy in all and by phenomenon, each with its Wilson interval. Equal likelihoods count as wrong."""
    pairs = read_pairs(path, cfg.max_pairs, cfg.seed)
    texts = [pair[side] for pair in pairs for side in ("sentence_good", "sentence_bad")]
    ids = [e.ids for e in tokenizer.encode_batch(texts, add_special_tokens=False)]
    scores = log_likelihoods(network, ids, separator_id)
    right: dict[str, list[bool]] = {}
    for i, pair in enumerate(pairs):
        right.setdefault(pair["phenomenon"], []).append(scores[2 * i] > scores[2 * i + 1])
    every = [one for found in right.values() for one in found]
    ties = sum(scores[2 * i] == scores[2 * i + 1] for i in range(len(pairs)))
    by_phenomenon = {name: _accuracy(right[name]) for name in sorted(right)}
    return {**_accuracy(every), "ties": ties, "by_phenomenon": by_phenomenon}


def _accuracy(found: list[bool]) -> dict[str, Any]:
    low, high = wilson(sum(found), len(found))
    share = sum(found) / len(found) if found else None
    return {"accuracy": share, "low": low, "high": high, "pairs": len(found), "right": sum(found)}
