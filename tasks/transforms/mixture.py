"""配比 mixture: copies of every training document, so that sources and quality deciles get the shares asked for.

A cell is the documents of one source and one quality decile. Three steps, each exact and without chance:

1. Tokens of each source: the budget is dealt out by weight; a source that its caps hold back takes what it may, and the
   rest goes to the others by their weights (water filling). What no source may take is short.
2. Epochs of each cell: one factor a source times the weight of the decile, no more than the source's cap.
3. Copies of each document: the whole epochs for every one, and the fraction for those that come first by a hash of
   their id, up to the document that brings the cell nearest to its tokens. So a little more of a source adds
   documents, and never exchanges them, and the sharding of the corpus changes nothing.

Deciles are tenths of the documents that have a quality, all sources together, the worst first.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from data_contracts.errors import ConfigError
from data_contracts.mixture import DECILES, MixtureConfig
from tasks.transforms.packing import Copies

UNKNOWN = DECILES  # the eleventh cell of a source: documents without a quality
_CELLS = DECILES + 1
_EXACT = 1e-9  # epochs this close to a whole number are one

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


class Training(NamedTuple):
    """What is asked of n training documents."""

    sources: Sequence[str]  # names; `source` numbers them
    source: Integers
    tokens: Integers  # of each, its separator among them
    quality: Floats  # NaN where unknown
    place: Floats  # by hash of the id, in [0, 1)


class Mixture(NamedTuple):
    """Copies of every document, and what comes of them."""

    copies: Copies
    facts: dict[str, Any]


def mixture(training: Training, cfg: MixtureConfig) -> Mixture:
    """Copies of every training document. ConfigError when weights are given and a source of the corpus has none."""
    decile = deciles(training.quality, training.place)
    cell = training.source * _CELLS + decile
    cells = len(training.sources) * _CELLS
    there = np.bincount(cell, weights=training.tokens, minlength=cells).astype(np.float64).reshape(-1, _CELLS)
    if cfg.is_neutral:
        copies = np.ones(len(cell), dtype=np.int64)
    else:
        copies = drawn(training, cell, epochs(there, training.sources, cfg).ravel())
    return Mixture(copies, _facts(training, decile, copies, float(cfg.tokens or there.sum())))


def deciles(quality: Floats, place: Floats) -> Integers:
    """The decile of each document, 0 the worst; UNKNOWN without a quality."""
    found = np.full(len(quality), UNKNOWN, dtype=np.int64)
    known = np.flatnonzero(~np.isnan(quality))
    order = known[np.lexsort((place[known], quality[known]))]
    found[order] = np.arange(len(order)) * DECILES // max(1, len(order))
    return found


def epochs(there: Floats, sources: Sequence[str], cfg: MixtureConfig) -> Floats:
    """Epochs of every cell; `there` holds the tokens of each, (sources, deciles and UNKNOWN)."""
    missing = [name for name in sources if cfg.weights and name not in cfg.weights]
    if missing:
        raise ConfigError(f"mixture.weights: no weight for source {', '.join(missing)}; write 0 to leave it out")
    liking = np.append(cfg.decile_weights or np.ones(DECILES), 1.0)
    cap = np.array([cfg.source_max_epochs.get(name, cfg.max_epochs) for name in sources])
    most = np.array([float(cfg.source_tokens.get(name, np.inf)) for name in sources])
    liked = there * liking
    weight = np.array([cfg.weights[name] for name in sources]) if cfg.weights else liked.sum(axis=1)
    room = np.minimum(most, cap * (there * (liking > 0)).sum(axis=1))
    target = filled(float(cfg.tokens or there.sum()), weight, room)
    factor = np.array([_factor(*one) for one in zip(there, [liking] * len(cap), cap, target, strict=True)])
    wanted: Floats = np.minimum(factor[:, None] * liking, cap[:, None])
    return wanted


def filled(budget: float, weight: Floats, room: Floats) -> Floats:
    """The budget dealt out by weight, nobody getting more than its room; the rest of one goes to the others."""
    got: Floats = np.zeros(len(weight), dtype=np.float64)
    open_ = (weight > 0) & (room > 0)
    while open_.any():
        share = (budget - got.sum()) * (np.where(open_, weight, 0.0) / weight[open_].sum())
        full = open_ & (got + share >= room)
        if not full.any():
            got += share
            break
        got[full] = room[full]
        open_ &= ~full
    return got


def _factor(there: Floats, liking: Floats, cap: float, target: float) -> float:
    """The factor f with sum(min(cap, f * liking) * there) == target: linear between the points where a cell is full."""
    use = (there > 0) & (liking > 0)
    bends = np.unique(cap / liking[use])
    reached = [float((np.minimum(cap, bend * liking[use]) * there[use]).sum()) for bend in bends]
    return float(np.interp(target, [0.0, *reached], [0.0, *bends]))


def drawn(training: Training, cell: Integers, wanted: Floats) -> Copies:
    """Copies of each document when its cell wants so many epochs."""
    whole = np.floor(wanted + _EXACT).astype(np.int64)
    rest = np.maximum(wanted - whole, 0.0)
    order = np.lexsort((training.place, cell))
    tokens, cells = training.tokens[order], cell[order]
    ends = np.cumsum(tokens)
    first = np.searchsorted(cells, np.arange(len(wanted)))  # where each cell begins in the order
    before = np.append(0, ends)[first]
    size = np.append(0, ends)[np.searchsorted(cells, np.arange(len(wanted)), side="right")] - before
    middle = ends - before[cells] - tokens / 2  # a document goes in when more than half of it fits
    copies = np.empty(len(cell), dtype=np.int64)
    copies[order] = whole[cells] + (middle < rest[cells] * size[cells])
    return copies


def _facts(training: Training, decile: Integers, copies: Copies, budget: float) -> dict[str, Any]:
    """Documents, tokens, epochs and share of every source and decile, and what the whole came to."""
    seen = float((copies * training.tokens).sum())
    names = [*(str(d + 1) for d in range(DECILES)), "unknown"]

    def by(key: Integers, count: int) -> list[dict[str, float]]:
        there, got = (np.bincount(key, weights=w, minlength=count) for w in (training.tokens, copies * training.tokens))
        documents = np.bincount(key, weights=copies > 0, minlength=count)
        return [
            {
                "documents": int(documents[i]),
                "tokens": int(got[i]),
                "epochs": round(float(got[i] / there[i]), 4) if there[i] else 0.0,
                "share": round(float(got[i] / seen), 6) if seen else 0.0,
            }
            for i in range(count)
        ]

    graded = dict(zip(names, by(decile, _CELLS), strict=True)) if (decile != UNKNOWN).any() else {}
    return {
        "by_source": dict(zip(training.sources, by(training.source, len(training.sources)), strict=True)),
        "by_decile": graded,
        "left_out_documents": int((copies == 0).sum()),
        "copied_documents": int((copies > 1).sum()),
        "tokens": int(seen),
        "short_tokens": max(0, int(budget - seen)),
    }
