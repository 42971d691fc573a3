"""训练 n 元模型 train n-grams: EXAMPLE -> ngrams. What trusted text looks like, in bits per character.

The dataset is one shard with `ngrams.safetensors`. Measures: texts, chars and n-grams learned from, and on held-out
texts of the same sources the bits per character under n-grams of each length, and the quantiles over texts, among
which a limit is best chosen.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl

from data_contracts.dataset import Dataset, Shard
from data_contracts.errors import StageError
from data_contracts.scoring import NgramConfig
from tasks.rows import Room
from tasks.samples import Chosen, choose, key_of, texts_of
from tasks.stage import stage
from tasks.transforms import hashed_ngrams, witten_bell
from tasks.transforms.normalize import normalized
from tasks.transforms.scorer_files import NGRAMS, ngrams_bytes, read_ngrams
from tasks.transforms.splits import places
from tasks.work import Output, Work

EVALUATION = "evaluation.json"
QUANTILES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)


@stage(schema="ngrams", libraries=("numpy", "opencc", "polars", "safetensors"))
def train_ngrams(examples: Sequence[Dataset], cfg: NgramConfig, work: Work) -> Output:
    """训练字符模型 train: EXAMPLE -> ngrams. Interpolated character n-grams of trusted text."""
    chosen = choose(work.store, examples, cfg.sample_bytes)
    [[made]] = work.each(learn, [(key_of(chosen), (chosen, cfg))])
    told = json.loads(work.store.path(made.files[EVALUATION]).read_bytes())
    return Output([made], {"signal": "bits_per_char", **told})


def learn(room: Room, chosen: list[Chosen], cfg: NgramConfig) -> list[Shard]:
    """Learn and measure. A job of its own: it runs in a worker, where its memory is given back."""
    texts = normalized(texts_of(room.store, chosen))
    held_out = pl.Series(places(texts.to_list(), "score") >= 1 - cfg.held_out_ratio)
    known, unknown = texts.filter(~held_out).to_list(), texts.filter(held_out).to_list()
    if not known or not unknown:
        raise StageError(f"train_ngrams: {len(texts)} trusted texts are too few to learn from some and measure others")
    model = witten_bell.train_on(hashed_ngrams.read(known), cfg.order, cfg.min_count)
    file = room.put(ngrams_bytes(model))
    told: dict[str, Any] = {
        "texts": len(known),
        "chars": sum(map(len, known)),
        "ngrams": [len(table.keys) for table in model.tables],
        **_measured(read_ngrams(room.store.path(file).read_bytes()), unknown),
    }
    files = {NGRAMS: file, EVALUATION: room.put(json.dumps(told).encode())}
    return [Shard(content=file.sha256, files=files, text_bytes=int(texts.str.len_bytes().sum()))]


def _measured(model: witten_bell.Model, texts: list[str]) -> dict[str, Any]:
    """Bits per character of texts as one, under every length of n-gram; and the quantiles of each by itself."""
    flat, lengths = hashed_ngrams.read(texts), np.array([max(1, len(text)) for text in texts])
    by_order = [model.bits_of(flat, order) for order in range(1, model.order + 1)]
    each = by_order[-1] / lengths
    return {
        "held_out_texts": len(texts),
        "bits_per_char": round(float(by_order[-1].sum() / lengths.sum()), 4),
        "bits_per_char_by_order": [round(float(bits.sum() / lengths.sum()), 4) for bits in by_order],
        "quantiles": {f"{q:g}": round(float(np.quantile(each, q)), 4) for q in QUANTILES},
    }
