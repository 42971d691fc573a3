"""读不出的记录 unreadable: a broken record is counted and passed by, until there are too many of them."""

from __future__ import annotations

from collections.abc import Sequence

from data_contracts.dataset import Shard
from data_contracts.errors import TooManyUnreadable

BROKEN = ("unreadable", "undecodable", "extraction_timeout")  # reasons that speak of damage, not of content


def refuse_too_many(stage: str, shards: Sequence[Shard], max_ratio: float) -> None:
    """Raise TooManyUnreadable when more than `max_ratio` of all rows could not be read."""
    rows = sum(s.rows_in for s in shards)
    counts = {reason: sum(s.reasons.get(reason, 0) for s in shards) for reason in BROKEN}
    broken = sum(counts.values())
    if broken > max_ratio * rows:
        said = ", ".join(f"{n} {reason}" for reason, n in counts.items() if n)
        raise TooManyUnreadable(
            f"stage {stage}: {broken} of {rows} records could not be read ({said}), more than max_unreadable_ratio "
            f"{max_ratio:g}. Check the source and its field names, or raise the ratio"
        )
