"""预热 warming: what a worker loads while it has no job: the libraries, tables and compiled loops of stages to come.

A worker loads 2 CPU seconds of them, some at its first job of each stage. Reading a source is one job a file: the other
workers wait then, and load instead. Each stage marks a few lines of text, by which all that it needs is in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import polars as pl

from data_contracts.dataset import document_id
from data_contracts.schemas import DOCUMENT, filled

# Every script and kind of line that a stage has a table or loop of its own for; numbers and names are invented.
_TEXTS = (
    "春天来了，公园里的花都开了。孩子们在草地上奔跑，老人们坐在长椅上聊天，远处传来一阵阵笑声。\n1. 第一，天气很好；\n"
    "電腦與網絡的發展，讓資訊傳播得更快。請聯繫 lihua@example.org，電話 13800138000，QQ：10001000。",
    "北京市海淀区中关村大街1号，车牌京A12345，地址 http://192.0.2.1/a?token=0123456789abcdef，坐标 39.9042,116.4074\n"
    "&nbsp;全角ＡＢＣ１２３，。。。\u3000\u200b重复重复重复重复重复重复重复重复重复重复。Some English words, too…",
)
# Where workers wait -> the stages that follow.
AHEAD: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(("ingest_visits", "ingest_archives", "ingest_files"), ("clean", "redact", "dedup", "segment")),
    "vocab": ("encode",),
}
_warm: set[str] = set()  # of this process


def warm(stages: Sequence[str]) -> None:
    """Load what these stages need, as far as this process has not."""
    for name in stages:
        if name not in _warm:
            _warm.add(name)
            _FIRST[name]()


def _documents() -> pl.DataFrame:
    ids = [document_id("warming", str(number)) for number in range(len(_TEXTS))]
    frame = pl.DataFrame({"doc_id": ids, "url": [f"file:{i}" for i in ids], "source": "warming", "text": _TEXTS})
    return filled(frame, DOCUMENT).select(pl.col(name).cast(kind) for name, kind in DOCUMENT.columns.items())


def _clean() -> None:
    from data_contracts.stages import CleanConfig
    from tasks import clean

    clean.mark(_documents().lazy(), CleanConfig()).collect()


def _redact() -> None:
    from data_contracts.stages import RedactConfig
    from tasks import redact

    redact.mark(_documents().lazy(), RedactConfig()).collect()


def _dedup() -> None:
    from data_contracts.stages import DedupConfig
    from tasks import dedup
    from tasks.transforms.signatures import sign

    assert dedup.dedup.name  # what the later steps of it import
    sign(_documents(), DedupConfig())


def _segment() -> None:
    from tasks.segment import word_lengths
    from tasks.transforms.word_counts import counts
    from tasks.transforms.words import words

    word_lengths(cut := words(_TEXTS))
    counts(_TEXTS, cut)


def _encode() -> None:
    from tasks import encode
    from tasks.transforms import bpe

    assert encode.encode.name  # what packing imports
    bpe.opened(bpe.train(_TEXTS, size=300, min_frequency=2)).encoder.encode(_TEXTS)


_FIRST: Mapping[str, Callable[[], None]] = {
    "clean": _clean,
    "redact": _redact,
    "dedup": _dedup,
    "segment": _segment,
    "encode": _encode,
}
