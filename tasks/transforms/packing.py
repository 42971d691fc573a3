"""装箱 packing: documents end to end in one stream that divides into blocks of equal length, nothing lost uncounted.

    SEP doc SEP doc ... SEP PAD PAD      length = blocks x block_tokens + 1

A separator begins every document and one more closes the stream: it is what a document starts from and what the one
before it must predict. Block i is `stream[i * T : i * T + T + 1]`: T inputs, and the same shifted by one as targets.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Tokens = npt.NDArray[np.uint32]


class Stream(NamedTuple):
    """A packed stream and its account: len(tokens) == tokens of texts + separators + padding."""

    tokens: npt.NDArray[np.uint16] | npt.NDArray[np.uint32]
    starts: npt.NDArray[np.int64]  # where each document's separator stands
    separators: int
    padding: int
    blocks: int


def token_type(vocabulary: int) -> np.dtype[np.uint16] | np.dtype[np.uint32]:
    """The little-endian type that holds every id below `vocabulary`."""
    return np.dtype("<u2") if vocabulary <= 1 << 16 else np.dtype("<u4")


def pack(
    tokens: Tokens,
    offsets: npt.NDArray[np.int64],
    separator: int,
    pad: int,
    block_tokens: int,
    kind: np.dtype[np.uint16] | np.dtype[np.uint32],
) -> Stream:
    """Pack n documents, document i being `tokens[offsets[i]:offsets[i + 1]]`. No documents give an empty stream."""
    documents = len(offsets) - 1
    if documents == 0:
        return Stream(np.zeros(0, dtype=kind), np.zeros(0, dtype=np.int64), 0, 0, 0)
    used = len(tokens) + documents + 1
    blocks = -(-(used - 1) // block_tokens)
    stream = np.full(blocks * block_tokens + 1, pad, dtype=kind)
    starts = offsets[:-1] + np.arange(documents)
    body = np.ones(used, dtype=bool)
    body[starts] = body[used - 1] = False
    filled = np.full(used, separator, dtype=kind)
    filled[body] = tokens
    stream[:used] = filled
    return Stream(stream, starts, documents + 1, len(stream) - used, blocks)
