"""摘要 digests: keys and names as 16 bytes of BLAKE2b, and as the two 64-bit numbers that tables hold."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterable, Sequence

import numpy as np

from tasks.transforms.clusters import Table
from tasks.transforms.flat_text import FlatText

DIGEST_BYTES = 16


def digests(keys: FlatText) -> list[bytes]:
    """The digest of every key."""
    whole, ends = keys.codes.tobytes(), (keys.offsets * keys.codes.itemsize).tolist()
    return [hashlib.blake2b(whole[a:b], digest_size=DIGEST_BYTES).digest() for a, b in itertools.pairwise(ends)]


def named(names: Iterable[str]) -> Table:
    """The digests of names, as a table."""
    return as_table([hashlib.blake2b(n.encode(), digest_size=DIGEST_BYTES).digest() for n in names])


def as_table(made: Sequence[bytes]) -> Table:
    """Digests as (n, 2) numbers, in the same order."""
    return np.frombuffer(b"".join(made), dtype=">u8").reshape(-1, 2).astype(np.uint64)
