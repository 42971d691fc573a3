"""每字比特数 stream bits: what a model pays for held-out documents, exactly, by source.

A document owns the targets after its own separator up to and including the separator that ends it, so over a stream
every target is paid for by exactly one document. Contexts are the stream's blocks, as in training: nothing before the
block is seen, and nothing of another document.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional
from transformers import PreTrainedModel

from data_contracts.errors import ConfigError, DatasetMissing
from data_contracts.score_file import Documents, ScoreConfig, Stream
from lightning_modules.block_files import batch_of, token_type
from lightning_modules.events import progress


@torch.inference_mode()
def block_nats(
    network: PreTrainedModel, tokens: NDArray[np.int64], separator_id: int, pad_id: int
) -> NDArray[np.float64]:
    """(B, T + 1) blocks -> (B, T) nats of each target; 0 for padding."""
    batch = {name: tensor.to(network.device) for name, tensor in batch_of(tokens, separator_id, pad_id).items()}
    logits = network(input_ids=batch["inputs"], position_ids=batch["positions"], use_cache=False).logits  # (B, T, V)
    nats = functional.cross_entropy(logits.float().flatten(0, 1), batch["targets"].flatten(), reduction="none")
    return nats.view_as(batch["targets"]).double().cpu().numpy()


def stream_nats(
    network: PreTrainedModel, stream: NDArray[np.int64], block_tokens: int, rows: int, separator_id: int, pad_id: int
) -> Iterator[NDArray[np.float64]]:
    """Nats of the targets 1 .. len(stream) - 1 in order, a batch of blocks at a time; a short last block is padded."""
    blocks = max(0, math.ceil((len(stream) - 1) / block_tokens))
    padded = np.full(blocks * block_tokens + 1, pad_id, dtype=np.int64)
    padded[: len(stream)] = stream
    index = np.arange(block_tokens + 1)
    for first in range(0, blocks, rows):
        numbers = np.arange(first, min(first + rows, blocks))
        nats = block_nats(network, padded[numbers[:, None] * block_tokens + index], separator_id, pad_id).ravel()
        yield nats[: max(0, len(stream) - 1 - first * block_tokens)]


def score_streams(network: PreTrainedModel, cfg: ScoreConfig, separator_id: int, pad_id: int) -> dict[str, Any]:
    """Bits, characters, tokens, bits per character, perplexity per token: in all, by source, and by document.

    Documents are taken whole, in order, until `max_tokens` targets; at least one. `documents` names them, so that a
    baseline can be computed on exactly the same text.
    """
    block_tokens = cfg.block_tokens or int(network.config.max_position_embeddings)
    plans, left = [], cfg.max_tokens
    for stream in cfg.streams:
        tokens = _ids(stream, cfg.vocab_size or network.config.vocab_size)
        documents = _documents(stream, tokens, separator_id)
        taken = _taken(documents, left, first=not plans)
        if taken:
            left -= sum(documents.tokens[:taken])
            plans.append((tokens, documents, taken))
    total = sum(sum(d.tokens[:n]) for _, d, n in plans)
    rows: list[dict[str, Any]] = []
    done = 0
    for tokens, documents, taken in plans:
        end = documents.starts[taken - 1] + documents.tokens[taken - 1]  # index of the last separator that is a target
        sums = np.zeros(end + 1)  # sums[i]: nats of the targets 1 .. i
        at = 0
        batches = stream_nats(network, tokens[: end + 1], block_tokens, cfg.blocks_per_batch, separator_id, pad_id)
        for nats in batches:
            sums[at + 1 : at + 1 + len(nats)] = sums[at] + np.cumsum(nats)
            at += len(nats)
            progress(done + at, total, phase="bits_per_char", unit="tokens")
        done += at
        rows += _document_rows(documents, taken, sums)
    return _summary(rows)


def _ids(stream: Stream, vocab_size: int) -> NDArray[np.int64]:
    if not Path(stream.path).is_file():
        raise DatasetMissing(f"token file {stream.path} is missing; verify the store, or run the encode stage again")
    return np.fromfile(stream.path, dtype=token_type(vocab_size)).astype(np.int64)


def _documents(stream: Stream, tokens: NDArray[np.int64], separator_id: int) -> Documents:
    if stream.documents is not None:
        return Documents.read(stream.documents, stream.split)
    if stream.chars is None:
        raise ConfigError(f"score: stream {stream.path} needs `documents` or `chars`")
    separators = np.flatnonzero(tokens == separator_id)
    if len(separators) < 2:
        return Documents([], [], [], [], [])
    first, last = int(separators[0]), int(separators[-1])  # without a table the whole stream counts as one document
    return Documents([stream.path], ["all"], [first], [last - first], [stream.chars])


def _taken(documents: Documents, left: int, first: bool) -> int:
    """How many documents from the start fit into `left` targets; at least one of the very first stream."""
    fitting = int(np.searchsorted(np.cumsum(documents.tokens), left, side="right")) if documents.ids else 0
    return max(fitting, 1) if first and documents.ids else fitting


def _document_rows(documents: Documents, taken: int, sums: NDArray[np.float64]) -> list[dict[str, Any]]:
    rows = []
    for i in range(taken):
        start, tokens = documents.starts[i], documents.tokens[i]
        bits = float(sums[start + tokens] - sums[start]) / math.log(2)  # targets start + 1 .. start + tokens
        row = {"doc_id": documents.ids[i], "source": documents.sources[i], "bits": bits}
        rows.append({**row, "chars": documents.chars[i], "tokens": tokens})
    return rows


def _summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    sources: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        sources.setdefault(row["source"], []).append(row)
    by_source = {name: _figures(sources[name]) for name in sorted(sources)}
    return {**_figures(rows), "by_source": by_source, "documents": rows}


def _figures(rows: list[dict[str, Any]]) -> dict[str, Any]:
    bits, chars, tokens = math.fsum(r["bits"] for r in rows), *(sum(r[k] for r in rows) for k in ("chars", "tokens"))
    return {
        "bits_per_char": bits / chars if chars else None,
        "perplexity_per_token": 2.0 ** (bits / tokens) if tokens else None,  # compares models of one tokenizer only
        "bits": bits,
        "chars": chars,
        "tokens": tokens,
        "documents_scored": len(rows),
    }
