"""洗牌 permutation: a keyed order of any number of blocks, reached at any position in O(1) time and memory."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

ROUNDS = 4
CHUNK = 1 << 15  # positions permuted at once: the fixed cost of a numpy call is shared by thousands of blocks
_MULTIPLY = np.uint64(0xC2B2AE3D27D4EB4F)  # odd constants of xxHash64: every bit of the key reaches every output bit
_MIX = np.uint64(0x165667B19E3779F9)


def permuted(positions: NDArray[np.int64], count: int, key: int) -> NDArray[np.int64]:
    """Where each position goes under the permutation of range(count) that `key` names.

    A four-round Feistel network over the smallest even number of bits that holds `count`; results outside the range
    are sent round again (cycle walking), which keeps it a bijection and costs less than 4 tries a position on average.

    Args:
        positions: values in [0, count), any shape.
        count: size of the range, at least 1.
        key: any integer; two keys give two unrelated orders.
    """
    bits = max(2, int(count - 1).bit_length())
    half = np.uint64((bits + 1) // 2)
    mask = np.uint64((1 << int(half)) - 1)
    keys = _round_keys(key)
    values = np.asarray(positions).astype(np.uint64).ravel()
    walking = np.arange(values.size)
    while walking.size:
        left, right = values[walking] >> half, values[walking] & mask
        for round_key in keys:
            mixed = (right + round_key) * _MULTIPLY
            mixed ^= mixed >> np.uint64(29)
            mixed *= _MIX
            mixed ^= mixed >> np.uint64(32)
            left, right = right, left ^ (mixed & mask)
        values[walking] = (left << half) | right
        walking = walking[values[walking] >= count]
    return values.astype(np.int64).reshape(np.shape(positions))


def _round_keys(key: int) -> NDArray[np.uint64]:
    words = np.random.SeedSequence(key).generate_state(ROUNDS, np.uint64)
    return np.asarray(words, dtype=np.uint64)


class GlobalOrder:
    """Sample j of a run for every j from 0 on, a pure function of (seed, j): epoch j // count, each shuffled anew."""

    def __init__(self, count: int, seed: int) -> None:
        self.count, self.seed = count, seed
        self._first, self._chunk = 0, np.empty(0, dtype=np.int64)

    def samples(self, first: int, count: int) -> NDArray[np.int64]:
        """Block numbers of the samples first .. first + count - 1, shape (count,)."""
        if not self._first <= first <= first + count <= self._first + self._chunk.size:
            self._first, self._chunk = first, self._compute(first, max(min(CHUNK, self.count), count))
        return self._chunk[first - self._first : first - self._first + count]

    def _compute(self, first: int, count: int) -> NDArray[np.int64]:
        wanted = np.arange(first, first + count, dtype=np.int64)
        blocks = np.empty(count, dtype=np.int64)
        for epoch in range(first // self.count, (first + count - 1) // self.count + 1):
            here = wanted // self.count == epoch
            blocks[here] = permuted(wanted[here] % self.count, self.count, self.seed * 1_000_003 + epoch)
        return blocks
