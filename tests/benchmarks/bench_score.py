"""How well scorers learn from real labelled Chinese, and MB of UTF-8 per CPU-second of training and scoring.

    ZILIU_SHARED_DATA=FOLDER python -m pytest -m bench tests/benchmarks/bench_score.py -s

spam      FOLDER/spam/sms_10k: short messages; harmless are its other messages and half of the documents of five trusted
          sources, for a text of the web is no short message. Measured on held-out messages, and as false positives on
          documents of every trusted source, those of the other half and of sources that were never learned from.
toxicity  FOLDER/toxic/cold (COLD, Deng et al. 2022): learned on its training split, measured on its dev split.
quality   five trusted sources against subtitles, spam and word lists.
fluency   a Witten-Bell character 4-gram model of 50 MB of trusted text (ZILIU_BENCH_MB): seconds, bits per character.
"""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from data_contracts.scoring import ClassifierConfig, LimitsConfig, NgramConfig
from tasks.score import bits_per_char, mark
from tasks.transforms import hashed_ngrams, text_classifier, witten_bell
from tasks.transforms.normalize import normalized
from tasks.transforms.scorer_files import ngrams_bytes, read_ngrams
from tasks.transforms.splits import places
from tasks.transforms.text_classifier import Classifier, calibrate, evaluate, fit
from tests.benchmarks.measured import cpu_seconds, megabytes, write
from tests.given_documents import documents

pytestmark = [pytest.mark.bench, pytest.mark.timeout(1800)]
MEGABYTES = float(os.environ.get("ZILIU_BENCH_MB", "50"))
TRUSTED = ("cosx", "lctt", "news", "prose", "wiki_paragraphs")
NEVER_LEARNED = ("javaguide", "laws_cn", "medical_qa", "novels", "recipes", "weekly", "yihui_blog")
MIN_CHARS = 200  # of a document of a trusted source, as in clean
THRESHOLDS = (0.5, 0.7, 0.9, 0.95)


def labelled(path: Path) -> tuple[list[str], np.ndarray[Any, np.dtype[np.bool_]]]:
    """Texts, normalised, and whether each is of the harmful kind."""
    rows = [json.loads(line) for line in gzip.decompress(path.read_bytes()).splitlines()]
    return normalized(pl.Series([r["text"] for r in rows])).to_list(), np.array([int(r["label"]) == 1 for r in rows])


def trusted(folder: Path, name: str, megabytes: float = 2.0) -> list[str]:
    texts = pl.read_parquet(folder / "pretrain" / f"{name}.parquet", columns=["text"])["text"]
    texts = texts.filter(texts.str.len_chars() >= MIN_CHARS).sample(fraction=1.0, shuffle=True, seed=5)
    return normalized(texts.filter(texts.str.len_bytes().cum_sum() <= megabytes * 1e6)).to_list()


def learned(
    texts: list[str], labels: np.ndarray[Any, np.dtype[np.bool_]], spent: dict[str, float]
) -> tuple[Classifier, list[str], np.ndarray[Any, np.dtype[np.bool_]]]:
    """A classifier as `train_classifier` makes it, and the texts that it has not seen."""
    part = np.digitize(places(texts, "score"), [0.8, 0.9])
    known, held, unseen = ([t for t, p in zip(texts, part, strict=True) if p == n] for n in range(3))
    with cpu_seconds(spent, "training"):
        weights = fit(known, labels[part == 0], ClassifierConfig())
    made = Classifier(weights, 3, *calibrate(Classifier(weights, 3, 1.0, 0.0).raw(held), labels[part == 1]))
    return made, unseen, labels[part == 2]


def at(told: dict[str, Any]) -> dict[str, Any]:
    """Recall, false positives and precision by threshold, and the figures of the whole."""
    return {k: told[k] for k in ("positives", "negatives", "auc", "average_precision", "brier")} | {
        str(t["threshold"]): {k: t[k] for k in ("positives_above", "negatives_above", "precision")}
        for t in told["thresholds"]
        if t["threshold"] in THRESHOLDS
    }


def test_spam(shared_data: Path, tmp_path: Path) -> None:
    messages, spam = labelled(shared_data / "spam" / "sms_10k" / "train.jsonl.gz")
    halves = {name: np.array_split(np.array(trusted(shared_data, name), object), 2) for name in TRUSTED}
    articles = [t for half, _ in halves.values() for t in half]
    spent: dict[str, float] = {}
    made, unseen, truth = learned(messages + articles, np.append(spam, np.zeros(len(articles), bool)), spent)
    short = np.array([t in set(messages) for t in unseen])
    told = evaluate(made.probability([t for t, s in zip(unseen, short, strict=True) if s]), truth[short])
    keep: dict[str, Any] = {}
    with cpu_seconds(spent, "scoring"):
        for name in (*TRUSTED, *NEVER_LEARNED):
            texts = list(halves[name][1]) if name in halves else trusted(shared_data, name)
            chance = made.probability(texts)
            keep[name] = {str(t): round(float((chance <= t).mean()), 4) for t in THRESHOLDS} | {"documents": len(texts)}
    count = sum(k["documents"] for k in keep.values())
    whole = {str(t): round(sum(k[str(t)] * k["documents"] for k in keep.values()) / count, 4) for t in THRESHOLDS}
    size = megabytes(pl.Series(messages + articles)) * 0.8
    figures = {
        "messages": at(told),
        "trusted_kept": keep | {"all": whole},
        "train_mb_per_cpu_second": round(size / spent["training"], 2),
    }
    print(json.dumps(figures, ensure_ascii=False, indent=1), write("score_spam", figures, tmp_path))
    assert told["auc"] > 0.9


