"""洗牌 permutation: a keyed order of the blocks of one dataset or of several, at any position in O(1) time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

ROUNDS = 4
CHUNK = 1 << 15  # positions permuted at once: the fixed cost of a numpy call is shared by thousands of blocks
SHARE_BITS = 20  # a share is kept to a millionth; sample numbers up to 2^43 stay exact
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
    """Sample j of a run for every j from 0 on, a pure function of (seed, j), on blocks of one dataset or of several.

    Which dataset j falls to is dealt out evenly: of any stretch of samples each gets its share to within one sample for
    each dataset before it. A dataset's own samples take its blocks in epochs, each shuffled anew.

    Args:
        counts: blocks of each dataset; the blocks are numbered through, dataset after dataset.
        shares: of the samples, of each dataset; they sum to 1.
    """

    def __init__(self, counts: Sequence[int], seed: int, shares: Sequence[float] = (1.0,)) -> None:
        self.counts, self.seed, self.total = list(counts), seed, sum(counts)
        self._offsets = [sum(self.counts[:i]) for i in range(len(self.counts))]
        # Of what the datasets before have left, in units of 2^-SHARE_BITS: whole numbers are the same on every machine.
        left = [max(sum(shares[i:]), 1e-12) for i in range(len(shares))]
        self._parts = [round(share / rest * (1 << SHARE_BITS)) for share, rest in zip(shares, left, strict=True)]
        self._parts[-1] = 1 << SHARE_BITS
        self._first, self._chunk = 0, np.empty(0, dtype=np.int64)

    def samples(self, first: int, count: int) -> NDArray[np.int64]:
        """Block numbers of the samples first .. first + count - 1, shape (count,)."""
        if not self._first <= first <= first + count <= self._first + self._chunk.size:
            self._first, self._chunk = first, self._compute(first, max(min(CHUNK, self.total), count))
        return self._chunk[first - self._first : first - self._first + count]

    def taken(self, before: int) -> list[int]:
        """How many of the samples 0 .. before - 1 fall to each dataset."""
        found = []
        for part in self._parts:
            found.append(before * part >> SHARE_BITS)
            before -= found[-1]
        return found

    def _compute(self, first: int, count: int) -> NDArray[np.int64]:
        blocks = np.empty(count, dtype=np.int64)
        places = np.arange(count, dtype=np.int64)  # of the samples that are not dealt out yet
        at = places + first  # their numbers among all that the datasets before have left
        for one, part in enumerate(self._parts):
            own = at * part >> SHARE_BITS
            mine = (at + 1) * part >> SHARE_BITS > own
            if mine.any():
                blocks[places[mine]] = self._offsets[one] + self._shuffled(one, own[mine])
            places, at = places[~mine], (at - own)[~mine]
        return blocks

    def _shuffled(self, one: int, wanted: NDArray[np.int64]) -> NDArray[np.int64]:
        """Blocks of a dataset, in its own numbers, of its samples `wanted`, which follow each other."""
        size, blocks, start = self.counts[one], np.empty_like(wanted), int(wanted[0])
        for epoch in range(start // size, int(wanted[-1]) // size + 1):
            here = slice(max(epoch * size - start, 0), (epoch + 1) * size - start)
            key = self.seed * 1_000_003 + epoch + (one << 64)  # the first dataset's is that of a run on it alone
            blocks[here] = permuted(wanted[here] % size, size, key)
        return blocks
