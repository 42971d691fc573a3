"""评分器文件 scorer files: classifiers and n-gram models as safetensors, which hold numbers and nothing that runs."""

from __future__ import annotations

import numpy as np
from safetensors.numpy import load, save

from tasks.transforms.text_classifier import Classifier
from tasks.transforms.witten_bell import Model, Table

CLASSIFIER, NGRAMS = "classifier.safetensors", "ngrams.safetensors"


def classifier_bytes(classifier: Classifier) -> bytes:
    """A classifier as the bytes of a file."""
    curve = np.array([classifier.slope, classifier.offset])
    return save({"weights": classifier.weights, "curve": curve, "chars": np.array([classifier.chars])})


def read_classifier(content: bytes) -> Classifier:
    """The classifier that `classifier_bytes` wrote."""
    found = load(content)
    slope, offset = found["curve"].tolist()
    return Classifier(found["weights"], int(found["chars"][0]), slope, offset)


def ngrams_bytes(model: Model) -> bytes:
    """An n-gram model as the bytes of a file; bits are rounded to 32-bit floats."""
    tensors = {"unseen": np.array([model.unseen])}
    for k, table in enumerate(model.tables, 1):
        tensors |= {f"keys_{k}": table.keys}
        tensors |= {f"bits_{k}": table.bits.astype(np.float32), f"back_{k}": table.back.astype(np.float32)}
    return save(tensors)


def read_ngrams(content: bytes) -> Model:
    """The n-gram model that `ngrams_bytes` wrote."""
    found = load(content)
    orders = range(1, len(found) // 3 + 1)
    tables = [Table(found[f"keys_{k}"], found[f"bits_{k}"], found[f"back_{k}"]) for k in orders]
    return Model(tuple(tables), float(found["unseen"][0]))
