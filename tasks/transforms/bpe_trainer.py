"""编码训练 bpe trainer: which pairs of tokens byte-level BPE joins, and in which order, as a compiled loop.

The pairs that `tokenizers` learns (its models/bpe/trainer.rs), with its rules where they matter: the most frequent pair
is joined first, of equals the one with the smaller ids; a pair whose token would have `longest` bytes or more is not
counted; a token that another pair has made already keeps its id, and such a pair may be learnt twice.

It takes a quarter of the time, which went to memory that is not in the cache: all pairs that a round makes rarer or
more frequent have one of three tokens in them, so they are counted in `near`, one row for each neighbour, and the table
of all pairs is asked once a neighbour instead of four times an occurrence. Which pieces hold a pair is a chain of
links, which are used again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from tasks.transforms.compiled import compiled
from tasks.transforms.flat_text import offsets_of

Whole = Any  # a number inside a kernel: machine integers, for which Python has no type
Symbols = npt.NDArray[np.int32]
Numbers = npt.NDArray[np.int64]
Bytes = npt.NDArray[np.uint8]
Unsigned = npt.NDArray[np.uint64]

_EMPTY = np.uint64(2**64 - 1)
_FREE, _MADE, _HELD, _PAIRS, _TOUCHED = 0, 1, 2, 3, 4  # of `state`: a chain, and how many of what
_START, _END, _TIMES = 0, 1, 2  # columns of `pieces`
_WORD, _NEXT = 0, 1  # columns of `links`
# Columns of `near`: pairs gained with the neighbour on the left (occurrences, chain, last piece), the same with it on
# the right, those lost on the left and on the right, and whether this round met the neighbour.
_SIDE, _LOST_LEFT, _LOST_RIGHT, _MET = 3, 6, 7, 8


def learnt(pieces: Mapping[bytes, int], known: Sequence[bytes], size: int, min_frequency: int, longest: int) -> Numbers:
    """Pairs in the order of learning: rows (left, right, joined), by number of token.

    `pieces` says how often each stands in the texts. `known` are the tokens there are, every single byte among them;
    the first tokens of one byte stand for the bytes of the pieces.
    """
    size = max(size, len(known))
    lengths = np.zeros(size + 1, dtype=np.int32)
    lengths[: len(known)] = [len(token) for token in known]
    spelled = np.zeros((size + 1, max(2, longest, *lengths)), dtype=np.uint8)
    of_byte = np.zeros(256, dtype=np.int32)
    for number, token in reversed(list(enumerate(known))):
        spelled[number, : len(token)] = list(token)
        if len(token) == 1:
            of_byte[token[0]] = number
    ends = offsets_of(np.fromiter(map(len, pieces), dtype=np.int64, count=len(pieces)))
    times = np.fromiter(pieces.values(), dtype=np.int64, count=len(pieces))
    symbols = of_byte[np.frombuffer(b"".join(pieces), dtype=np.uint8)]
    where = np.column_stack([ends[:-1], ends[1:], times])
    return _learn(symbols, where, spelled, lengths, len(known), size, min_frequency, longest)


@compiled
def _longer(array: Any) -> Any:
    """A copy with room for half as much again."""
    copy = np.empty((len(array) + len(array) // 2 + 1024, array.shape[1]), dtype=array.dtype)
    copy[: len(array)] = array
    return copy


@compiled
def _key(left: Whole, right: Whole) -> Whole:
    return np.uint64(left) << np.uint64(32) | np.uint64(right)


@compiled
def _slot(table: Unsigned, key: Whole) -> Whole:
    """Where a pair stands in the table (key, occurrences), or is to stand."""
    mask = np.int64(len(table) - 1)
    at = np.int64((key * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(32)) & mask
    while table[at, 0] != key and table[at, 0] != _EMPTY:
        at = (at + 1) & mask
    return at


@compiled
def _add(table: Unsigned, key: Whole, occurrences: Whole, state: Numbers) -> None:
    at = _slot(table, key)
    if table[at, 0] == _EMPTY:
        table[at, 0], table[at, 1] = key, 0
        state[_PAIRS] += 1
    table[at, 1] += np.uint64(occurrences)  # wraps where they are fewer, as it does in `tokenizers`


@compiled
def _wider(table: Unsigned) -> Unsigned:
    """The same table with twice the room."""
    wider = np.full((2 * len(table), 2), _EMPTY, dtype=np.uint64)
    for i in range(len(table)):
        if table[i, 0] != _EMPTY:
            wider[_slot(wider, table[i, 0])] = table[i]
    return wider


@compiled
def _before(one: Unsigned, other: Unsigned) -> bool:
    """Of two entries (occurrences, key, chain), whether the first is joined first."""
    return bool(one[0] > other[0] or (one[0] == other[0] and one[1] < other[1]))


@compiled
def _swap(heap: Unsigned, one: Whole, other: Whole) -> None:
    for i in range(3):
        heap[one, i], heap[other, i] = heap[other, i], heap[one, i]


@compiled
def _push(heap: Unsigned, occurrences: Whole, key: Whole, chain: Whole, state: Numbers) -> None:
    at = state[_HELD]
    heap[at, 0], heap[at, 1], heap[at, 2] = np.uint64(occurrences), key, np.uint64(chain)
    state[_HELD] += 1
    while at > 0 and _before(heap[at], heap[(at - 1) >> 1]):
        _swap(heap, at, (at - 1) >> 1)
        at = (at - 1) >> 1


@compiled
def _sink(heap: Unsigned, state: Numbers) -> None:
    """Move the first entry to where it belongs."""
    at: Whole = np.int64(0)
    held = state[_HELD]
    while 2 * at + 1 < held:
        below = 2 * at + 1
        if below + 1 < held and _before(heap[below + 1], heap[below]):
            below += 1
        if not _before(heap[below], heap[at]):
            break
        _swap(heap, at, below)
        at = below


@compiled
def _linked(links: Symbols, word: Whole, chain: Whole, state: Numbers) -> Whole:
    """A chain with one more piece."""
    link = state[_FREE]
    if link >= 0:
        state[_FREE] = links[link, _NEXT]
    else:
        link = state[_MADE]
        state[_MADE] += 1
    links[link, _WORD], links[link, _NEXT] = word, chain
    return link


@compiled
def _met(near: Numbers, neighbour: Whole, touched: Numbers, state: Numbers) -> None:
    if near[neighbour, _MET] == 0:
        near[neighbour, _MET] = 1
        touched[state[_TOUCHED]] = neighbour
        state[_TOUCHED] += 1


@compiled
def _gained(
    near: Numbers, neighbour: Whole, side: Whole, times: Whole, word: Whole, links: Symbols, state: Numbers
) -> None:
    near[neighbour, side] += times
    if near[neighbour, side + 2] != word:
        near[neighbour, side + 1] = _linked(links, word, near[neighbour, side + 1], state)
        near[neighbour, side + 2] = word


@compiled
def _counted(symbols: Symbols, pieces: Numbers, links: Symbols, tokens: Whole, state: Numbers) -> Numbers:
    """All pairs of all pieces: rows (occurrences, chain, last piece), row left * tokens + right."""
    found = np.full((tokens * tokens, 3), -1, dtype=np.int64)
    found[:, 0] = 0
    for word in range(len(pieces)):
        for i in range(pieces[word, _START], pieces[word, _END] - 1):
            row = np.int64(symbols[i]) * tokens + symbols[i + 1]
            _gained(found, row, 0, pieces[word, _TIMES], word, links, state)
    return found


@compiled
def _join(
    symbols: Symbols, pieces: Numbers, chain: Whole, links: Symbols, pair: Numbers, lengths: Symbols, longest: Whole,
    near: Numbers, touched: Numbers, state: Numbers,
) -> Symbols:  # fmt: skip
    """Join `pair` (left, right, joined) in the pieces of a chain, and note what became of their neighbours."""
    left, right, joined = pair[0], pair[1], pair[2]
    while chain >= 0:
        word = np.int64(links[chain, _WORD])
        following = np.int64(links[chain, _NEXT])
        links[chain, _NEXT] = state[_FREE]
        state[_FREE], chain = chain, following
        start, end, times = pieces[word, _START], pieces[word, _END], pieces[word, _TIMES]
        if state[_MADE] + end - start > len(links):
            links = _longer(links)
        at, to = start, start
        while at < end:
            if at + 1 == end or symbols[at] != left or symbols[at + 1] != right:
                symbols[to] = symbols[at]
                at, to = at + 1, to + 1
                continue
            if to > start:
                before = symbols[to - 1]
                _met(near, before, touched, state)
                near[before, _LOST_LEFT] += times
                if lengths[before] + lengths[joined] < longest:
                    _gained(near, before, 0, times, word, links, state)
            if at + 2 < end:
                behind = symbols[at + 2]
                _met(near, behind, touched, state)
                near[behind, _LOST_RIGHT] += times
                if lengths[behind] + lengths[joined] < longest:
                    _gained(near, behind, _SIDE, times, word, links, state)
            symbols[to] = joined
            at, to = at + 2, to + 1
        pieces[word, _END] = to
    return links


@compiled
def _summed(near: Numbers, touched: Numbers, pair: Numbers, table: Unsigned, links: Symbols, state: Numbers) -> None:
    """Write a round's gains and losses into the table of all pairs."""
    left, right, joined = pair[0], pair[1], pair[2]
    for i in range(state[_TOUCHED]):
        one = touched[i]
        if near[one, _LOST_LEFT]:
            _add(table, _key(one, left), -near[one, _LOST_LEFT], state)
        if near[one, _LOST_RIGHT]:
            _add(table, _key(right, one), -near[one, _LOST_RIGHT], state)
        if near[one, 0]:
            _add(table, _key(one, joined), near[one, 0], state)
        if near[one, _SIDE]:
            _add(table, _key(joined, one), near[one, _SIDE], state)
        if one == joined and near[one, 1] >= 0 and near[one, _SIDE + 1] >= 0:  # one pair, so one chain
            last = near[one, 1]
            while links[last, _NEXT] >= 0:
                last = np.int64(links[last, _NEXT])
            links[last, _NEXT] = near[one, _SIDE + 1]
            near[one, _SIDE + 1] = -1


