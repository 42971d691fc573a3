"""编码表 bpe tables: what the compiled loop of bpe_kernel.py knows of a vocabulary, made once when it is opened."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tasks.transforms import bpe_kernel
from tasks.transforms.bpe_kernel import LAST, Bytes

# Bytes of a character, the code points that have so many, and the mark of the first byte.
_LENGTHS = ((1, 0, 0x80, 0), (2, 0x80, 0x800, 0xC0), (3, 0x800, 0x10000, 0xE0), (4, 0x10000, LAST, 0xF0))
BITS = 32  # of a mask of patterns; two patterns that share one only send more pieces the slow way


class Tables(NamedTuple):
    """Arguments of `bpe_kernel.encode`, in order."""

    kind: Bytes
    byte_ids: npt.NDArray[np.int64]
    keys: npt.NDArray[np.uint64]
    values: npt.NDArray[np.int32]
    whole: npt.NDArray[np.int32]
    tails: npt.NDArray[np.uint32]
    heads: npt.NDArray[np.uint32]


def tables(vocabulary: dict[str, int], merges: Sequence[Sequence[str]]) -> Tables:
    """The tables of a byte-level vocabulary and its merges in the order of learning."""
    joined = [(vocabulary[a], vocabulary[b], vocabulary[a + b]) for a, b in merges]
    learnt = np.array(joined, dtype=np.int64).reshape(-1, 3)
    keys, values = bpe_kernel.pair_table(learnt)
    characters = byte_characters()
    byte_ids = np.array([vocabulary[c] for c in characters], dtype=np.int64)
    first_use = np.full(max(vocabulary.values()) + 1, len(learnt), dtype=np.int64)
    np.minimum.at(first_use, learnt[:, :2].ravel(), np.repeat(np.arange(len(learnt)), 2))
    spelled, lengths = _spelled()
    whole = np.empty(LAST, dtype=np.int32)
    bpe_kernel.whole_characters(spelled, lengths, byte_ids, keys, values, first_use, whole)
    known, as_byte = set(characters), str.maketrans(characters, "".join(map(chr, range(256))))
    tokens = (token.translate(as_byte).encode("latin-1") for token in vocabulary if known.issuperset(token))
    return Tables(bpe_kernel.kinds(), byte_ids, keys, values, whole, *_masks(tokens))


def torn(tokens: Iterable[bytes]) -> list[tuple[bytes, bytes]]:
    """(end of a character, beginning of the next) wherever a token takes one of the two apart.

    No such token can arise where no character that ends in the first is followed by one that begins with the second.
    """
    found: dict[tuple[bytes, bytes], None] = {}
    for token in tokens:
        starts = [i for i, byte in enumerate(token) if byte & 0xC0 != 0x80]
        if starts and starts[0] > 0:
            behind = starts[1] if len(starts) > 1 else len(token)
            found[token[: starts[0]], token[starts[0] : behind]] = None
        if starts and starts[-1] > 0 and len(token) - starts[-1] < _length(token[starts[-1]]):
            before = starts[-2] if len(starts) > 1 else 0
            found[token[before : starts[-1]], token[starts[-1] :]] = None
    return list(found)


def _length(first: int) -> int:
    """Bytes of a character by its first."""
    return 1 if first < 0x80 else 2 if first < 0xE0 else 3 if first < 0xF0 else 4


def _masks(tokens: Iterable[bytes]) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.uint32]]:
    """One bit a torn pair: characters that end in its first part, and those that begin with its second."""
    tails, heads = np.zeros(LAST, dtype=np.uint32), np.zeros(LAST, dtype=np.uint32)
    for number, (left, right) in enumerate(torn(tokens)):
        bit = np.uint32(1 << number % BITS)
        tails[_ending_in(left)] |= bit
        heads[_beginning_with(right)] |= bit
    return tails, heads


def _ending_in(left: bytes) -> npt.NDArray[np.int64]:
    """Code points whose last bytes are these: a whole character, or a tail of it, which fixes its lowest bits."""
    if left[0] & 0xC0 != 0x80:
        return _whole(left)
    bits = _low_bits(left)
    codes = np.arange(bits, LAST, 1 << 6 * len(left))
    return codes[_spelled()[1][codes] > len(left)]


def _beginning_with(right: bytes) -> npt.NDArray[np.int64]:
    """Code points whose first bytes are these: a whole character, or a head of it, which fixes its highest bits."""
    missing = _length(right[0]) - len(right)
    if missing == 0:
        return _whole(right)
    high = (right[0] & (0x7F >> _length(right[0]))) << 6 * (len(right) - 1) | _low_bits(right[1:])
    codes = np.arange(high << 6 * missing, min(high + 1 << 6 * missing, LAST), dtype=np.int64)
    found: npt.NDArray[np.int64] = codes[_spelled()[1][codes] == _length(right[0])]
    return found


def _whole(character: bytes) -> npt.NDArray[np.int64]:
    codes = np.array([ord(character.decode())])
    return codes[codes < LAST]


def _low_bits(continued: bytes) -> int:
    bits = 0
    for byte in continued:
        bits = bits << 6 | byte & 0x3F
    return bits


@cache
def _spelled() -> tuple[Bytes, Bytes]:
    """The bytes of every character up to LAST, four each, and how many there are. Surrogates stand in no text."""
    spelled, lengths = np.zeros((LAST, 4), dtype=np.uint8), np.zeros(LAST, dtype=np.uint8)
    codes = np.arange(LAST)
    for length, low, high, mark in _LENGTHS:
        own = codes[low:high]
        for place in range(length):
            bits = own >> 6 * (length - 1 - place)
            spelled[low:high, place] = (bits | mark) if place == 0 else (bits & 0x3F | 0x80)
        lengths[low:high] = length
    return spelled, lengths


def byte_characters() -> str:
    """The character that stands for each byte, 0 to 255, in a byte-level vocabulary (GPT-2's table)."""
    shown = {*range(ord("!"), ord("~") + 1), *range(ord("\u00a1"), ord("\u00ac") + 1), *range(ord("\u00ae"), 256)}
    others = iter(range(256, 512))
    return "".join(chr(byte if byte in shown else next(others)) for byte in range(256))
