"""评分器 scorers: the scorers that a config asks for, trained from its examples. Each step is a stage of its own.

scorers = trained(cfg.score, cfg.ingest, place)     # one dataset for each signal; none for a config without examples
"""

from __future__ import annotations

from data_contracts.config import Place
from data_contracts.dataset import Dataset
from data_contracts.scoring import Examples, LessonConfig, ScoringConfig
from data_contracts.sources import DatasetSource
from data_contracts.stages import IngestConfig
from tasks import lineage
from tasks.ingest import ingest_examples
from tasks.store import Store
from tasks.train_classifier import train_classifier
from tasks.train_ngrams import train_ngrams


def trained(cfg: ScoringConfig, ingest: IngestConfig, place: Place) -> list[Dataset]:
    """Read the examples and train; what was trained from the same examples before is found in the store."""

    def read(examples: Examples) -> list[Dataset]:
        return [
            _stored(e, place) if isinstance(e, DatasetSource) else ingest_examples(e, ingest, place) for e in examples
        ]

    found = []
    for signal, (positive, negative, training) in cfg.sides.items():
        lesson = LessonConfig(signal=signal, positives=len(positive), training=training)
        found.append(train_classifier([*read(positive), *read(negative)], lesson, place))
    if cfg.bits_per_char.trusted:
        found.append(train_ngrams(read(cfg.bits_per_char.trusted), cfg.bits_per_char.training, place))
    return found


def _stored(example: DatasetSource, place: Place) -> Dataset:
    """The verified dataset that a name stands for: a version, or where a channel points now."""
    store = Store(place.store).open()
    return store.checked(lineage.find(store, example.dataset)[-1].handle).handle