@compiled
def _pushed(near: Numbers, touched: Numbers, joined: Whole, table: Unsigned, heap: Unsigned, state: Numbers) -> None:
    """Put the pairs that a round gained into the heap, and make `near` ready for the next."""
    for i in range(state[_TOUCHED]):
        one = touched[i]
        for side in range(0, 2 * _SIDE, _SIDE):
            key = _key(joined, one) if side else _key(one, joined)
            if near[one, side + 1] >= 0:
                occurrences = np.int64(table[_slot(table, key), 1])
                if occurrences > 0:
                    _push(heap, occurrences, key, near[one, side + 1], state)
            near[one, side], near[one, side + 1], near[one, side + 2] = 0, -1, -1
        near[one, _LOST_LEFT], near[one, _LOST_RIGHT], near[one, _MET] = 0, 0, 0
    state[_TOUCHED] = 0


@compiled
def _token(spelled: Bytes, lengths: Symbols, tokens: Whole, left: Whole, right: Whole) -> Whole:
    """The token that two make: one that is spelled so already, else the next, which is written down."""
    length = lengths[left] + lengths[right]
    lengths[tokens] = length
    spelled[tokens, : lengths[left]] = spelled[left, : lengths[left]]
    spelled[tokens, lengths[left] : length] = spelled[right, : lengths[right]]
    for token in range(tokens):
        if lengths[token] == length:
            i = length - 1
            while i >= 0 and spelled[token, i] == spelled[tokens, i]:
                i -= 1
            if i < 0:
                return np.int64(token)
    return np.int64(tokens)


