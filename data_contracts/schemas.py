"""数据表 schemas: the columns of every kind of dataset, as polars types.

`Schema.identity` names the columns whose values make a shard what it is. Columns outside it (when a page was
fetched, where its WARC record lies) are lineage: they may differ between two crawls that saw the same bytes, and then
nothing downstream is recomputed.

A stage that splits rows writes two frames: kept rows have exactly the schema's columns, quarantined rows have the same
columns plus `reason` (one of `reasons.REASONS`) and `error` (text, null unless unreadable) and any extra measurements.
"""

from __future__ import annotations

from typing import NamedTuple

import polars as pl

from data_contracts.errors import SchemaMismatch


class Schema(NamedTuple):
    """Name, version, columns, and the columns that are lineage only."""

    name: str
    version: int
    columns: dict[str, pl.DataType]
    lineage: tuple[str, ...] = ()

    @property
    def identity(self) -> list[str]:
        """Columns that make up a row's identity, in order."""
        return [name for name in self.columns if name not in self.lineage]

    @property
    def label(self) -> str:
        """`DOCUMENT@2`, as manifests name it."""
        return f"{self.name}@{self.version}"


TEXT, INT, FLOAT, BYTES = pl.String(), pl.Int64(), pl.Float64(), pl.Binary()

# 抓取结果: one row per URL the frontier ever knew. `reason` is null for a page that is worth reading.
VISIT = Schema(
    "VISIT",
    2,
    {
        "doc_id": TEXT,  # document id, for life: see data_contracts.dataset.document_id
        "url": TEXT,  # canonical URL
        "source": TEXT,
        "licence": TEXT,
        "status": INT,  # HTTP status; null when nothing was answered
        "content_type": TEXT,  # value of the header, null when absent
        "digest": TEXT,  # sha256 of the decoded body, hex; null without a body
        "location": TEXT,  # target of a redirect, null otherwise
        "depth": INT,  # links from a seed
        "fetched_at": TEXT,  # RFC 3339, UTC: when the bytes came
        "checked_at": TEXT,  # RFC 3339, UTC: when they were last known to be the same; null when nothing was answered
        "archive": TEXT,  # sha256 of the WARC object that holds the response record
        "offset": INT,  # byte offset of the record's gzip member inside it
    },
    lineage=("fetched_at", "checked_at", "archive", "offset", "depth"),
)

# 网页: one row per fetched response.
PAGE = Schema(
    "PAGE",
    1,
    {
        "doc_id": TEXT,
        "url": TEXT,
        "source": TEXT,
        "licence": TEXT,
        "status": INT,
        "content_type": TEXT,
        "body": BYTES,  # content-encoding undone, character encoding untouched
        "digest": TEXT,
        "fetched_at": TEXT,
        "archive": TEXT,
        "offset": INT,
    },
    lineage=("fetched_at", "archive", "offset"),
)

# 得分: the stage `score` gives those that its config asks for; null before it, and for the rest.
SCORES = {
    "quality": FLOAT,  # 0 to 1, the likelihood of being wanted
    "bits_per_char": FLOAT,  # under a character n-gram model of trusted text
    "toxicity": FLOAT,  # 0 to 1
    "spam": FLOAT,  # 0 to 1
}

# 文档: one row per text. Ids never change between versions.
DOCUMENT = Schema(
    "DOCUMENT",
    2,
    {
        "doc_id": TEXT,
        "url": TEXT,  # canonical URL, or `file:NAME#RECORD` for ingested files (no machine path)
        "source": TEXT,
        "licence": TEXT,
        "title": TEXT,  # null when unknown
        "date": TEXT,  # ISO date as stated by the page, null when unknown
        "author": TEXT,  # who wrote it, as stated by the page, null when unknown
        "site_name": TEXT,  # which site or medium published it, as stated by the page, null when unknown
        "canonical_url": TEXT,  # rel=canonical where it is another address than `url`; a claim, never the identity
        "text": TEXT,
        **SCORES,
    },
)

# 样例: texts that a scorer learns from; never part of a corpus.
EXAMPLE = Schema("EXAMPLE", 1, dict.fromkeys(("doc_id", "url", "source", "licence", "text"), TEXT))

# 切分后的文档: DOCUMENT plus the lengths of its words, whose sum is the number of characters of `text`.
SEGMENTED = Schema("SEGMENTED", 2, {**DOCUMENT.columns, "word_chars": pl.List(pl.UInt32())})

# 定长块的目录: where each document's tokens lie in its shard's token files. Beside each `<split>.bin` lies a
# `<split>.words`, one bit an id (lowest first), set where a word begins: @2 brought it, and `copies`.
BLOCKS = Schema(
    "BLOCKS",
    2,
    {
        "doc_id": TEXT,
        "source": TEXT,
        "split": TEXT,  # train | validation | test
        "start": INT,  # index of the first token (its separator) of the document's first copy in <split>.bin
        "tokens": INT,  # tokens of the document, separator included
        "chars": INT,
        "copies": INT,  # how often it stands there: 1, unless the mixture says otherwise
    },
)

SCHEMAS: dict[str, Schema] = {s.name: s for s in (VISIT, PAGE, DOCUMENT, EXAMPLE, SEGMENTED, BLOCKS)}


def filled(frame: pl.DataFrame, schema: Schema) -> pl.DataFrame:
    """The frame with every column of the schema: those that it lacks stand at its end, null."""
    lacking = {name: kind for name, kind in schema.columns.items() if name not in frame.columns}
    return frame.with_columns(pl.lit(None, kind).alias(name) for name, kind in lacking.items())


def check(columns: dict[str, pl.DataType], schema: Schema, where: str) -> None:
    """Raise SchemaMismatch unless every column of the schema is there with its type."""
    wrong = [
        f"{name}: want {want}, have {columns.get(name, 'nothing')}"
        for name, want in schema.columns.items()
        if columns.get(name) != want
    ]
    if wrong:
        raise SchemaMismatch(f"{where}: not a {schema.label}: {'; '.join(wrong)}")
