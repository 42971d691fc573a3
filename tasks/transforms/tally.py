"""计数 tally: what every text is made of: kinds of characters, their entropy, and characters that say something.

Every character of a text is counted, not a sample of them.
"""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from tasks.transforms.characters import Codes, Kind, Points, kinds
from tasks.transforms.compiled import compiled

# Function characters. A text of any period that has next to none of them is a list, a menu or noise.
STOP_MODERN = "的了是在和不有我这這就也人都一个個们們到说說要去你会會着著没沒"
STOP_CLASSICAL = "之乎者也其而以於于曰矣焉哉何不無无有所為为"
# Written Cantonese uses these all the time, standard Chinese hardly ever.
CANTONESE = "嘅咗啲喺嚟冇佢哋唔嗰乜嘢咁畀睇"
SENTENCE_ENDS = "。！？!?；;…"
# Bits of `marks`. UNSEEN: not a visible character. STOPS: ends a sentence where no letter or digit follows (3.14).
MODERN, CLASSICAL, YUE, ENDS, UNSEEN, STOPS, WITHIN = (1 << i for i in range(7))
_LOGS = 1 << 12  # n log n comes from a table below this count

Table = npt.NDArray[Any]


class Tally(NamedTuple):
    """Of every row; int64 [rows] unless said otherwise."""

    kinds: npt.NDArray[np.int64]  # [rows, 16] characters of each Kind; the added line feed is not counted
    entropy: npt.NDArray[np.float64]  # [rows] Shannon entropy of its visible characters, nat; 0 for an empty row
    stop_kinds: npt.NDArray[
        np.int64
    ]  # different function characters: of modern or classical Chinese, whichever has more
    stops: npt.NDArray[np.int64]  # function characters of either
    cantonese: npt.NDArray[np.int64]  # characters that only written Cantonese uses much
    sentences: npt.NDArray[np.int64]  # marks that end a sentence or a clause; a run of them counts once


def tally(codes: Codes) -> Tally:
    """Count one batch of rows."""
    rows = len(codes.lengths)
    numbers = [np.zeros(rows, np.int64) for _ in range(4)]
    found = Tally(np.zeros((rows, 16), np.int64), np.zeros(rows), *numbers)
    seen = np.zeros(0x110000, np.int32)
    distinct = np.empty(int(codes.lengths.max(initial=1)), np.uint32)
    _tally(codes.points, codes.starts, codes.lengths, kinds(), marks(), n_log_n(), seen, distinct, *found)
    return found


@compiled
def _tally(
    points: Points, starts: Table, lengths: Table,
    kinds: Table, marks: Table, logs: Table, seen: Table, distinct: Points,
    by_kind: Table, entropy: Table, stop_kinds: Table, stops: Table, cantonese: Table, sentences: Table,
) -> None:  # fmt: skip
    for row in range(len(starts)):
        number, ended = 0, False
        for i in range(starts[row], starts[row] + lengths[row] - 1):
            point = points[i]
            distinct[number] = point
            number += seen[point] == 0  # no branch: in a short text it would be guessed wrong half of the time
            seen[point] += 1
            if 0x4E00 <= point < 0xA000:  # Han, most of any text, ends no sentence
                ended = False
                continue
            ends = marks[point] & 8 != 0 or (marks[point] & 32 != 0 and marks[points[i + 1]] & 64 == 0)
            sentences[row] += ends and not ended
            ended = ends
        total, inner, modern, classical = 0, 0.0, 0, 0
        for k in range(number):
            point = distinct[k]
            count, mark = seen[point], marks[point]
            seen[point] = 0
            by_kind[row, kinds[point]] += count
            if mark & 16 == 0:
                total += count
                inner += logs[count] if count < len(logs) else count * np.log(count)
            modern += mark & 1
            classical += (mark >> 1) & 1
            if mark & 3:
                stops[row] += count
            if mark & 4:
                cantonese[row] += count
        stop_kinds[row] = max(modern, classical)
        if total:
            entropy[row] = max(0.0, np.log(total) - inner / total)


@cache
def marks() -> npt.NDArray[np.uint8]:
    """For every code point the bits of what it says."""
    table = np.zeros(0x110000, np.uint8)
    for characters, bit in (
        (STOP_MODERN, MODERN), (STOP_CLASSICAL, CLASSICAL), (CANTONESE, YUE), (SENTENCE_ENDS, ENDS),
    ):  # fmt: skip
        table[[ord(c) for c in characters]] |= bit
    table[np.isin(kinds(), (Kind.SPACE, Kind.LINE_FEED))] |= UNSEEN
    table[np.isin(kinds(), (Kind.LATIN, Kind.DIGIT))] |= WITHIN
    table[ord(".")] |= STOPS | WITHIN
    return table


@cache
def n_log_n() -> npt.NDArray[np.float64]:
    """The product n log n for small n."""
    n = np.arange(1, _LOGS, dtype=np.float64)
    return np.append(0.0, n * np.log(n))
