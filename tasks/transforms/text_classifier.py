"""文本分类器 a text classifier: hashed character n-grams, logistic regression, calibration.

    fit        scikit-learn's SGDClassifier, averaged (Bottou 2010), batch by batch: memory does not grow with the text
    calibrate  one logistic curve over the scores of texts that were not learned from (Platt 1999)
    evaluate   on texts of neither part

Both sides weigh the same, however many texts each has: a probability of .5 means as likely one as the other. Platt's
curve and not isotonic regression, because it is strictly increasing: scores stay ordered, and deciles have no ties.
scikit-learn is imported where it trains; scoring needs numpy alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from data_contracts.scoring import ClassifierConfig
from tasks.transforms import hashed_ngrams
from tasks.transforms.hashed_ngrams import Weights

PASSAGE = 1000  # characters of a text that are one example to learn from
PASSAGES = 8  # of one text at most, so that no long text is most of the lesson
BATCH = 2000  # examples of one step of out-of-core learning

Labels = npt.NDArray[np.bool_]
Scores = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Classifier:
    """Weights of the buckets, and the curve from their sums to probabilities."""

    weights: Weights  # [2 ** hash_bits]
    chars: int  # of the longest n-gram
    slope: float
    offset: float

    def raw(self, texts: Sequence[str]) -> Scores:
        """The uncalibrated score of each text."""
        return hashed_ngrams.scores(texts, self.weights, self.chars)

    def probability(self, texts: Sequence[str]) -> Scores:
        """The probability in [0, 1] that each text is of the positive side, to six digits."""
        return np.round(self.calibrated(self.raw(texts)), 6)

    def calibrated(self, raw: Scores) -> Scores:
        """Raw scores as probabilities."""
        return 1.0 / (1.0 + np.exp(-np.clip(self.slope * raw + self.offset, -60, 60)))


def fit(texts: Sequence[str], labels: Labels, cfg: ClassifierConfig) -> Weights:
    """Learn from texts; the same texts in the same order give the same weights. Needs both labels."""
    from sklearn.linear_model import SGDClassifier

    examples, owner = passages(texts)
    target = labels[owner]
    worth = balance(target)
    learner = SGDClassifier(loss="log_loss", alpha=cfg.penalty, average=True, shuffle=True, random_state=1)
    for seed in range(cfg.passes):
        for some in _steps(len(examples), seed):
            matrix = _matrix([examples[i] for i in some], cfg)
            learner.partial_fit(matrix, target[some], classes=[False, True], sample_weight=worth[some])
    return np.asarray(learner.coef_[0], np.float32)


def calibrate(raw: Scores, labels: Labels) -> tuple[float, float]:
    """Slope and offset of the curve; the slope is at most 0 where the scores say nothing."""
    from sklearn.linear_model import LogisticRegression

    size = float(raw.std()) or 1.0
    curve = LogisticRegression().fit(raw[:, None] / size, labels, sample_weight=balance(labels))
    return float(curve.coef_[0, 0]) / size, float(curve.intercept_[0])


def balance(labels: Labels) -> Scores:
    """A weight for each example, such that both labels weigh the same and the mean is one."""
    ones = max(1, int(labels.sum()))
    zeros = max(1, len(labels) - ones)
    return np.where(labels, len(labels) / (2 * ones), len(labels) / (2 * zeros))


def passages(texts: Sequence[str]) -> tuple[list[str], npt.NDArray[np.int64]]:
    """The first passages of every text, and the text that each is of."""
    cut = [[t[i : i + PASSAGE] for i in range(0, min(len(t), PASSAGE * PASSAGES), PASSAGE)] or [""] for t in texts]
    owner = np.repeat(np.arange(len(texts)), [len(c) for c in cut])
    return [piece for pieces in cut for piece in pieces], owner


def _steps(size: int, seed: int) -> Iterator[npt.NDArray[np.int64]]:
    order = np.random.default_rng(seed).permutation(size)
    for start in range(0, size, BATCH):
        yield order[start : start + BATCH]


def _matrix(texts: Sequence[str], cfg: ClassifierConfig) -> Any:
    """One row a text, its n-grams counted and scaled."""
    from scipy.sparse import csr_matrix

    found = hashed_ngrams.hashed(hashed_ngrams.read(texts), cfg.hash_bits, cfg.ngram_chars)
    worth = found.scale[found.rows]
    matrix = csr_matrix((worth, (found.rows, found.buckets)), shape=(len(texts), 1 << cfg.hash_bits))
    matrix.sum_duplicates()
    return matrix


def evaluate(chances: Scores, labels: Labels) -> dict[str, Any]:
    """How good probabilities are: auc, average_precision, brier, and the tables reliability, deciles, thresholds."""
    from sklearn.metrics import average_precision_score, brier_score_loss, roc_auc_score

    worth = balance(labels)
    return {
        "positives": int(labels.sum()),
        "negatives": int((~labels).sum()),
        "auc": round(float(roc_auc_score(labels, chances)), 5),
        "average_precision": round(float(average_precision_score(labels, chances, sample_weight=worth)), 5),
        "brier": round(float(brier_score_loss(labels, chances, sample_weight=worth)), 5),
        "reliability": _reliability(chances, labels, worth),
        "deciles": _deciles(chances, labels),
        "thresholds": [_at(t, chances, labels, worth) for t in THRESHOLDS],
    }


THRESHOLDS = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
BINS = 10


def _reliability(chances: Scores, labels: Labels, worth: Scores) -> list[dict[str, float]]:
    """Of the texts whose probability lies in one tenth of [0, 1]: its mean, and how many are positive."""
    tenth = np.minimum((chances * BINS).astype(np.int64), BINS - 1)
    rows = []
    for i in np.unique(tenth):
        here = tenth == i
        weight = worth[here]
        rows.append(
            {
                "low": i / BINS,
                "said": round(float(np.average(chances[here], weights=weight)), 5),
                "was": round(float(np.average(labels[here], weights=weight)), 5),
                "texts": int(here.sum()),
            }
        )
    return rows


def _deciles(chances: Scores, labels: Labels) -> list[dict[str, float]]:
    """Texts in order of probability, cut into ten equal parts, lowest first."""
    order = np.argsort(chances, kind="stable")
    parts = [p for p in np.array_split(order, BINS) if len(p)]
    return [
        {
            "low": float(chances[p].min()),
            "high": float(chances[p].max()),
            "positive_ratio": round(float(labels[p].mean()), 5),
            "texts": len(p),
        }
        for p in parts
    ]


def _at(threshold: float, chances: Scores, labels: Labels, worth: Scores) -> dict[str, float]:
    """What a threshold would do: shares of both sides at or above it, and the precision of what is."""
    above = chances >= threshold
    weight = float(worth[above].sum())
    return {
        "threshold": threshold,
        "positives_above": round(float(above[labels].mean()), 5),
        "negatives_above": round(float(above[~labels].mean()), 5),
        "precision": round(float(worth[above & labels].sum()) / weight, 5) if weight else 1.0,
    }
