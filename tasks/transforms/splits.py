"""划分 splits: which documents a model learns from and which measure it, by a hash of the document's id.

Every document has a place in [0, 1) for life. Validation takes the places from the bottom, test those from the top, so
that raising one ratio never moves a document from one of them into the other, and a vocabulary that leaves out both
ends has seen neither. In a corpus so small that an end catches nobody, it takes the outermost document; that document
returns to training when the corpus has grown, which is why the stage says so. Training comes first: where the ends
would leave it nothing, they get nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

TRAIN, VALIDATION, TEST = "train", "validation", "test"
SPLITS = (TRAIN, VALIDATION, TEST)
_LEAST = 3  # documents without which no end is forced: one for each split

Places = npt.NDArray[np.float64]


class Cuts(NamedTuple):
    """Validation is below `validation`, test from `test` on; `forced` names ends that caught nobody by themselves."""

    validation: float
    test: float
    forced: tuple[str, ...] = ()


def places(doc_ids: Sequence[str], purpose: str = "split") -> Places:
    """A number in [0, 1) for each document; another `purpose` gives numbers that have nothing to do with these."""
    salt = purpose.encode()[:16]
    raw = b"".join(hashlib.blake2b(d.encode(), digest_size=8, person=salt).digest() for d in doc_ids)
    # 53 bits, so that every place is an exact float below 1
    return (np.frombuffer(raw, dtype="<u8") >> np.uint64(11)).astype(np.float64) / float(1 << 53)


def cuts(places_of_all: Places, validation_ratio: float, test_ratio: float) -> Cuts:
    """Where to cut, given the places of all documents of a corpus. A ratio of 0 asks for an empty split."""
    low, high, forced = validation_ratio, 1.0 - test_ratio, []
    if len(places_of_all) >= _LEAST:
        bottom, top = float(places_of_all.min()), float(places_of_all.max())
        if 0 < low <= bottom:
            low = float(np.nextafter(bottom, 1.0))
            forced.append(VALIDATION)
        if test_ratio > 0 and high > top:
            high = top
            forced.append(TEST)
    if len(places_of_all) and not ((places_of_all >= low) & (places_of_all < high)).any():
        return Cuts(0.0, 1.0, (TRAIN,))
    return Cuts(low, high, tuple(forced))


def split_of(places_of_some: Places, where: Cuts) -> npt.NDArray[np.str_]:
    """The split of each document."""
    return np.where(places_of_some < where.validation, VALIDATION, np.where(places_of_some >= where.test, TEST, TRAIN))
