"""规模律与预算 scaling and budget: fit the curve to runs, and find the network that a time pays for best."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from scipy.optimize import least_squares

from data_contracts.network import NetworkConfig, flops_per_token, parameters
from data_contracts.scaling import EXPONENT, UNIT_PARAMETERS, UNIT_TOKENS, ScalingCurve, ladder

TRAINING_SHARE = 0.95  # of the time; validation, checkpoints, samples and the export take the rest
WORTHY_EPOCHS = 4.0  # repeated so often, text is nearly as good as new (Muennighoff et al. 2023)


class Trained(NamedTuple):
    """One run that the curve is fitted to."""

    recipe: str
    parameters: float
    tokens: float
    bits_per_char: float


class Candidate(NamedTuple):
    """What a network would reach in the time."""

    network: NetworkConfig
    parameters: int
    tokens_per_second: float
    tokens: float
    epochs: float
    bits_per_char: float  # expected
    measured: bool  # the speed; else between or beyond measured ones


def fitted(runs: Sequence[Trained], recipe: str) -> ScalingCurve:
    """The curve of one recipe, by all runs together: that of other recipes is the same times a factor.

    Least squares of relative errors. ValueError for fewer runs than unknowns.
    """
    others = sorted({run.recipe for run in runs} - {recipe})
    if len(runs) < 3 + len(others):
        raise ValueError(f"{len(runs)} runs do not determine {3 + len(others)} values")
    size = (np.array([run.parameters for run in runs]) / UNIT_PARAMETERS) ** -EXPONENT
    data = (np.array([run.tokens for run in runs]) / UNIT_TOKENS) ** -EXPONENT
    found = np.array([run.bits_per_char for run in runs])
    which = np.array([others.index(run.recipe) + 1 if run.recipe != recipe else 0 for run in runs])

    def error(x: np.ndarray) -> np.ndarray:
        told = (x[0] + x[1] * size + x[2] * data) * np.concatenate([[1.0], x[3:]])[which]
        return np.asarray(told / found - 1.0)

    x = least_squares(error, [3.0, 1.0, 1.0, *(1.0 for _ in others)], bounds=(0.0, np.inf)).x
    return ScalingCurve(floor=x[0], size_term=x[1], data_term=x[2])


def candidates(
    curve: ScalingCurve,
    speeds: Mapping[NetworkConfig, float],
    seconds: float,
    vocab_size: int,
    block_tokens: int,
    train_tokens: int,
) -> list[Candidate]:
    """What every network of the ladder would reach, smallest first.

    Args:
        speeds: tokens a second of the networks that were timed. Others are given the FLOPs a second that lie between,
            by the logarithm of the size; beyond the largest and smallest, theirs.
        seconds: the whole time.
        train_tokens: of the blocks. No network is given more than WORTHY_EPOCHS of them.
    """

    def cost(network: NetworkConfig) -> float:
        return flops_per_token(network, vocab_size, block_tokens)

    timed = sorted(speeds, key=cost)
    sizes, rates = np.log([cost(n) for n in timed]), [speeds[n] * cost(n) for n in timed]
    found = []
    for network in ladder():
        count = parameters(network, vocab_size, block_tokens)
        speed = speeds.get(network, float(np.interp(np.log(cost(network)), sizes, rates)) / cost(network))
        tokens = min(speed * seconds * TRAINING_SHARE, WORTHY_EPOCHS * train_tokens)
        bits = curve.bits_per_char(count, tokens)
        found.append(Candidate(network, count, speed, tokens, tokens / train_tokens, bits, network in speeds))
    return found


def best(found: Sequence[Candidate]) -> Candidate:
    """The one that reaches the fewest bits per character."""
    return min(found, key=lambda one: one.bits_per_char)
