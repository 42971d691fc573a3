"""步调 pace: how many blocks each optimizer step takes, and how long its rows are, as pure functions of the step.

Both may begin small and double until they are full. A shorter row is a block cut into several, so a step has as many
tokens and takes the same blocks; a smaller step takes fewer blocks, and how many all steps before it took is a sum of a
few products.
"""

from __future__ import annotations

import bisect

from pydantic import Field

from data_contracts.errors import ConfigError
from data_contracts.model import Model


class WarmupConfig(Model):
    """渐增: from a small start, doubled again and again, to the full value."""

    start_tokens: int = Field(ge=1, description="起始值, 词元; 须为满值折半若干次 (full value halved some times)")
    ratio: float = Field(0.1, gt=0, le=1, description="渐增所占的步数比例 (share of the steps)")


class Growth(Model):
    """How a value grows to its full size: halved so many times at first, full after a share of the steps."""

    halvings: int = Field(0, ge=0)
    ratio: float = Field(0.0, ge=0, le=1)


class Doubling(Model):
    """Growth over a known number of steps, in stages of equal length."""

    halvings: int = Field(0, ge=0)
    steps: int = Field(0, ge=0)

    def left(self, step: int) -> int:
        """How many times the value is halved at a step."""
        return self.halvings - step * self.halvings // self.steps if step < self.steps else 0

    def stages(self) -> list[tuple[int, int, int]]:
        """First step, the step after the last, and halvings of every stage of the growth."""
        n, steps = self.halvings, self.steps
        return [(-(-k * steps // n), -(-(k + 1) * steps // n), n - k) for k in range(n)]


class Pace(Model):
    """The pace of one run."""

    block_tokens: int
    blocks_per_step: int
    length: Doubling = Doubling()
    batch: Doubling = Doubling()

    def row_tokens(self, step: int) -> int:
        """Length of the rows of a step."""
        return self.block_tokens >> self.length.left(step)

    def blocks(self, step: int) -> int:
        """Blocks that a step takes."""
        return self.blocks_per_step >> self.batch.left(step)

    def blocks_before(self, step: int) -> int:
        """Blocks that the steps 0 .. step - 1 take together."""
        early = sum(
            max(0, min(step, end) - first) * (self.blocks_per_step >> halved)
            for first, end, halved in self.batch.stages()
        )
        return early + max(0, step - self.batch.steps) * self.blocks_per_step

    def tokens_before(self, step: int) -> int:
        """Tokens of the steps 0 .. step - 1."""
        return self.blocks_before(step) * self.block_tokens


def pace_of(block_tokens: int, blocks_per_step: int, max_steps: int, length: Growth, batch: Growth) -> Pace:
    """The pace of a run of so many steps."""
    grow = {
        name: Doubling(halvings=g.halvings, steps=max(0, round(g.ratio * max_steps)) if g.halvings else 0)
        for name, g in (("length", length), ("batch", batch))
    }
    return Pace(block_tokens=block_tokens, blocks_per_step=blocks_per_step, **grow)


def growth(warmup: WarmupConfig | None, full: int, key: str, of: str) -> Growth:
    """A warm-up as halvings of the full value; ConfigError when its start is not one of them."""
    if warmup is None:
        return Growth()
    allowed = [full >> n for n in range(full.bit_length()) if full % (1 << n) == 0]
    if warmup.start_tokens not in allowed:
        raise ConfigError(
            f"{key}.start_tokens {warmup.start_tokens} is not {of} {full}, halved some times; "
            f"it may be {', '.join(map(str, allowed))}"
        )
    return Growth(halvings=allowed.index(warmup.start_tokens), ratio=warmup.ratio)


def steps_for(tokens: float, block_tokens: int, blocks_per_step: int, batch: Growth) -> int:
    """The fewest steps that take so many tokens, when early steps are smaller."""

    def enough(steps: int) -> bool:
        pace = pace_of(block_tokens, blocks_per_step, steps, Growth(), batch)
        return pace.tokens_before(steps) >= tokens

    high = 1
    while not enough(high):
        high *= 2
    return high // 2 + 1 + bisect.bisect_left(range(high // 2 + 1, high), True, key=enough)
