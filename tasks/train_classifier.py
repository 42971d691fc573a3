"""训练分类器 train classifier: EXAMPLE -> classifier. Learned from two sides, calibrated and judged on held-out texts.

Texts are normalised as `clean` normalises documents, so that the layout of a file is nothing to tell sides apart by.
Which texts are held out follows from a hash of the text: a copy of a text is never on both sides of that line. The
dataset is one shard with `classifier.safetensors`; its measures are the evaluation of
tasks/transforms/text_classifier.py.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from data_contracts.dataset import Dataset, File, Shard
from data_contracts.errors import StageError
from data_contracts.scoring import LessonConfig
from tasks.rows import Room
from tasks.samples import Chosen, choose, key_of, texts_of
from tasks.stage import stage
from tasks.transforms import text_classifier
from tasks.transforms.normalize import normalized
from tasks.transforms.scorer_files import CLASSIFIER, classifier_bytes
from tasks.transforms.splits import places
from tasks.transforms.text_classifier import Classifier, Labels
from tasks.work import Output, Work

EVALUATION = "evaluation.json"
MIN_TEXTS = 10  # of each side, in each part: fewer say nothing about a curve


@stage(schema="classifier", libraries=("numpy", "opencc", "polars", "safetensors", "scikit-learn", "scipy"))
def train_classifier(examples: Sequence[Dataset], cfg: LessonConfig, work: Work) -> Output:
    """训练分类器 train: EXAMPLE -> classifier. Hashed character n-grams and logistic regression, calibrated."""
    sides = [
        choose(work.store, side, cfg.training.sample_bytes)
        for side in (examples[: cfg.positives], examples[cfg.positives :])
    ]
    [[made]] = work.each(learn, [(" ".join(map(key_of, sides)), (*sides, cfg))])
    evaluation = json.loads(work.store.path(made.files[EVALUATION]).read_bytes())
    return Output([made], {"signal": cfg.signal, **evaluation})


def learn(room: Room, positive: list[Chosen], negative: list[Chosen], cfg: LessonConfig) -> list[Shard]:
    """Learn, calibrate, evaluate. A job of its own: it runs in a worker, where its memory is given back."""
    sides = [normalized(texts_of(room.store, side)) for side in (positive, negative)]
    texts = [text for side in sides for text in side]
    labels = np.repeat([True, False], [len(side) for side in sides])
    part = _parts(texts, labels, cfg)

    def of(number: int) -> tuple[list[str], Labels]:
        return [text for text, p in zip(texts, part, strict=True) if p == number], labels[part == number]

    weights = text_classifier.fit(*of(0), cfg.training)
    bare = Classifier(weights, cfg.training.ngram_chars, 1.0, 0.0)
    held_out, known = of(1)
    slope, offset = text_classifier.calibrate(bare.raw(held_out), known)
    if slope <= 0:
        raise StageError(
            f"train_classifier: {cfg.signal}: the two sides cannot be told apart; give examples that differ, or more"
        )
    made = Classifier(weights, cfg.training.ngram_chars, slope, offset)
    unseen, truth = of(2)
    told: dict[str, Any] = text_classifier.evaluate(made.probability(unseen), truth)
    told["learned_from"] = {"positives": int(labels[part == 0].sum()), "negatives": int((~labels)[part == 0].sum())}
    file = room.put(classifier_bytes(made))
    files: dict[str, File] = {CLASSIFIER: file, EVALUATION: room.put(json.dumps(told).encode())}
    size = sum(int(side.str.len_bytes().sum()) for side in sides)
    return [Shard(content=file.sha256, files=files, text_bytes=size)]


def _parts(texts: list[str], labels: Labels, cfg: LessonConfig) -> np.ndarray[Any, np.dtype[np.int64]]:
    """0 to learn from, 1 to calibrate with, 2 to evaluate with. StageError where a side has too few of a part."""
    held_out = cfg.training.held_out_ratio
    part = np.digitize(places(texts, "score"), [1 - held_out, 1 - held_out / 2])
    for name, side in (("positive", labels), ("negative", ~labels)):
        fewest = int(np.bincount(part[side], minlength=3).min())
        if fewest < MIN_TEXTS:
            raise StageError(
                f"train_classifier: {cfg.signal}: {int(side.sum())} different {name} texts leave {fewest} for one of "
                f"learning, calibration and evaluation, {MIN_TEXTS} are needed; give more examples"
            )
    return part
