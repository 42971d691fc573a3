"""装箱 packing: documents end to end in one stream that divides into blocks of equal length, nothing lost uncounted.

    SEP doc SEP doc ... SEP PAD PAD      length = blocks x block_tokens + 1

A separator begins every document and one more closes the stream: it is what a document starts from and what the one
before it must predict. Block i is `stream[i * T : i * T + T + 1]`: T inputs, and the same shifted by one as targets.

Beside each id of the stream lies one bit: whether a word begins there (tasks/transforms/word_starts.py). Separators and
padding begin one. Bits are packed eight to a byte, the first in the lowest bit.

A document that the mixture wants c times stands in the first c rounds: round 1 holds every document, round 2 those with
two copies or more, and so on, each in the order of round 1. So no copy stands beside another, and where every copy
stands follows from the order, the lengths and the numbers of copies.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tasks.transforms.flat_text import Offsets, offsets_of

Tokens = npt.NDArray[np.unsignedinteger]
Flags = npt.NDArray[np.bool_]
Copies = npt.NDArray[np.int64]


class Documents(NamedTuple):
    """Tokens of n documents: document i has `tokens[offsets[i]:offsets[i + 1]]`, and as many bits in `begins`."""

    tokens: Tokens
    begins: Flags  # a word begins with this token
    offsets: Offsets  # n + 1


class Stream(NamedTuple):
    """A packed stream and its account: len(tokens) == tokens of texts + separators + padding."""

    tokens: npt.NDArray[np.uint16] | npt.NDArray[np.uint32]
    begins: npt.NDArray[np.uint8]  # one bit an id, packed
    starts: npt.NDArray[np.int64]  # where each document's separator stands
    separators: int
    padding: int
    blocks: int


def token_type(vocabulary: int) -> np.dtype[np.uint16] | np.dtype[np.uint32]:
    """The little-endian type that holds every id below `vocabulary`."""
    return np.dtype("<u2") if vocabulary <= 1 << 16 else np.dtype("<u4")


def some(documents: Documents, wanted: Flags) -> Documents:
    """Only the wanted documents, in their order."""
    lengths = np.diff(documents.offsets)
    if wanted.all():
        return documents
    kept = np.repeat(wanted, lengths)
    return Documents(documents.tokens[kept], documents.begins[kept], offsets_of(lengths[wanted]))


def repeated(documents: Documents, copies: Copies) -> Documents:
    """Every document as often as wanted, round by round; copies of 0 leave it out."""
    rounds = [some(documents, copies > done) for done in range(int(copies.max(initial=0)))]
    if len(rounds) == 1:
        return rounds[0]
    if not rounds:
        return some(documents, copies > 0)
    return Documents(
        np.concatenate([r.tokens for r in rounds]),
        np.concatenate([r.begins for r in rounds]),
        offsets_of(np.concatenate([np.diff(r.offsets) for r in rounds])),
    )


def pack(
    documents: Documents,
    separator: int,
    pad: int,
    block_tokens: int,
    kind: np.dtype[np.uint16] | np.dtype[np.uint32],
) -> Stream:
    """Pack n documents. No documents give an empty stream."""
    tokens, begins, offsets = documents
    count = len(offsets) - 1
    if count == 0:
        return Stream(np.zeros(0, dtype=kind), np.zeros(0, dtype=np.uint8), np.zeros(0, dtype=np.int64), 0, 0, 0)
    used = len(tokens) + count + 1
    blocks = -(-(used - 1) // block_tokens)
    stream = np.full(blocks * block_tokens + 1, pad, dtype=kind)
    bits = np.ones(len(stream), dtype=bool)
    starts = offsets[:-1] + np.arange(count)
    body = np.ones(used, dtype=bool)
    body[starts] = body[used - 1] = False
    stream[:used][~body] = separator
    stream[:used][body] = tokens
    bits[:used][body] = begins
    return Stream(stream, np.packbits(bits, bitorder="little"), starts, count + 1, len(stream) - used, blocks)
