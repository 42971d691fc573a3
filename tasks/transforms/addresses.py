"""网址 addresses: one page that several sources or crawls brought, by its URL.

An address is the URL without what does not say which page it is: scheme, fragment, default port, tracking parameters,
a slash at its end, upper case in the host. Only http(s) URLs are addresses; a file's record is none.

Only where every source has one document of an address do they stand for one page. A source with several was cut from
pages into records, and then equal addresses say nothing about equal texts.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import polars as pl

from tasks.transforms.clusters import Table, Units, numbered, settled
from tasks.transforms.digests import named

# Columns of a table of addresses: address (2), source, precedence (3), digest of the text (2), row.
SOURCE, RANK, DIGEST, ROW = 2, slice(3, 6), slice(6, 8), 8

_HTTP = r"(?i)^\s*https?://"
_TRACKING = r"(?i)([?&])(?:utm_\w+|spm|scm|fbclid|gclid|msclkid|yclid|from_source|share_token|share_from)=[^&]*"


class Met(NamedTuple):
    """Rows of a table of addresses that give way, and for each the row that stays."""

    gone: Units
    kept: Units


def addresses(documents: pl.DataFrame, rank: Table, digest: Table) -> Table:
    """The table of addresses of documents (url, source): one row per http(s) URL, sorted."""
    known = documents.select("source", key=_key()).with_row_index("row").filter(pl.col("key").is_not_null())
    rows = known["row"].to_numpy().astype(np.int64)
    made = np.column_stack(
        [named(known["key"]), named(known["source"])[:, :1], rank[rows], digest[rows], rows.astype(np.uint64)]
    )
    return made[np.lexsort((made[:, 1], made[:, 0]))]


def met(table: Table) -> Met:
    """Which documents of one address give way to the best of them: all, where no source has two."""
    number, _ = numbered(table[:, :2])
    of_source, _ = numbered(np.column_stack([number.astype(np.uint64), table[:, SOURCE]]))
    repeated = np.bincount(of_source, minlength=1)[of_source] > 1
    unclear = np.zeros(len(number) + 1, dtype=bool)
    unclear[number[repeated]] = True
    cluster = settled(table[:, :2], table[:, RANK])
    gone = cluster.gone & ~unclear[number[cluster.order]]
    return Met(cluster.order[gone], cluster.kept[gone])


def _key() -> pl.Expr:
    url = pl.col("url").str.replace(r"#.*$", "").str.strip_chars()
    host = url.str.extract(_HTTP + r"([^/?]+)").str.to_lowercase().str.replace(r":(?:80|443)$", "")
    rest = url.str.extract(_HTTP + r"[^/?]+(.*)$").str.replace_all(_TRACKING, "$1")
    tidy = rest.str.replace_all(r"([?&])&+", "$1").str.replace(r"[?&]+$", "").str.replace(r"/$", "")
    return host + tidy
