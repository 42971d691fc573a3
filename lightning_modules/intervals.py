"""区间 intervals: a share of right answers and how sure it is."""

from __future__ import annotations

import math
from typing import Any

NORMAL_975 = 1.959963984540054  # 97.5 % quantile of the normal distribution


def wilson(right: int, count: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a proportion; (0, 1) for no trials. Source: Wilson 1927, JASA 22, 209-212."""
    if not count:
        return 0.0, 1.0
    share, z2 = right / count, NORMAL_975**2
    middle = (share + z2 / (2 * count)) / (1 + z2 / count)
    half = NORMAL_975 / (1 + z2 / count) * math.sqrt(share * (1 - share) / count + z2 / (4 * count**2))
    return max(0.0, middle - half), min(1.0, middle + half)


def proportion(right: int, count: int) -> dict[str, Any]:
    """Accuracy with its interval, and what it is made of; the accuracy of nothing is null."""
    low, high = wilson(right, count)
    return {"accuracy": right / count if count else None, "low": low, "high": high, "right": right, "count": count}
