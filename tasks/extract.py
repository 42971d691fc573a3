"""正文提取 extract: PAGE -> DOCUMENT. Decode each page and find its main text, in a worker that may be killed.

No parser is safe on the open web: nested or attribute-laden pages keep it busy for minutes, and one page may take all
memory. Such pages are counted and quarantined, each with its reason, and the rest of the shard goes on.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import polars as pl

from data_contracts.dataset import Shard
from data_contracts.schemas import DOCUMENT, filled
from data_contracts.stages import ExtractConfig
from tasks.killable import Limits, Outcome, killable
from tasks.stage import stage
from tasks.transforms.main_text import Wanted
from tasks.transforms.page_text import Page, page_text
from tasks.unreadable import refuse_too_many
from tasks.work import Inputs, Work

LIBRARIES = ("resiliparse", "trafilatura", "lxml", "justext")  # what the text of a page depends on
_FOUND = {
    "text": pl.String(),
    "title": pl.String(),
    "date": pl.String(),
    "author": pl.String(),
    "site_name": pl.String(),
    "canonical_url": pl.String(),
    "encoding": pl.String(),
    "decoded_by": pl.String(),
    "extractor": pl.String(),
    "reason": pl.String(),
    "error": pl.String(),
}


@stage(schema=DOCUMENT, libraries=LIBRARIES)
def extract(pages: Inputs, cfg: ExtractConfig, work: Work) -> list[Shard]:
    """正文提取 extract: PAGE -> DOCUMENT. The main text of every page, with title, date, author and site."""
    shards = work.each_shard(mark, pages, cfg)
    refuse_too_many(work, shards, cfg.max_unreadable_ratio)
    return shards


def mark(frame: pl.LazyFrame, cfg: ExtractConfig) -> pl.LazyFrame:
    """The same pages with `text`, what they state (title, date, ...), how it was found, and a reason without text."""
    pages = frame.collect()
    found = pl.DataFrame(list(_found(pages, cfg)), schema=_FOUND)
    by_trafilatura = (pl.col("extractor") == "trafilatura").fill_null(value=False).cast(pl.Int64)
    whole = pl.concat([pages, found], how="horizontal").pipe(filled, DOCUMENT)
    return whole.with_columns(count_second_try=by_trafilatura).lazy()


def _found(pages: pl.DataFrame, cfg: ExtractConfig) -> Iterator[dict[str, Any]]:
    """One row a page, in order. Pages that are empty or too large never reach the worker."""
    worker = killable(page_text, Limits(cfg.deadline_seconds, cfg.max_memory_bytes))
    rows = list(pages.select("body", "content_type", "url").iter_rows())
    wanted = Wanted(cfg.min_chars, cfg.min_text_ratio, cfg.keep_code, cfg.keep_tables)
    asked = (Page(b, kind, url, wanted) for b, kind, url in rows if _may_be_read(b, cfg))
    answers = worker.map(asked, size=lambda page: len(page.body))
    for body, _, _ in rows:
        if _may_be_read(body, cfg):
            yield _row(next(answers))
        elif body:
            yield _FOUND_NOTHING | {"reason": "too_large", "error": f"{len(body)} bytes, limit {cfg.max_page_bytes}"}
        else:
            yield _FOUND_NOTHING | {"reason": "empty_body"}


def _may_be_read(body: bytes | None, cfg: ExtractConfig) -> bool:
    return 0 < len(body or b"") <= cfg.max_page_bytes


_FOUND_NOTHING: dict[str, Any] = dict.fromkeys(_FOUND)


def _row(outcome: Outcome) -> dict[str, Any]:
    if outcome.fault is None:
        return {**_FOUND_NOTHING, **outcome.value}
    reason = "extraction_timeout" if outcome.fault == "timeout" else "unreadable"
    return _FOUND_NOTHING | {"reason": reason, "error": f"{outcome.fault}: {outcome.error}"}
