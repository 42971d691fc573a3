"""字符 n 元模型 character n-grams, interpolated after Witten and Bell: how many bits each character of a text takes.

IEEE Transactions on Information Theory 37(4), 1991, method C. For a history h of k - 1 characters and h' without its
first one:

    P_k(c | h) = (n(h, c) + T(h) P_(k-1)(c | h')) / (n(h) + T(h))       T(h) different characters seen after h
    P_1(c)     = (n(c)    + T    / 65536        ) / (N    + T)

so no character is impossible. A document is its characters and one end mark, predicted after start marks, as by a
language model with a separator. n-grams seen fewer than `min_count` times may be left out of the tables; what they
would have had goes to the shorter history, so that probabilities still add up to one.

An n-gram is a 64-bit key, a mixed polynomial hash of its code points (two of a hundred million n-grams share a key with
probability 0.0003), and a table is sorted keys with a directory of them by their leading bits. All but the looking up
is array operations; that is a compiled loop whose rounds do not depend on each other, so that the processor waits for
many places of memory at once. (One loop over the characters with everything in it is slower: it waits for each.)
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tasks.transforms.compiled import compiled
from tasks.transforms.flat_text import Codes, Offsets, batches, flat_text, offsets_of

CODE_POINTS = 65_536
EDGE = 0  # start and end mark; the clean stage removes NUL
BATCH_CHARS = 1 << 18  # of a batch of texts that are asked about: its arrays stay in the cache
# Multipliers of splitmix64 (Steele et al. 2014): a polynomial's base, and the finaliser that spreads it over 64 bits.
_BASE = np.uint64(0x9E3779B97F4A7C15)
_MIX = (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))
_NONE = -1

Keys = npt.NDArray[np.uint64]
Index = npt.NDArray[np.int64]
Bits = npt.NDArray[np.floating]
Mask = npt.NDArray[np.bool_]


class Laid(NamedTuple):
    """Documents end to end, each between `order - 1` start marks and one end mark."""

    codes: Codes
    offsets: Offsets  # documents + 1
    asked: Mask  # the characters and the end mark of every document: what is predicted
    last_start: Mask  # the start mark right before a document's first character


@dataclass(frozen=True)
class Table:
    """n-grams of one length, in the order of their keys."""

    keys: Keys
    bits: Bits  # -log2 of the probability of the last character after those before it
    back: Bits  # -log2 of the weight of the shorter history, where the n-gram itself is a history
    directory: npt.NDArray[np.int32] = field(init=False, repr=False, compare=False)  # where keys of each lead begin
    shift: np.uint64 = field(init=False, repr=False, compare=False)  # a key's lead is the bits beyond it

    def __post_init__(self) -> None:
        lead = max(1, int(len(self.keys) - 1).bit_length())
        shift = np.uint64(64 - lead)
        sizes = np.bincount((self.keys >> shift).astype(np.int64), minlength=1 << lead)
        object.__setattr__(self, "directory", offsets_of(sizes).astype(np.int32))
        object.__setattr__(self, "shift", shift)

    def find(self, keys: Keys) -> Index:
        """Where each key stands, -1 for one that is not there."""
        found = np.empty(len(keys), np.int64)
        _find(keys, self.keys, self.directory, self.shift, found)
        return found


@dataclass(frozen=True)
class Model:
    """Tables of the lengths 1 to `order`."""

    tables: tuple[Table, ...]
    unseen: float  # bits of a character that was never seen

    @property
    def order(self) -> int:
        """Characters of the longest n-gram."""
        return len(self.tables)

    def bits(self, texts: Sequence[str], order: int | None = None) -> npt.NDArray[np.float64]:
        """Bits of each text with its end mark, under n-grams of at most `order` characters. [texts]"""
        parts = [self.bits_of(flat_text(texts[some]), order) for some in batches(texts, BATCH_CHARS)]
        return np.concatenate(parts) if parts else np.zeros(0)

    def bits_of(self, flat: tuple[Codes, Offsets], order: int | None = None) -> npt.NDArray[np.float64]:
        """The same for texts that are laid flat already."""
        order = order or self.order
        laid = lay(*flat, order)
        bits: Bits = np.zeros(len(laid.codes))
        place = np.zeros(0, np.int64)
        for k, (keys, table) in enumerate(zip(_keys(laid.codes, order), self.tables, strict=False), 1):
            found = table.find(keys)
            if k > 1:
                bits[1:] += _taken(self.tables[k - 2].back, place[:-1], 0.0)
            bits = _taken(table.bits, found, bits if k > 1 else self.unseen)
            place = found
        bits[~laid.asked] = 0.0
        return np.add.reduceat(bits, laid.offsets[:-1]) if len(laid.offsets) > 1 else np.zeros(0)


def train(texts: Sequence[str], order: int, min_count: int = 1) -> Model:
    """Count the n-grams of documents. `min_count` is for n-grams of three characters and more. ValueError without text.

    Memory: about 40 bytes a character of text, and 24 bytes a different n-gram.
    """
    return train_on(flat_text(texts), order, min_count)


def train_on(flat: tuple[Codes, Offsets], order: int, min_count: int = 1) -> Model:
    """The same for texts that are laid flat already."""
    laid = lay(*flat, order)
    if not laid.asked.any():
        raise ValueError("an n-gram model wants at least one training text")
    # one character has the empty history: entry 0 of a table of one
    so_far = _Learned(np.zeros(len(laid.codes), np.int64), np.full(len(laid.codes), np.log2(CODE_POINTS)), 1)
    tables: list[Table] = []
    unseen = 0.0
    for k, keys in enumerate(_keys(laid.codes, order), 1):
        at = np.flatnonzero(laid.asked | laid.last_start if k < order else laid.asked)
        table, back, so_far = _level(keys, at, laid.asked[at], so_far, min_count if k > 2 else 1)
        if tables:
            tables[-1] = Table(tables[-1].keys, tables[-1].bits, back)
        else:
            unseen = float(np.log2(CODE_POINTS) + back[0])
        tables.append(table)
    return Model(tuple(tables), unseen)


class _Learned(NamedTuple):
    """What the shorter n-grams say of every place in the training text."""

    place: Index  # of the n-gram that ends there, in its table; -1 where it is not kept
    bits: Bits  # of the character there
    size: int  # of the table


def _level(keys: Keys, at: Index, asked: Mask, before: _Learned, min_count: int) -> tuple[Table, Bits, _Learned]:
    """The table of one length, `back` of the table before it, and what is known now. Places `at` end an n-gram."""
    distinct = _distinct(keys[at])
    own = Table(distinct, np.zeros(0), np.zeros(0)).find(keys[at])  # n-gram of every place
    count = np.bincount(own[asked], minlength=len(distinct))
    history, lower, is_start = np.full(len(distinct), _NONE), np.zeros(len(distinct)), np.zeros(len(distinct), bool)
    history[own] = before.place[at - asked]  # before a start mark are as many start marks as end in it
    lower[own] = before.bits[at]
    is_start[own[~asked]] = True
    keep = (count >= min_count) | is_start  # they are histories
    seen = history >= 0
    after = _sums(history, seen, count, before.size)
    kinds = _sums(history, seen & (count > 0), np.ones_like(count), before.size)
    dropped = _sums(history, seen & ~keep, count, before.size)
    total = np.maximum(after + kinds, 1)
    weight = np.where(after > 0, (kinds + dropped) / total, 1.0)
    back = -np.log2(np.maximum(weight, np.finfo(np.float64).tiny))
    own_weight, own_total = np.where(seen, weight[history], 1.0), np.where(seen, total[history], 1)
    chance = np.where(keep, count / own_total, 0.0) + own_weight * np.exp2(-lower)
    bits = -np.log2(chance)
    place, known = np.full(len(keys), _NONE), np.zeros(len(keys))
    kept = np.where(keep, np.cumsum(keep) - 1, _NONE)
    place[at], known[at] = kept[own], bits[own]
    table = Table(distinct[keep], bits[keep], np.zeros(int(keep.sum())))
    return table, back, _Learned(place, known, len(table.keys))


def _sums(history: Index, some: Mask, values: npt.NDArray[np.int64], size: int) -> npt.NDArray[np.float64]:
    """Values added up by history."""
    return np.bincount(history[some], weights=values[some], minlength=size).astype(np.float64)


def lay(codes: Codes, offsets: Offsets, order: int) -> Laid:
    """Put marks around documents."""
    before = order - 1
    lengths = np.diff(offsets)
    starts = offsets_of(lengths + order)
    asked = np.ones(int(starts[-1]), bool)
    for i in range(before):
        asked[starts[:-1] + i] = False
    laid = np.zeros(len(asked), np.uint32)
    inside = asked.copy()
    inside[starts[1:] - 1] = False
    laid[inside] = codes
    last_start = np.zeros(len(asked), bool)
    if before:
        last_start[starts[:-1] + before - 1] = True
    return Laid(laid, starts, asked, last_start)


def _keys(codes: Codes, order: int) -> Iterator[Keys]:
    """For each length from 1: the key of the n-gram that ends at each place."""
    points = codes.astype(np.uint64)
    power, sums = np.uint64(1), np.zeros(len(points), np.uint64)
    for k in range(1, order + 1):
        sums[k - 1 :] += power * points[: len(points) - k + 1]
        yield _mixed(sums)
        with np.errstate(over="ignore"):
            power = power * _BASE


def _mixed(sums: Keys) -> Keys:
    keys = sums ^ (sums >> np.uint64(30))
    keys *= _MIX[0]
    keys ^= keys >> np.uint64(27)
    keys *= _MIX[1]
    keys ^= keys >> np.uint64(31)
    return keys


def _distinct(keys: Keys) -> Keys:
    ordered = np.sort(keys)
    return ordered[np.append(True, ordered[1:] != ordered[:-1])] if len(ordered) else ordered


def _taken(values: Bits, place: Index, otherwise: Bits | float) -> Bits:
    """The value at each place, `otherwise` where the place is -1."""
    if not len(values):
        return np.broadcast_to(otherwise, place.shape).copy()
    return np.where(place >= 0, values.take(place, mode="clip"), otherwise)


@compiled
def _find(wanted: Keys, keys: Keys, directory: npt.NDArray[np.int32], shift: np.uint64, found: Index) -> None:
    """Where each wanted key stands, -1 for one that is not there. A lead has one key on average."""
    for i in range(len(wanted)):
        lead = np.int64(wanted[i] >> shift)
        found[i] = -1
        for at in range(directory[lead], directory[lead + 1]):
            if keys[at] == wanted[i]:
                found[i] = at
