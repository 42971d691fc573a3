"""规模律 scaling: what a model of N parameters reaches after D tokens, and the settings that reach it.

    bits per character = floor + size_term (N / 4M) ^ -0.35 + data_term (D / 8M) ^ -0.35

The form is that of Hoffmann et al. 2022 (equation 2); N is parameters with the embeddings counted once, D training
tokens. Both terms have one exponent, near theirs (0.34 and 0.28), so that size and tokens grow alike with time, as they
found. Free exponents fit our few small runs no better (0.51 against 0.53 % root mean square error).

REFERENCE is fitted (tasks/transforms/scaling.py) to 18 runs of 1.9M to 13.7M parameters on 1M to 20M tokens of a mixed
Chinese text of 67 million characters, vocabulary 8,000, at most one epoch; they are a table in the tests. 16 of them
were made on a GPU by another program with the same rules and measured on a tenth of the validation split, the other two
by ours: the last is deployments/configs/laptop.yaml, which came out 2.3 % above what was expected of it before it was
one of them. On other text the floor is another, so a curve is scaled by a run on it; far outside those sizes it is an
extrapolation, and is called one.
"""

from __future__ import annotations

import math

from data_contracts.model import Model
from data_contracts.network import NetworkConfig
from data_contracts.optimizers import OptimizerConfig

UNIT_PARAMETERS, UNIT_TOKENS, EXPONENT = 4e6, 8e6, 0.35


class ScalingCurve(Model):
    """规模律: bits per character of a trained model, from its size and its training tokens."""

    floor: float
    size_term: float
    data_term: float

    def bits_per_char(self, parameters: float, tokens: float) -> float:
        """What a model reaches."""
        size, data = math.pow(parameters / UNIT_PARAMETERS, -EXPONENT), math.pow(tokens / UNIT_TOKENS, -EXPONENT)
        return self.floor + self.size_term * size + self.data_term * data

    def times(self, factor: float) -> ScalingCurve:
        """The curve of a text whose characters cost so many times as much."""
        return ScalingCurve(**{name: term * factor for name, term in self.model_dump().items()})


REFERENCE = ScalingCurve(floor=3.569, size_term=0.6027, data_term=1.1674)
FITTED_PARAMETERS, FITTED_TOKENS = (1.9e6, 13.7e6), (1e6, 20e6)
CALIBRATED_TOKENS = 300_000  # fewer say little: the loss of a run so short is that of its first steps
WIDTHS = (64, 128, 192, 256, 320, 384, 448, 512, 640, 768, 1024, 1280, 1536, 2048)


def ladder() -> list[NetworkConfig]:
    """The networks to choose from, smallest first: heads of 64, a layer for every 64 of width, and at least four.

    qwen3 and heads of 64: norms of queries and keys gained 0.06, heads of 64 in place of 32 0.04 bits per character on
    6M tokens (3.3M parameters; tied embeddings were better than two by 0.14).
    """
    return [NetworkConfig(architecture="qwen3", width=w, layers=max(4, w // 64)) for w in WIDTHS]


def tokens_per_step_for(tokens: float, unit: int) -> int:
    """Global batch for so many training tokens: a power of two, in whole units (of block and devices).

    On 6M tokens 4,096 was better than 2,048 by 0.09 and than 8,192 by 0.07 bits per character. It grows with the square
    root of the tokens, as the noise of the gradient does; beyond 24M tokens that is an assumption.
    """
    wanted = 4096 << max(0, round(math.log2(math.sqrt(max(tokens, 1.0) / 12e6))))
    return max(1, wanted // unit) * unit


def optimizer_for(tokens: float, tokens_per_step: int) -> OptimizerConfig:
    """Muon by WSD, its rates for so many training tokens.

    Rates fall with the square root of the tokens: 0.02 for the matrices was best on 6M and 8M tokens (0.01 and 0.04
    were tried), 0.012 better than 0.02 on 20M; they rise with the square root of the batch. Momentum 0.9 gained 0.015,
    beta2 0.98 0.025, a decay over 0.4 of the steps against a cosine 0.13 bits per character.
    """
    share = min(1.25, math.sqrt(UNIT_TOKENS / max(tokens, 1.0))) * math.sqrt(tokens_per_step / 4096)
    rates = {"learning_rate": _short(0.006 * share), "matrix_learning_rate": _short(0.02 * share)}
    return OptimizerConfig(name="muon", momentum=0.9, beta2=0.98, decay_ratio=0.4, **rates)


def _short(rate: float) -> float:
    return float(f"{rate:.2g}")
