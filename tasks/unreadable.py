"""读不出的记录 unreadable: a broken record is counted and passed by, until there are too many of them."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from data_contracts.dataset import QUARANTINED, Shard
from data_contracts.errors import TooManyUnreadable
from tasks.work import Work

BROKEN = ("unreadable", "undecodable", "extraction_timeout")  # reasons that speak of damage, not of content


def refuse_too_many(work: Work, shards: Sequence[Shard], max_ratio: float) -> None:
    """Raise TooManyUnreadable, with the first error, when more than `max_ratio` of all rows were broken."""
    rows = sum(s.rows_in for s in shards)
    counts = {reason: sum(s.reasons.get(reason, 0) for s in shards) for reason in BROKEN}
    broken = sum(counts.values())
    if broken > max_ratio * rows:
        said = ", ".join(f"{n} {reason}" for reason, n in counts.items() if n)
        raise TooManyUnreadable(
            f"stage {work.stage}: {broken} of {rows} records could not be read ({said}), more than "
            f"max_unreadable_ratio {max_ratio:g}{_example(work, shards)}. "
            "Check the source and its field names, or raise the ratio"
        )


def _example(work: Work, shards: Sequence[Shard]) -> str:
    """Where the first broken record lies and what is wrong with it: its dataset will not be there to be asked."""
    for shard in shards:
        if any(reason in shard.reasons for reason in BROKEN):
            refused = pl.scan_parquet(work.store.path(shard.files[QUARANTINED])).filter(pl.col("reason").is_in(BROKEN))
            row = refused.select("url", "reason", "error").head(1).collect().row(0, named=True)
            return f"; the first is {row['url']}: {row['error'] or row['reason']}"
    return ""
