"""脱敏 redact: personal data in text, title and author becomes placeholders, or takes its document out.

What was found is counted by kind, never kept: the values themselves reach no log, manifest or quarantine.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import polars as pl

from data_contracts.errors import ConfigError
from data_contracts.schemas import DOCUMENT
from data_contracts.stages import REDACT_KEY, RedactConfig, redact_key_id
from tasks.stage import stage
from tasks.transforms import pii
from tasks.work import Inputs, Output, Work

COLUMNS = ("title", "author", "text")


def mark(documents: pl.LazyFrame, cfg: RedactConfig) -> pl.LazyFrame:
    """The same rows with personal data replaced, counts by kind (`count_mobile`, ...), and `reason`.

    `count_redacted` is the number of documents that held any. In mode `drop` such a document is refused as
    personal_data, and what goes to the quarantine is tagged too. Raises ConfigError where a pseudonym needs a key.
    """
    placeholder = _placeholder(cfg)
    return documents.map_batches(lambda frame: _marked(frame, cfg, placeholder), validate_output_schema=False)


def _marked(documents: pl.DataFrame, cfg: RedactConfig, placeholder: Callable[[str, str], str]) -> pl.DataFrame:
    counts: dict[str, npt.NDArray[np.int64]] = {kind: np.zeros(documents.height, np.int64) for kind in cfg.kinds}
    changed = {}
    for name in COLUMNS:
        if name not in documents.columns:
            continue
        changed[name], found = pii.redacted(documents[name], cfg.kinds, placeholder)
        for kind, by_row in found.items():
            np.add.at(counts[kind], list(by_row), list(by_row.values()))
    held = pl.any_horizontal([pl.col(f"count_{kind.lower()}") > 0 for kind in cfg.kinds] or [pl.lit(False)])
    missing = pl.col("text").is_null()
    refused = held if cfg.mode == "drop" else pl.lit(False)
    return documents.with_columns(
        **changed, **{f"count_{kind.lower()}": pl.Series(counts[kind], dtype=pl.Int64()) for kind in cfg.kinds}
    ).with_columns(
        count_redacted=held.cast(pl.Int64),
        reason=pl.when(missing).then(pl.lit("unreadable")).when(refused).then(pl.lit("personal_data")),
        error=pl.when(missing).then(pl.lit("the text is null; its source gave none")),
    )


def _placeholder(cfg: RedactConfig) -> Callable[[str, str], str]:
    if cfg.mode != "pseudonym":
        return _tag
    key = os.environ.get(REDACT_KEY, "")
    if not key:
        raise ConfigError(f"redact.mode: pseudonym needs a key; set the environment variable {REDACT_KEY}")
    if cfg.key_id != redact_key_id(key):
        raise ConfigError(
            f"redact.key_id: {cfg.key_id!r} is not the key in {REDACT_KEY} ({redact_key_id(key)!r}); leave it out of "
            "the config or set the key it was made with"
        )

    def pseudonym(kind: str, value: str) -> str:
        mac = hmac.new(key.encode(), f"{kind}\0{pii.canonical(kind, value)}".encode(), hashlib.sha256).digest()
        letters = "".join("abcdefghijklmnop"[half] for byte in mac[:6] for half in (byte >> 4, byte & 15))
        return f"<{kind}:{letters}>"

    return pseudonym


def _tag(kind: str, value: str) -> str:
    return f"<{kind}>"


@stage(schema=DOCUMENT, libraries=("numba", "numpy", "polars", "python-stdnum"))
def redact(documents: Inputs, cfg: RedactConfig, work: Work) -> Output:
    """脱敏 redact: DOCUMENT -> DOCUMENT. Personal data becomes placeholders; counts by kind are kept, values never.

    Measures, of the dataset and of each shard: pieces by kind (`mobile`, `email`, ...), and `redacted`, the documents
    that held any.
    """
    _placeholder(cfg)  # a missing key is said before any work is done
    shards = work.each_shard(mark, documents, cfg)
    names = ("redacted", *(kind.lower() for kind in cfg.kinds))
    return Output(shards, measures={name: int(sum(s.measures.get(name, 0) for s in shards)) for name in names})
