"""尺度 yardsticks: what a model's figures are held against, all of it from the corpus that the model was trained on.

baselines    character n-gram models of the training texts, asked about exactly the documents that the model was asked
held out     real text beside generated text: the same measures of as many passages of as many characters
verbatim     the training texts themselves: what a model writes that stands in them, character by character
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import polars as pl

from data_contracts.dataset import KEPT, Manifest
from data_contracts.errors import ConfigError
from tasks.store import Store
from tasks.transforms import witten_bell
from tasks.transforms.diversity import diversity
from tasks.transforms.splits import places
from tasks.transforms.verbatim import Passages, Run

BASELINES = {"unigram": 1, "bigram": 2, "fourgram": 4}  # characters of an n-gram
TOLD_RUNS = 5  # verbatim runs that are quoted


class Corpus:
    """The texts that a model was trained on and held out from."""

    def __init__(self, store: Store, blocks: Manifest) -> None:
        self.store = store
        self.manifest = store.checked(blocks.parents[0])
        table = store.scan(f"{blocks.stage}/{blocks.version}").select("doc_id", "split").collect()
        self.train = table.filter(pl.col("split") == "train")["doc_id"].unique(maintain_order=True)

    def documents(self, wanted: pl.Series) -> Iterator[pl.DataFrame]:
        """doc_id, source and text of some documents, a shard at a time, in the corpus's order."""
        for shard in self.manifest.shards:
            frame = pl.scan_parquet(self.store.path(shard.files[KEPT])).select("doc_id", "source", "text")
            yield frame.filter(pl.col("doc_id").is_in(wanted.implode())).collect()

    def lottery(self, wanted: pl.Series, purpose: str) -> pl.Series:
        """Ids in an order that has nothing to do with anything, the same whatever the shards."""
        return wanted[np.lexsort((wanted.to_numpy(), places(wanted.to_list(), purpose)))]


def baselines(corpus: Corpus, asked: pl.Series, most_chars: int) -> dict[str, Any]:
    """Bits per character of character n-gram models on the documents asked about, in all and by source.

    They learn from all training texts, or from as many as `most_chars` hold, chosen by lottery.
    """
    learned, all_chars = _to_learn(corpus, most_chars)
    texts = [text for frame in corpus.documents(learned) for text in frame["text"]]
    if not texts:
        raise ConfigError("assess: no training document is left for the baselines; lower encode's ratios")
    model = witten_bell.train(texts, max(BASELINES.values()))
    held = pl.concat(corpus.documents(asked))
    bits = {name: model.bits(held["text"].to_list(), order) for name, order in BASELINES.items()}
    rows = held.select("source", chars=pl.col("text").str.len_chars()).with_columns(
        *(pl.Series(name, values) for name, values in bits.items())
    )
    sums = rows.group_by("source").agg(pl.all().sum()).sort("source")
    told: dict[str, Any] = {
        name: {
            "bits_per_char": float(bits[name].sum()) / max(1, int(rows["chars"].sum())),
            "by_source": {row["source"]: row[name] / max(1, row["chars"]) for row in sums.iter_rows(named=True)},
        }
        for name in BASELINES
    }
    return {"learned_chars": sum(map(len, texts)), "training_chars": all_chars, "models": told}


def _to_learn(corpus: Corpus, most_chars: int) -> tuple[pl.Series, int]:
    """Training documents of at most `most_chars` together (at least one), and the characters of all of them."""
    sizes = pl.concat(
        frame.select("doc_id", chars=pl.col("text").str.len_chars()) for frame in corpus.documents(corpus.train)
    )
    total = int(sizes["chars"].sum())
    if total <= most_chars:
        return corpus.train, total
    drawn = pl.DataFrame({"doc_id": corpus.lottery(corpus.train, "baseline")}).join(
        sizes, "doc_id", maintain_order="left"
    )
    taken = int((drawn["chars"].cum_sum() <= most_chars).sum())
    return drawn["doc_id"][: max(1, taken)], total


def passages(texts: Sequence[str], count: int, chars: int) -> list[str]:
    """`count` passages of `chars` characters, fewer where the texts have no more: first those that begin a text."""
    if chars < 1:
        return []
    rounds = max((len(text) // chars for text in texts), default=0)
    found = (text[i * chars : (i + 1) * chars] for i in range(rounds) for text in texts if len(text) >= (i + 1) * chars)
    return [text for _, text in zip(range(count), found, strict=False)]


def generated(samples: Sequence[str], corpus: Corpus, asked: pl.Series, least: int) -> dict[str, Any]:
    """Diversity, repetition and verbatim runs of samples, beside those of held-out passages of that length."""
    chars = round(sum(map(len, samples)) / len(samples)) if samples else 0
    held = [text for frame in corpus.documents(asked) for text in frame["text"]]
    real = passages(held, len(samples), chars)
    both = Passages([*samples, *real])
    for frame in corpus.documents(corpus.train):
        both.read(frame["text"].to_list())
    runs = both.runs()
    own, theirs = runs[: len(samples)], runs[len(samples) :]
    quoted = sorted(range(len(own)), key=lambda i: (-own[i].chars, i))[:TOLD_RUNS]
    quotes = [samples[i][own[i].start : own[i].stop] for i in quoted if own[i].chars >= least]
    return {
        "model": {**diversity(samples), "verbatim": _spread(own, least)},
        "held_out": {**diversity(real), "verbatim": _spread(theirs, least)},
        "longest_runs": [{"chars": len(q), "text": q, "doc_id": d} for q, d in _owners(corpus, quotes)],
    }


def _spread(runs: Sequence[Run], least: int) -> dict[str, Any]:
    """The longest run, the median one, and the share of passages whose run is at least `least` characters."""
    lengths = sorted(run.chars for run in runs)
    return {
        "longest": lengths[-1] if lengths else None,
        "median": float(np.median(lengths)) if lengths else None,
        "at_least": least,
        "share": sum(n >= least for n in lengths) / len(lengths) if lengths else None,
    }


def _owners(corpus: Corpus, quotes: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Each quote with the first training document that has it."""
    owners: dict[str, str] = {}
    for frame in corpus.documents(corpus.train) if quotes else ():
        for quote in quotes:
            if quote not in owners:
                having = frame.filter(pl.col("text").str.contains(quote, literal=True))["doc_id"]
                owners |= {quote: having[0]} if len(having) else {}
    yield from ((quote, owners[quote]) for quote in quotes)


def probes(corpus: Corpus, count: int, chars: int) -> pl.DataFrame:
    """The first `chars` characters of `count` training documents, drawn by lottery; columns of PROMPT."""
    drawn = corpus.lottery(corpus.train, "memorised")[:count]
    found = [f.select(item="doc_id", text=pl.col("text").str.slice(0, chars)) for f in corpus.documents(drawn)]
    return pl.concat(found).sort("item") if found else pl.DataFrame(schema={"item": pl.String, "text": pl.String})


def remembered(told: Iterable[dict[str, Any]], given: pl.DataFrame, least: int) -> dict[str, Any]:
    """How far the model went on word for word behind the beginnings of training documents. `told` is its answers."""
    texts = dict(given.iter_rows())
    lengths = []
    for one in told:
        rest = texts[one["item"]][len(one["prompt"]) :]
        same = next((i for i, (a, b) in enumerate(zip(one["text"], rest, strict=False)) if a != b), None)
        lengths.append(min(len(one["text"]), len(rest)) if same is None else same)
    runs = [Run(0, n) for n in lengths]
    return {"texts": len(lengths), **_spread(runs, least)}
