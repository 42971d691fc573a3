"""Keep rates by source, and MB of UTF-8 per CPU-second of clean and redact beside two floors in the same run.

    ZILIU_SHARED_DATA=FOLDER python -m pytest -m bench tests/benchmarks/bench_clean.py -s

Each Parquet file of FOLDER/pretrain is a source with columns `id` and `text`. A process of its own with one polars
thread: the number of threads is fixed when polars is imported.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.benchmarks.measured import write

pytestmark = pytest.mark.bench

PROGRAM = '''
import json, os, sys, time
import polars as pl
from data_contracts.stages import CleanConfig, RedactConfig
from tasks import clean, redact

ROUNDS, MEGABYTES = 3, 12


def fastest(work, size):
    """MB per CPU-second of the best of some rounds: other load only ever slows a round down."""
    best = float("inf")
    for _ in range(ROUNDS):
        start = time.process_time()
        result = work()
        best = min(best, time.process_time() - start)
    return result, size / best


def megabytes(frame):
    return frame["text"].str.len_bytes().sum() / 1e6


def source(path):
    frame = pl.read_parquet(path, columns=["id", "text"]).rename({"id": "doc_id"})
    return frame.sample(fraction=min(1.0, MEGABYTES / max(megabytes(frame), 1e-9)), seed=7, shuffle=True)


folder, cfg = sys.argv[1], CleanConfig()
sources = {name[:-8]: source(os.path.join(folder, name)) for name in sorted(os.listdir(folder)) if name.endswith(".parquet")}
kept = {}
for name, frame in sources.items():
    marked = clean.mark(frame.lazy(), cfg).collect()
    long = marked.filter(pl.col("chars") >= cfg.min_chars)
    kept[name] = {
        "rows": marked.height, "kept": marked["reason"].is_null().mean(), "rows_long": long.height,
        "kept_long": long["reason"].is_null().mean() if long.height else None,
        "reasons": dict(sorted(marked.drop_nulls("reason")["reason"].value_counts().iter_rows())),
    }
mixed = pl.concat([frame.sample(fraction=min(1.0, 1.0 / max(megabytes(frame), 1e-9)), seed=3) for frame in sources.values()])
size, speed = megabytes(mixed), {}
_, speed["floor: NFC of every text"] = fastest(lambda: mixed["text"].str.normalize("NFC"), size)
_, speed["floor: count Han by one regex"] = fastest(lambda: mixed["text"].str.count_matches("[\\u4e00-\\u9fff]"), size)
_, speed["clean, whole mark"] = fastest(lambda: clean.mark(mixed.lazy(), cfg).collect(), size)
tidy = mixed.with_columns(text=clean.cleaned(mixed["text"], cfg)[0], title=pl.lit(None, pl.String()))
_, speed["redact, mixed sources"] = fastest(lambda: redact.mark(tidy.lazy(), RedactConfig()).collect(), size)
suspect = redact.pii.candidates(tidy["text"])[0]
plain = tidy.with_row_index("row").filter(~pl.col("row").is_in(suspect.implode()))
_, speed["redact, text that the prefilter ends"] = fastest(lambda: redact.mark(plain.lazy(), RedactConfig()).collect(), megabytes(plain))
numbers = pl.DataFrame({"doc_id": [str(i) for i in range(2000)], "text": [
    "".join(f"第{i}项，编号{i * 7919 % 10**9:09d}，日期2026-{k % 12 + 1:02d}-{k % 28 + 1:02d}，电话{13000000000 + i * 104729 + k * 7}。" for k in range(20))
    for i in range(2000)]})
_, speed["redact, text full of numbers"] = fastest(lambda: redact.mark(numbers.lazy(), RedactConfig()).collect(), megabytes(numbers))
json.dump({"mb": size, "mb_per_cpu_second": speed, "keep": kept}, sys.stdout, ensure_ascii=False)
'''


def test_keep_rates_and_speed(shared_data: Path, tmp_path: Path) -> None:
    corpus = str(shared_data / "pretrain")
    environment = {**os.environ, "POLARS_MAX_THREADS": "1", "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, corpus], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    result = json.loads(done.stdout)
    for name, rates in result["keep"].items():
        long = "-" if rates["kept_long"] is None else f"{rates['kept_long']:.4f}"
        print(
            f"{name:20s} kept {rates['kept']:.4f} of {rates['rows']:6d}, long enough: {long} of {rates['rows_long']:6d}  {rates['reasons']}"
        )
    for what, rate in result["mb_per_cpu_second"].items():
        print(f"{what:40s} {rate:8.1f} MB per CPU-second")
    write("clean", result, tmp_path)
    assert all(rates["kept"] <= 1 for rates in result["keep"].values())
