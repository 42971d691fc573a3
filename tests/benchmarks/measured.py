"""What the benchmarks of the data stages share: real text, CPU seconds, and one JSON file each.

Unit: MB of UTF-8 input per CPU second (user and system, this process and its children), which holds on a loaded machine
where wall time does not.
"""

from __future__ import annotations

import json
import os
import platform
import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import polars as pl

from tests.given_documents import documents

SOURCES = ("cosx", "javaguide", "laws_cn", "lctt", "news", "novels", "poetry", "prose", "subtitles", "wiki_paragraphs")


def real_documents(shared_data: Path, megabytes: float) -> pl.DataFrame:
    """DOCUMENT rows of real text from ten sources, in equal shares of bytes."""
    parts = []
    for name in SOURCES:
        texts = pl.read_parquet(shared_data / "pretrain" / f"{name}.parquet", columns=["text"])["text"]
        ends = texts.str.len_bytes().cum_sum()
        parts.append(documents(texts.filter(ends <= megabytes * 1e6 / len(SOURCES)).to_list(), source=name))
    return pl.concat(parts).sort("doc_id")


def megabytes(texts: pl.Series) -> float:
    """Size of texts in MB of UTF-8."""
    return float(texts.str.len_bytes().sum()) / 1e6


@contextmanager
def cpu_seconds(into: dict[str, float], name: str) -> Iterator[None]:
    """Add the CPU seconds of a block to `into[name]`."""
    before = os.times()
    yield
    after = os.times()
    into[name] = into.get(name, 0.0) + sum(b - a for a, b in zip(before[:4], after[:4], strict=True))


def write(name: str, figures: dict[str, Any], tmp_path: Path) -> Path:
    """Write figures with their machine and date to ZILIU_BENCH_OUT/NAME.json (a folder), else under tmp_path."""
    folder = Path(os.environ.get("ZILIU_BENCH_OUT") or tmp_path)
    folder.mkdir(parents=True, exist_ok=True)
    machine = {"python": platform.python_version(), "processor": platform.machine(), "cores": os.cpu_count()}
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    figures = figures | {"peak_rss_gb": round(peak, 3), "machine": machine, "date": time.strftime("%Y-%m-%d")}
    path = folder / f"{name}.json"
    path.write_text(json.dumps(figures, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    return path