@compiled
def _learn(
    symbols: Symbols, pieces: Numbers, spelled: Bytes, lengths: Symbols, tokens: Whole, size: Whole,
    min_frequency: Whole, longest: Whole,
) -> Numbers:  # fmt: skip
    """Pairs in the order of learning: rows (left, right, joined). All arrays are written to.

    Piece i is `symbols[pieces[i, 0]:pieces[i, 1]]` and stands `pieces[i, 2]` times in the texts. Of the first `tokens`
    tokens `spelled` holds the bytes and `lengths` how many; both have room for one more than `size` of them.
    """
    state = np.array([-1, 0, 0, 0, 0])
    links = np.empty((len(symbols) + 1024, 2), dtype=np.int32)
    heap = np.empty((tokens * tokens + 1024, 3), dtype=np.uint64)
    table = np.full((1 << 18, 2), _EMPTY, dtype=np.uint64)
    near = np.zeros((size + 1, 9), dtype=np.int64)
    near[:, 1:3], near[:, 4:6] = -1, -1
    touched, merges, learnt = np.empty(size + 1, dtype=np.int64), np.empty((size, 3), dtype=np.int64), 0
    found = _counted(symbols, pieces, links, tokens, state)
    for row in np.flatnonzero(found[:, 0]):
        key = _key(row // tokens, row % tokens)
        _add(table, key, found[row, 0], state)
        _push(heap, found[row, 0], key, found[row, 1], state)
    while state[_HELD] > 0 and tokens < size:
        occurrences = table[_slot(table, heap[0, 1]), 1]
        if heap[0, 0] != occurrences:  # it has become rarer: back to where it belongs
            heap[0, 0] = occurrences
            _sink(heap, state)
            continue
        if occurrences < np.uint64(max(1, min_frequency)):
            break
        if learnt == len(merges):
            merges = _longer(merges)
        pair, chain = merges[learnt], np.int64(heap[0, 2])
        pair[0], pair[1] = np.int64(heap[0, 1] >> np.uint64(32)), np.int64(heap[0, 1] & np.uint64(0xFFFFFFFF))
        pair[2] = _token(spelled, lengths, tokens, pair[0], pair[1])
        tokens += pair[2] == tokens
        learnt += 1
        state[_HELD] -= 1
        heap[0] = heap[state[_HELD]]
        _sink(heap, state)
        links = _join(symbols, pieces, chain, links, pair, lengths, longest, near, touched, state)
        while 2 * (state[_PAIRS] + 4 * state[_TOUCHED]) > len(table):
            table = _wider(table)
        while state[_HELD] + 2 * state[_TOUCHED] > len(heap):
            heap = _longer(heap)
        _summed(near, touched, pair, table, links, state)
        _pushed(near, touched, pair[2], table, heap, state)
    return merges[:learnt].copy()