def test_toxicity(shared_data: Path, tmp_path: Path) -> None:
    texts, toxic = labelled(shared_data / "toxic" / "cold" / "train.jsonl.gz")
    spent: dict[str, float] = {}
    made, _, _ = learned(texts, toxic, spent)
    unseen, truth = labelled(shared_data / "toxic" / "cold" / "dev.jsonl.gz")
    told = evaluate(made.probability(unseen), truth)
    figures = {
        "dev": at(told),
        "train_mb_per_cpu_second": round(megabytes(pl.Series(texts)) * 0.8 / spent["training"], 2),
    }
    print(json.dumps(figures, ensure_ascii=False, indent=1), write("score_toxicity", figures, tmp_path))
    assert told["auc"] > 0.8


def test_quality_and_speed(shared_data: Path, tmp_path: Path) -> None:
    wanted = [t for name in TRUSTED for t in trusted(shared_data, name)]
    messages, spam = labelled(shared_data / "spam" / "sms_10k" / "train.jsonl.gz")
    unwanted = [m for m, s in zip(messages, spam, strict=True) if s]
    for name in ("subtitles", "misc"):
        unwanted += pl.read_parquet(shared_data / "pretrain" / f"{name}.parquet")["text"].head(6000).to_list()
    spent: dict[str, float] = {}
    labels = np.repeat([True, False], [len(wanted), len(unwanted)])
    made, unseen, truth = learned(wanted + unwanted, labels, spent)
    told = evaluate(made.probability(unseen), truth)
    frame = documents(wanted)
    with cpu_seconds(spent, "scoring"):
        marked = mark(frame.lazy(), LimitsConfig(min_quality=0.5), {"quality": made.probability}).collect()
    kept = float(marked["reason"].is_null().mean())  # type: ignore[arg-type]
    figures = {
        "held_out": at(told),
        "reliability": told["reliability"],
        "wanted_kept_at_half": round(kept, 4),
        "train_mb_per_cpu_second": round(megabytes(pl.Series(wanted + unwanted)) * 0.8 / spent["training"], 2),
        "score_mb_per_cpu_second": round(megabytes(frame["text"]) / spent["scoring"], 1),
    }
    print(json.dumps(figures, ensure_ascii=False, indent=1), write("score_quality", figures, tmp_path))
    assert told["auc"] > 0.9


def test_fluency(shared_data: Path, tmp_path: Path) -> None:
    share = MEGABYTES / len(names := (*TRUSTED, "laws_cn", "novels", "yihui_blog"))
    texts = [t for name in names for t in trusted(shared_data, name, 2.2 * share)]
    order = np.argsort(places(texts, "bench"))
    ends = np.cumsum([len(texts[i].encode()) for i in order])
    known = [texts[i] for i in order[ends <= MEGABYTES * 1e6]]
    unseen = [texts[i] for i in order[ends > MEGABYTES * 1e6]][:1000]
    unseen = unseen or known[-100:]
    spent: dict[str, float] = {}
    cfg = NgramConfig()
    read = hashed_ngrams.read(known[:1000])
    witten_bell.train_on(read, 2)  # the loop is compiled once a machine
    with cpu_seconds(spent, "training"):
        model = witten_bell.train_on(hashed_ngrams.read(known), cfg.order, cfg.min_count)
    model = read_ngrams(content := ngrams_bytes(model))
    with cpu_seconds(spent, "scoring"):
        each = bits_per_char(model, unseen)
    lengths = np.array([len(t) for t in unseen])
    size = megabytes(pl.Series(known))
    figures = {
        "train_mb": round(size, 1),
        "train_cpu_seconds": round(spent["training"], 1),
        "model_mb": round(len(content) / 1e6, 1),
        "bits_per_char": round(float((each * lengths).sum() / lengths.sum()), 3),
        "score_mb_per_cpu_second": round(megabytes(pl.Series(unseen)) / spent["scoring"], 1),
    }
    print(json.dumps(figures, indent=1), write("score_fluency", figures, tmp_path))
    assert 0 < figures["bits_per_char"] < text_classifier.PASSAGE
