"""配对自助法 paired bootstrap: how sure a difference between models is that were asked the same things.

Documents (or questions) are drawn with replacement, as many as there are, and every model's figure is computed on the
same draw (Efron and Tibshirani 1993, ch. 16; for language Koehn 2004, Berg-Kirkpatrick et al. 2012). What makes a
document hard is so the same for all models, and falls out of their difference.

The interval holds the middle 95 % of the draws; the p-value is two-sided: twice the share of draws on the other side of
zero, with one added above and below so that it is never 0 (Davison and Hinkley 1997, 4.2). Several comparisons are
corrected by Holm's step-down procedure (Holm 1979), which bounds the chance of one false claim among them.

What this does not hold: another training run of the same config gives another model. `with_training_noise` adds that,
from several seeds a side.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

LEVEL = 0.95
_CELLS = 1 << 21  # of a batch of draws: 16 MB


class Estimate(NamedTuple):
    """A figure or a difference, its 95 % interval, and the two-sided p-value of its being 0."""

    value: float
    low: float
    high: float
    p: float


def draws(units: int, resamples: int, seed: int) -> Iterator[Floats]:
    """(batch, units) matrices: how often each unit is in each draw. The same seed gives the same draws."""
    dice = np.random.default_rng(seed)
    size = max(1, _CELLS // max(1, units))
    for first in range(0, resamples, size):
        rows = min(size, resamples - first)
        picked = dice.integers(units, size=(rows, units)) + np.arange(rows)[:, None] * units
        yield np.bincount(picked.ravel(), minlength=rows * units).reshape(rows, units).astype(np.float64)


def resampled(amounts: Floats, weights: Floats, resamples: int, seed: int) -> Floats:
    """(units, models) amounts and (units,) weights -> (resamples, models): sum of amounts over sum of weights.

    Bits and characters give bits per character; 0 or 1 and ones give the share of right answers. No units give no
    number: ValueError.
    """
    if not len(weights):
        raise ValueError("nothing to draw from: the models have no document or question in common")
    both = np.column_stack([amounts, weights])
    sums = np.concatenate([drawn @ both for drawn in draws(len(weights), resamples, seed)])
    shares: Floats = sums[:, :-1] / np.maximum(sums[:, -1:], np.finfo(np.float64).tiny)
    return shares


def estimate(value: float, drawn: Floats) -> Estimate:
    """The interval and p-value of a value, from what the draws made of it."""
    low, high = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    least = min(int((drawn <= 0).sum()), int((drawn >= 0).sum()))
    return Estimate(value, float(low), float(high), min(1.0, 2 * (1 + least) / (1 + len(drawn))))


def holm(p_values: Sequence[float]) -> list[float]:
    """P-values corrected for their number, in the order given."""
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    adjusted, largest = [0.0] * len(p_values), 0.0
    for rank, i in enumerate(order):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[i]))
        adjusted[i] = largest
    return adjusted


class Noise(NamedTuple):
    """A difference of means over training runs: what documents and what seeds add to its error."""

    estimate: Estimate
    seed_deviation: float  # standard deviation of one side's figure between seeds, both sides pooled
    document_error: float  # standard error over documents
    freedom: float  # degrees of freedom of the interval


def with_training_noise(first: Floats, second: Floats, drawn: Floats, units: int) -> Noise:
    """The difference `mean(first) - mean(second)` with the noise of documents and of training together.

    `first` and `second` are figures of several runs a side (at least two of one), `drawn` what the draws made of the
    difference of the means. The two variances add up; Student's t has Welch and Satterthwaite's degrees of freedom
    (Satterthwaite 1946), so two seeds a side make a wide interval, as they should. Runs of one seed on both sides are
    not taken for a pair: their data differ from the first step on.
    """
    from scipy import stats

    spare = len(first) + len(second) - 2
    if spare < 1:
        raise ValueError("one training run a side tells nothing of the noise between runs")
    pooled = (first.var() * len(first) + second.var() * len(second)) / spare
    by_seed = pooled * (1 / len(first) + 1 / len(second))
    by_unit = float(drawn.var())
    total = by_seed + by_unit
    freedom = total**2 / max(by_seed**2 / spare + by_unit**2 / max(1, units - 1), np.finfo(np.float64).tiny)
    value, error = float(first.mean() - second.mean()), math.sqrt(total)
    half = float(stats.t.ppf((1 + LEVEL) / 2, freedom)) * error
    p = float(2 * stats.t.sf(abs(value) / error, freedom)) if error else 1.0 if value == 0 else 0.0
    return Noise(Estimate(value, value - half, value + half, p), math.sqrt(pooled), math.sqrt(by_unit), freedom)
