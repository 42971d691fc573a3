"""判定 proof: which of two corpora trains the better model, by how much and how sure, in figures and in a sentence.

With one run a side the interval is that of the paired bootstrap over documents; with several it also holds the noise
between training runs (tasks/transforms/paired_bootstrap.py). Better means: fewer bits per character at 5 %.
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from data_contracts.comparison import CompareConfig
from data_contracts.model import Model
from data_contracts.units import human
from tasks.contest import SEED, TOO_FEW, common
from tasks.transforms.paired_bootstrap import estimate, resampled, with_training_noise

ALPHA = 0.05
ALIKE = 1.02  # training tokens of one side by the other's: more is said
FEW = 30  # documents: with fewer the percentiles of a bootstrap are too narrow (Hesterberg 2015, 2.3)


class Proof(Model):
    """Two corpora compared. Differences are bits per character of the first less those of the second."""

    names: tuple[str, str]
    seeds: tuple[int, ...]
    figures: tuple[float, float]  # bits per character, mean over the seeds
    difference: float
    low: float
    high: float
    p: float
    documents: int
    chars: int
    document_error: float  # standard error over documents
    seed_deviation: float | None = None  # standard deviation between seeds; none for one seed
    tokens: tuple[float, float] | None = None  # training tokens, mean over the seeds, where they differ

    @property
    def better(self) -> int | None:
        """0 or 1; None where the two are not told apart, or too few documents tell."""
        return None if self.p >= ALPHA or self.documents < TOO_FEW else int(self.difference > 0)


def prove(answers: Sequence[pl.DataFrame], cfg: CompareConfig, tokens: Sequence[float] = ()) -> Proof:
    """`answers` (digest, bits, chars) of the first corpus's models by seed, then of the second's.

    `tokens` are those that each was trained for: minutes on a busy machine are more for one than for the other.
    """
    both = common(answers, ("chars",), "bits")
    amounts = both.select(str(i) for i in range(len(answers))).to_numpy()
    weights = both["chars"].cast(pl.Float64).to_numpy()
    drawn = resampled(amounts, weights, cfg.resamples, SEED)
    figures = amounts.sum(axis=0) / weights.sum()
    half = len(cfg.seeds)
    apart = drawn[:, :half].mean(axis=1) - drawn[:, half:].mean(axis=1)
    means = float(figures[:half].mean()), float(figures[half:].mean())
    found, error, deviation = estimate(means[0] - means[1], apart), float(apart.std()), None
    if half > 1:
        noise = with_training_noise(figures[:half], figures[half:], apart, both.height)
        found, error, deviation = noise.estimate, noise.document_error, noise.seed_deviation
    return Proof(
        names=cfg.names,
        seeds=cfg.seeds,
        figures=means,
        difference=found.value,
        low=found.low,
        high=found.high,
        p=found.p,
        documents=both.height,
        chars=int(weights.sum()),
        document_error=error,
        seed_deviation=deviation,
        tokens=_apart(tokens, half),
    )


def _apart(tokens: Sequence[float], half: int) -> tuple[float, float] | None:
    """The mean training tokens of both sides where they are not about the same."""
    if len(tokens) != 2 * half:
        return None
    sides = sum(tokens[:half]) / half, sum(tokens[half:]) / half
    return sides if max(sides) > ALIKE * min(sides) else None


def sentences(found: Proof) -> tuple[str, str]:
    """The verdict in Chinese and in English."""
    a, b = found.names
    p = "p < 0.001" if found.p < 0.001 else f"p = {found.p:.3f}"
    if found.better is None:
        span = f"{found.low:+.3f} … {found.high:+.3f}"
        return (
            f"分不出高下: 在 {found.documents:,} 篇双方都没有学过的文档上, 语料 {a} 每字 {found.figures[0]:.3f} 比特, "
            f"语料 {b} 每字 {found.figures[1]:.3f} 比特, 差 {found.difference:+.3f} (95 % 区间 {span}, {p})。",
            f"Not told apart: on {found.documents:,} documents that neither has seen, corpus {a} comes to "
            f"{found.figures[0]:.3f} bits per character and corpus {b} to {found.figures[1]:.3f}, a difference of "
            f"{found.difference:+.3f} (95 % interval {span}, {p}).",
        )
    better, worse = found.better, 1 - found.better
    low, high = sorted((abs(found.low), abs(found.high)))
    less, span = abs(found.difference), f"{low:.3f} … {high:.3f}"
    versus = found.figures[better], found.figures[worse]
    return (
        f"语料 {found.names[better]} 更好: 在 {found.documents:,} 篇双方都没有学过的文档上, 用它训练的模型每字少付 "
        f"{less:.3f} 比特 (95 % 区间 {span}, {p}), {versus[0]:.3f} 对 {versus[1]:.3f}。",
        f"Corpus {found.names[better]} is better: on {found.documents:,} documents that neither has seen, its model "
        f"pays {less:.3f} bits per character less (95 % interval {span}, {p}), {versus[0]:.3f} against "
        f"{versus[1]:.3f}.",
    )


def noise(found: Proof) -> str:
    """What the interval holds, and what it does not."""
    more = ""
    if found.documents < FEW:
        more += (
            f" 只有 {found.documents} 篇文档, 区间偏窄。Only {found.documents} documents: the interval is too narrow."
        )
    if found.tokens:
        a, b = (human(n) for n in found.tokens)
        more += (
            f" 双方训练的词元不同 ({a} 与 {b}): 机器忙闲不均时, 分钟相同词元不同; --duration 用词元或步数更公平。"
            f"The sides were trained for {a} and {b} tokens: on a machine that does other things minutes are not "
            "tokens; give --duration in tokens or steps."
        )
    if found.seed_deviation is None:
        return (
            "每份语料只训练了一次: 区间包含文档之间的差异, 不包含训练的噪声; --seeds 3 会把它算进去。"
            "One training run a side: the interval holds the differences between documents, not the noise of training; "
            "--seeds 3 adds that." + more
        )
    return (
        f"每份语料训练 {len(found.seeds)} 次: 种子之间的标准差 {found.seed_deviation:.4f} 比特/字, 文档的标准误 "
        f"{found.document_error:.4f}; 区间和 p 值包含两者 (Welch 与 Satterthwaite)。"
        f"{len(found.seeds)} training runs a side: {found.seed_deviation:.4f} bits per character of standard deviation "
        f"between seeds, a standard error of {found.document_error:.4f} over documents; interval and p-value hold both."
        + more
    )
