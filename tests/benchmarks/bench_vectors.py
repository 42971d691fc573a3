"""Word vectors: MB of UTF-8 a CPU-second, and what they are worth as features beside the classifiers of `score`.

    ZILIU_SHARED_DATA=FOLDER python -m pytest -m bench tests/benchmarks/bench_vectors.py -s

Vectors are learned from ZILIU_BENCH_MB (10) of real text of ten sources, which holds none of the labelled messages. A
text is the mean of its words' vectors; scikit-learn's LogisticRegression learns from it on the texts that the hashed
character n-grams learn from, and both are asked about the same held-out texts.

spam      FOLDER/spam/sms_10k, held out as in bench_score
toxicity  FOLDER/toxic/cold (COLD, Deng et al. 2022), learned on its training split, measured on its dev split
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from data_contracts.vectors import VectorsConfig
from tasks.transforms.splits import places
from tasks.transforms.text_classifier import Labels, evaluate
from tasks.transforms.word_vectors import Vectors, cut_words, learn, mean_vectors, neighbours, telling
from tests.benchmarks.bench_score import labelled, learned
from tests.benchmarks.measured import cpu_seconds, megabytes, real_documents, write

pytestmark = [pytest.mark.bench, pytest.mark.timeout(3600)]
MEGABYTES = float(os.environ.get("ZILIU_BENCH_MB", "10"))


def beside(known: list[str], labels: Labels, unseen: list[str], truth: Labels, vectors: Vectors) -> dict[str, Any]:
    """AUC and average precision of a logistic regression over mean vectors."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    scale = StandardScaler().fit(mean_vectors(known, vectors))
    model = LogisticRegression(max_iter=2000, class_weight="balanced")
    model.fit(scale.transform(mean_vectors(known, vectors)), labels)
    told = evaluate(model.predict_proba(scale.transform(mean_vectors(unseen, vectors)))[:, 1], truth)
    return {name: told[name] for name in ("auc", "average_precision")}


def test_vectors_as_features(shared_data: Path, tmp_path: Path) -> None:
    pytest.importorskip("gensim", reason="the vectors extra is not installed")
    frame, spent = real_documents(shared_data, MEGABYTES), dict[str, float]()
    sentences = list(cut_words(frame["text"].to_list()))
    with cpu_seconds(spent, "learning"):
        vectors = learn(sentences, VectorsConfig())
    figures: dict[str, Any] = {
        "text_mb": round(megabytes(frame["text"]), 2),
        "words": len(vectors.words),
        "mb_per_cpu_second_of_5_epochs": round(megabytes(frame["text"]) / spent["learning"], 3),
        "neighbours": {word: [w for w, _ in near] for word, near in neighbours(vectors, telling(vectors)).items()},
    }
    messages, spam = labelled(shared_data / "spam" / "sms_10k" / "train.jsonl.gz")
    classifier, unseen, truth = learned(messages, spam, spent)
    learning = places(messages, "score") < 0.8
    known = [m for m, mine in zip(messages, learning, strict=True) if mine]
    figures["spam"] = {
        "ngrams": _told(classifier.probability(unseen), truth),
        "mean_vectors": beside(known, spam[learning], unseen, truth, vectors),
    }
    texts, toxic = labelled(shared_data / "toxic" / "cold" / "train.jsonl.gz")
    classifier, _, _ = learned(texts, toxic, spent)
    unseen, truth = labelled(shared_data / "toxic" / "cold" / "dev.jsonl.gz")
    figures["toxicity"] = {
        "ngrams": _told(classifier.probability(unseen), truth),
        "mean_vectors": beside(texts, toxic, unseen, truth, vectors),
    }
    print(json.dumps(figures, ensure_ascii=False, indent=1), write("vectors", figures, tmp_path))
    for task in ("spam", "toxicity"):
        assert 0.6 < figures[task]["mean_vectors"]["auc"] < 1


def _told(chances: np.ndarray[Any, np.dtype[np.float64]], truth: Labels) -> dict[str, Any]:
    told = evaluate(chances, truth)
    return {name: told[name] for name in ("auc", "average_precision")}
