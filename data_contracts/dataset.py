"""数据集句柄 handles and manifests: what stages hand to each other and what the store writes beside the data.

Dataset     a few hundred bytes that name a dataset; knows no path
Manifest    the JSON under STORE/datasets/<stage>/<version>.json
Shard       one piece of a dataset: its files, counts and cost
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from pydantic import BaseModel, Field

from data_contracts.model import Model

KEPT, QUARANTINED, SIGNALS = "kept.parquet", "quarantined.parquet", "signals.parquet"
PARAGRAPHS = "paragraphs.parquet"  # those that dedup took out of documents that stay
EVIDENCE = "evidence.parquet"  # why a stage did something to a row, kept or not: doc_id and columns of its own


def digest_of(value: Any) -> str:
    """SHA-256 of the canonical JSON of a value (models as their JSON form), hex."""
    if isinstance(value, BaseModel):
        value = value.model_dump(mode="json")
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"), default=_plain)
    return hashlib.sha256(text.encode()).hexdigest()


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    raise TypeError(f"{type(value).__name__} has no canonical JSON form")


def document_id(source: str, record: str) -> str:
    """文档编号: 16 hex digits of BLAKE2b over the source's name and the record's own name.

    `record` is the canonical URL of a page, the id that a file gives its record, or the hash of its text. The same
    record keeps its id in every version, whatever its text becomes.
    """
    return hashlib.blake2b(f"{source}\0{record}".encode(), digest_size=8).hexdigest()


class File(Model):
    """An immutable object of the store, named by the SHA-256 of its bytes."""

    sha256: str
    bytes: int


class Shard(Model):
    """分片: one piece of a dataset, in order. What the next stage's shard key hangs on is `content`."""

    content: str  # hash of the identity of the kept rows
    files: dict[str, File]  # KEPT, QUARANTINED, SIGNALS, PARAGRAPHS, or a stage's own names ("train.bin")
    rows_in: int = 0
    rows_kept: int = 0
    reasons: dict[str, int] = Field(default_factory=dict)  # quarantined rows by reason
    chars: int = 0  # characters of the kept rows' `text`
    sources: tuple[tuple[str, str, int, int], ...] = ()  # source, licence, kept documents, their characters
    text_bytes: int = 0  # UTF-8 bytes of what was read: text, or page bodies
    measures: dict[str, float] = Field(default_factory=dict)  # a stage's own figures, summed over shards
    seconds: float = 0.0
    cpu_seconds: float = 0.0

    @property
    def rows_quarantined(self) -> int:
        """Rows with a reason."""
        return sum(self.reasons.values())


class Dataset(Model):
    """数据集句柄: names one version of one stage's output. Crosses task borders instead of frames."""

    stage: str
    version: str  # 16 hex digits
    schema_label: str  # "DOCUMENT@2", or the name of a file layout ("tokenizer", "model")
    rows: int = 0
    quarantined: int = 0
    chars: int = 0

    @property
    def name(self) -> str:
        """`clean/624b4d8bff559148`."""
        return f"{self.stage}/{self.version}"


class Manifest(Model):
    """清单: everything there is to know about a dataset but its bytes."""

    stage: str
    version: str
    schema_label: str
    parents: list[str]  # names of datasets, in the order the stage took them
    config: dict[str, Any]
    code: str  # fingerprint of the stage's code
    libraries: dict[str, str]  # versions that are part of the key
    shards: list[Shard]
    measures: dict[str, Any] = Field(default_factory=dict)  # facts of the whole dataset
    created_at: str = ""  # RFC 3339, UTC
    seconds: float = 0.0  # wall time of the stage
    cpu_seconds: float = 0.0  # of all its jobs, those of intermediate steps too, whenever they ran

    def total(self, field: str) -> int:
        """Sum of a counter over the shards."""
        return int(sum(getattr(s, field) for s in self.shards))

    @property
    def reasons(self) -> dict[str, int]:
        """Quarantined rows by reason, most first."""
        counts: dict[str, int] = {}
        for shard in self.shards:
            for reason, n in shard.reasons.items():
                counts[reason] = counts.get(reason, 0) + n
        return dict(sorted(counts.items(), key=lambda kv: (-kv[1], kv[0])))

    @property
    def handle(self) -> Dataset:
        """The small object that stages pass on."""
        return Dataset(
            stage=self.stage,
            version=self.version,
            schema_label=self.schema_label,
            rows=self.total("rows_kept"),
            quarantined=self.total("rows_quarantined"),
            chars=self.total("chars"),
        )
