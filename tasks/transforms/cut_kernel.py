"""切词内核 cut kernel: jieba's cutting of Han runs, with the units between them, as one compiled loop over characters.

jieba (0.42.1) cuts a run of Han characters in two steps, and so does this, number by number:

    1  of all ways to lay words of the dictionary end to end, the one whose product of frequencies is greatest; a
       character with which no word begins stands for itself, as if it had occurred once (jieba.Tokenizer.calc)
    2  two or more words of one character in a row, which are no word together, are cut again by a hidden Markov model
       of characters that begin (B), are within (M), end (E) or are (S) a word (jieba.finalseg.viterbi)

Sums are doubles added in jieba's order, and of equal sums the one that Python's `max` of tuples takes: the longer word,
the state whose letter comes later. So words are equal to jieba's in every case, not in nearly all.

The dictionary is a hash table of every beginning of every word. Its key is the place of the beginning that is one
character shorter, and the character: so a place in the table is a node of a trie, and no links need to be kept.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from tasks.transforms.compiled import compiled

FIRST, LAST = 0x4E00, 0x9FD5  # what jieba takes for Han
HAN, RARE_HAN, LETTER, SPACE, MARK = 1, 2, 3, 4, 5  # kinds of characters
B, M, E, S = 0, 1, 2, 3  # in the order of their letters

Whole = Any  # a number inside a kernel: machine integers, for which Python has no type
Codes = npt.NDArray[np.uint32]
Keys = npt.NDArray[np.uint64]
Places = npt.NDArray[np.int32]
Numbers = npt.NDArray[np.float64]
Bytes = npt.NDArray[np.uint8]


@compiled
def _place(parent: Whole, code: Whole, keys: Keys) -> Whole:
    """Where the beginning `parent` + `code` stands in the table, or the free place (key 0) where it would.

    An unsigned number: signed ones are looked at for whether they count from the end, a tenth of all the time.
    """
    key = parent << np.uint64(16) | np.uint64(code)
    mask = np.uint64(len(keys) - 1)
    at = (key * np.uint64(0x9E3779B97F4A7C15) >> np.uint64(32)) & mask
    while keys[at] != key and keys[at] != 0:
        at = (at + np.uint64(1)) & mask
    return at


@compiled
def fill(codes: Codes, offsets: npt.NDArray[np.int64], keys: Keys, room: Whole, places: npt.NDArray[np.int64]) -> Whole:
    """Put words into the table; `places` is where each stands. How many places it took; -1 for more than `room`."""
    taken = np.int64(0)
    for word in range(len(offsets) - 1):
        parent = np.uint64(len(keys))
        for i in range(offsets[word], offsets[word + 1]):
            at = _place(parent, codes[i], keys)
            if keys[at] == 0:
                taken += 1
                if taken > room:
                    return np.int64(-1)
                keys[at] = parent << np.uint64(16) | np.uint64(codes[i])
            parent = at
        places[word] = np.int64(parent)
    return taken


@compiled
def find(codes: Codes, offsets: npt.NDArray[np.int64], keys: Keys, places: npt.NDArray[np.int64]) -> None:
    """Where each of many words stands in the table, -1 for one that begins no word, and for an empty one."""
    for word in range(len(offsets) - 1):
        parent, found = np.uint64(len(keys)), offsets[word] < offsets[word + 1]
        for i in range(offsets[word], offsets[word + 1]):
            if codes[i] < FIRST or codes[i] > LAST:
                found = False
                break
            parent = _place(parent, codes[i], keys)
            if keys[parent] == 0:
                found = False
                break
        places[word] = np.int64(parent) if found else -1


@compiled
def _ahead(
    codes: Codes, begin: Whole, end: Whole, kinds: Bytes, keys: Keys, logs: Numbers, first: Places, log_total: Whole,
    best: Numbers, ends: Places,
) -> None:  # fmt: skip
    """Step 1, from the end of a text: `ends[i]` is where the best word, or the run, that begins at i ends.

    `best[i]` is the weight of the best way from there to the end of a run of Han characters.
    """
    best[end], stop, last = 0.0, end, np.int64(len(kinds) - 1)  # a run of Han characters ends at `stop`
    size = np.uint64(len(keys))
    after, kind = np.int64(0), np.int64(0)
    for at in range(end - 1, begin - 1, -1):
        after, kind = kind, np.int64(kinds[min(np.int64(codes[at]), last)])
        if kind != HAN:
            goes_on = kind == after and kind != RARE_HAN and (kind != MARK or codes[at] == codes[at + 1])
            ends[at] = ends[at + 1] if goes_on else at + 1
            best[at], stop = 0.0, at
            continue
        most, i, place = -np.inf, at + 1, np.uint64(first[codes[at] - FIRST])
        while place < size:
            if logs[place] >= 0:
                weight = logs[place] - log_total + best[i]
                if weight >= most:
                    most, ends[at] = weight, i
            if i == stop:
                break
            place = _place(place, codes[i], keys)
            if keys[place] == 0:
                break
            i += 1
        if most == -np.inf:
            most, ends[at] = 0.0 - log_total + best[at + 1], at + 1
        best[at] = most


@compiled
def _is_word(codes: Codes, begin: Whole, end: Whole, keys: Keys, logs: Numbers, first: Places) -> Whole:
    place = np.uint64(first[codes[begin] - FIRST])
    for i in range(begin + 1, end):
        if place >= np.uint64(len(keys)):
            return False
        place = _place(place, codes[i], keys)
        if keys[place] == 0:
            return False
    return place < np.uint64(len(keys)) and logs[place] >= 0


@compiled
def _guessed(
    codes: Codes, begin: Whole, end: Whole, emission: Numbers, transition: Numbers, start: Numbers, came: Bytes,
    chars: Codes, units: Whole,
) -> Whole:  # fmt: skip
    """Step 2: cut characters into words by their most likely states; returns the number of units with these."""
    count = end - begin
    row = codes[begin] - FIRST
    b, m = start[B] + emission[row, B], start[M] + emission[row, M]
    e, s = start[E] + emission[row, E], start[S] + emission[row, S]
    for t in range(1, count):
        row = codes[begin + t] - FIRST
        from_e, from_s = e + transition[E, B] + emission[row, B], s + transition[S, B] + emission[row, B]
        to_b, came[t, B] = (from_s, S) if from_s >= from_e else (from_e, E)
        from_b, from_m = b + transition[B, M] + emission[row, M], m + transition[M, M] + emission[row, M]
        to_m, came[t, M] = (from_m, M) if from_m >= from_b else (from_b, B)
        from_b, from_m = b + transition[B, E] + emission[row, E], m + transition[M, E] + emission[row, E]
        to_e, came[t, E] = (from_m, M) if from_m >= from_b else (from_b, B)
        from_e, from_s = e + transition[E, S] + emission[row, S], s + transition[S, S] + emission[row, S]
        to_s, came[t, S] = (from_s, S) if from_s >= from_e else (from_e, E)
        b, m, e, s = to_b, to_m, to_e, to_s
    state: Whole = np.int64(S if s >= e else E)
    for t in range(count - 1, -1, -1):
        before = np.int64(came[t, state])
        came[t, 0] = state
        state = before
    opened: Whole = np.int64(0)
    for t in range(count):
        if came[t, 0] == B:
            opened = t
        elif came[t, 0] == E:
            chars[units] = t + 1 - opened
            units += 1
        elif came[t, 0] == S:
            chars[units] = 1
            units += 1
    return units


@compiled
def cut(
    codes: Codes, offsets: npt.NDArray[np.int64], kinds: Bytes, hmm: Whole,
    keys: Keys, logs: Numbers, first: Places, log_total: Whole,
    emission: Numbers, transition: Numbers, start: Numbers,
    chars: Codes, is_word: npt.NDArray[np.bool_], counts: npt.NDArray[np.int64],
) -> Whole:  # fmt: skip
    """Write the lengths of all units end to end into `chars`, how many each text has into `counts`; returns their sum.

    Text i is `codes[offsets[i]:offsets[i + 1]]`. `chars` and `is_word` have room for one unit a character.
    """
    best, ends = np.empty(len(codes) + 1, dtype=np.float64), np.empty(len(codes) + 1, dtype=np.int32)
    came = np.empty((len(codes) + 1, 4), dtype=np.uint8)
    units, last = np.int64(0), np.int64(len(kinds) - 1)
    for text in range(len(offsets) - 1):
        at, end, before = offsets[text], offsets[text + 1], units
        _ahead(codes, at, end, kinds, keys, logs, first, log_total, best, ends)
        alone = np.int64(0)  # words of one Han character right before `at`, still to be written
        while at < end or alone > 0:
            kind = np.int64(kinds[min(np.int64(codes[at]), last)]) if at < end else np.int64(MARK)
            if kind == HAN and ends[at] == at + 1 and hmm:
                alone += 1
                at += 1
                continue
            if alone > 1 and not _is_word(codes, at - alone, at, keys, logs, first):
                guessed = _guessed(codes, at - alone, at, emission, transition, start, came, chars, units)
            else:
                guessed = units + alone
                for i in range(units, guessed):
                    chars[i] = 1
            for i in range(units, guessed):
                is_word[i] = True
            units, alone = guessed, np.int64(0)
            if at < end:
                chars[units], is_word[units] = ends[at] - at, kind <= LETTER
                units += 1
                at = np.int64(ends[at])
        counts[text] = units - before
    return units
