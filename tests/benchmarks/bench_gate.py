"""How long the gate takes on N documents of about 1.2 KB. Writes JSON; nothing is asserted about time.

ZILIU_BENCH_OUT=FOLDER pytest -m bench tests/benchmarks/bench_gate.py
"""

from __future__ import annotations

import os

import polars as pl
import pytest

from data_contracts.contract import load
from data_contracts.judge import judge
from data_contracts.schemas import SEGMENTED
from tasks.transforms.domain_checks import CHECKS
from tests.benchmarks.measured import cpu_seconds, write

pytestmark = pytest.mark.bench
ROWS = int(os.environ.get("ZILIU_BENCH_ROWS", "200000"))
SHARDS = 8
TEXT = "今天天气很好，我们一起去公园散步，看见了许多盛开的花。" * 14


def shard_of(number: int) -> pl.DataFrame:
    rows = pl.int_range(number * ROWS // SHARDS, (number + 1) * ROWS // SHARDS, eager=True)
    text = pl.format("{}{}", pl.lit(TEXT), pl.col("i"))
    return pl.DataFrame({"i": rows}).select(
        doc_id=pl.format("0000{}", (pl.col("i") + 10**11).cast(pl.String)),
        url=pl.format("https://example.cn/{}", pl.col("i")),
        source=pl.when(pl.col("i") % 3 == 0).then(pl.lit("a")).otherwise(pl.lit("b")),
        licence=pl.lit("CC0-1.0"),
        title=pl.lit(None, pl.String),
        date=pl.lit("2024-01-01"),
        text=text,
        **{name: pl.lit(None, pl.Float64) for name in ("quality", "bits_per_char", "toxicity", "spam")},
        word_chars=pl.concat_list(text.str.len_chars().cast(pl.UInt32)),
    )


def test_seconds_of_the_gate(tmp_path):
    for number in range(SHARDS):
        shard = shard_of(number)
        assert dict(shard.schema) == SEGMENTED.columns
        shard.write_parquet(tmp_path / f"{number}.parquet", compression="zstd", compression_level=3)
    contract, spent = load("corpus", CHECKS), {}
    with cpu_seconds(spent, "judge"):
        verdict = judge(pl.scan_parquet(tmp_path / "*.parquet"), contract, "bench", {"clean.quarantined_ratio": 0.1})
    assert verdict.passed
    assert verdict.rows == ROWS
    figures = {
        "rows": verdict.rows,
        "rules": len(verdict.results),
        "polars_seconds": round(verdict.polars_seconds, 2),
        "expectations_seconds": round(verdict.expectations_seconds, 2),
        "cpu_seconds": round(spent["judge"], 2),
    }
    print(figures, write("gate", figures, tmp_path))
