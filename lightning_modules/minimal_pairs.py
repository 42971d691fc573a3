"""最小对立体 minimal pairs: how often a model finds the grammatical sentence of a pair more likely, by phenomenon."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import polars as pl
import torch
from tokenizers import Tokenizer
from torch.nn import functional
from transformers import PreTrainedModel

from data_contracts.score_file import PAIR, NamedTable
from lightning_modules.block_files import IGNORED
from lightning_modules.events import progress
from lightning_modules.intervals import proportion

BATCH_TOKENS = 4096  # padded tokens of one forward pass


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
    network: PreTrainedModel, tokenizer: Tokenizer, tables: Sequence[NamedTable], separator_id: int
) -> dict[str, Any]:
    """Accuracy over all sets, and of each set by phenomenon, with Wilson intervals. Equal likelihoods count as wrong.

    `outcomes` of a set are its pairs with whether each was right, in the set's order.
    """
    sets = {one.name: _score(network, tokenizer, one, separator_id) for one in tables}
    right, count = (sum(one[name] for one in sets.values()) for name in ("right", "count"))
    return {**proportion(right, count), "sets": sets}


def _score(network: PreTrainedModel, tokenizer: Tokenizer, table: NamedTable, separator_id: int) -> dict[str, Any]:
    pairs = table.read(PAIR)
    texts = pairs["good"].to_list() + pairs["bad"].to_list()
    ids = [e.ids for e in tokenizer.encode_batch(texts, add_special_tokens=False)]
    scores = pl.Series(log_likelihoods(network, ids, separator_id), dtype=pl.Float64)
    good, bad = scores[: pairs.height], scores[pairs.height :]
    outcomes = pairs.select("item", group="phenomenon").with_columns(right=good > bad)
    groups = outcomes.group_by("group").agg(pl.col("right").sum(), n=pl.len()).sort("group")
    return {
        **proportion(int(outcomes["right"].sum()), pairs.height),
        "ties": int((good == bad).sum()),
        "by_phenomenon": {name: proportion(right, n) for name, right, n in groups.iter_rows()},
        "outcomes": outcomes.to_dict(as_series=False),
    }
