"""Redaction: MB of UTF-8 per CPU-second on ordinary text and on text full of numbers, precision and recall, peers beside it.

    ZILIU_SHARED_DATA=FOLDER ZILIU_PEER_DATATROVE=PYTHON ZILIU_PEER_DATA_JUICER=PYTHON \\
        python -m pytest -m bench tests/benchmarks/bench_redact.py -s

Ordinary text is FOLDER/pretrain as it is. A peer (e-mail and IP addresses are all that it knows) reads a sample of the same
texts with the python of its own environment; without one it is left out. A process of its own with one polars thread.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from tests.benchmarks.measured import megabytes, write
from tests.labelled_pii import cases, score
from tests.transforms.test_pii_cases import found

pytestmark = pytest.mark.bench
PEERS = ("datatrove", "data_juicer")
PEER_MEGABYTES = 2.0
SETS = ("pii_first", "pii_second", "pii_third")

PROGRAM = """
import json, sys, time
import polars as pl
from data_contracts.stages import RedactConfig
from tasks import redact
from tasks.transforms import pii

def fastest(work, text, rounds=3):
    best = float("inf")
    for _ in range(rounds):
        start = time.process_time()
        result = work()
        best = min(best, time.process_time() - start)
    return result, text.str.len_bytes().sum() / 1e6 / best

speed, pieces = {}, {}
for name, path in json.loads(sys.argv[1]).items():
    frame = pl.read_parquet(path)
    out, speed[name] = fastest(lambda: redact.mark(frame.lazy(), RedactConfig()).collect(), frame["text"])
    pieces[name] = {c.removeprefix("count_"): int(out[c].sum()) for c in out.columns if c.startswith("count_")}
    _, speed[f"{name}: found, not replaced"] = fastest(lambda: list(pii.found_in(frame["text"])), frame["text"])
json.dump({"mb_per_cpu_second": speed, "pieces": pieces}, sys.stdout)
"""


def telephone_lists(rows: int = 3000) -> pl.Series:
    """A number of nobody's, a date and a telephone number in every sentence: nearly every number is looked at."""
    return pl.Series(
        [
            "".join(
                f"第{i}项，编号{i * 7919 % 10**9:09d}，日期2026-{k % 12 + 1:02d}-{k % 28 + 1:02d}，"
                f"电话{13000000000 + i * 104729 + k * 7}。"
                for k in range(20)
            )
            for i in range(rows)
        ]
    )


def tables(rows: int = 3000) -> pl.Series:
    """Decimals, counts, order numbers and times, as in logs and results: no number is anybody's."""
    return pl.Series(
        [
            "\n".join(
                f"{k} {i * 0.7131 + k:.4f} {(i * 37 + k) % 9973 / 7:.5f} {i * 7919 % 10**7:07d} 订单{i * 104729 + 10**15 + k} "
                f"2026-{k % 12 + 1:02d}-{k % 28 + 1:02d} {k:02d}:{i % 60:02d}:07"
                for k in range(20)
            )
            for i in range(rows)
        ]
    )


def sources(shared_data: Path, folder: Path) -> dict[str, str]:
    """Frames of one column `text`, as files."""
    paths = sorted((shared_data / "pretrain").glob("*.parquet"))
    ordinary = pl.concat([pl.read_parquet(path, columns=["text"])["text"] for path in paths])
    texts = {"ordinary text": ordinary, "telephone lists": telephone_lists(), "tables of numbers": tables()}
    for name, text in texts.items():
        pl.DataFrame({"text": text}).write_parquet(folder / f"{name}.parquet")
    return {name: str(folder / f"{name}.parquet") for name in texts}


def peer(name: str, path: str, folder: Path) -> float | str:
    """MB per CPU-second of a peer on a sample, or why there is none."""
    python = os.environ.get(f"ZILIU_PEER_{name.upper()}")
    if not python:
        return f"left out: ZILIU_PEER_{name.upper()} names no python"
    text = pl.read_parquet(path)["text"].sample(fraction=1.0, shuffle=True, seed=5)
    sample = folder / "sample.parquet"
    pl.DataFrame({"text": text.filter(text.str.len_bytes().cum_sum() <= PEER_MEGABYTES * 1e6)}).write_parquet(sample)
    program = Path(__file__).with_name("peers") / "personal_data.py"
    done = subprocess.run([python, str(program), name, str(sample)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return float(json.loads(done.stdout.splitlines()[-1])["mb_per_cpu_second"])


def test_speed_and_recall(shared_data: Path, tmp_path: Path) -> None:
    paths = sources(shared_data, tmp_path)
    environment = {**os.environ, "POLARS_MAX_THREADS": "1", "PYTHONPATH": str(Path(__file__).parents[2])}
    command = [sys.executable, "-c", PROGRAM, json.dumps(paths)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    result: dict[str, Any] = json.loads(done.stdout)
    result["megabytes"] = {name: megabytes(pl.read_parquet(path)["text"]) for name, path in paths.items()}
    result["peers"] = {p: {name: peer(p, path, tmp_path) for name, path in paths.items()} for p in PEERS}
    result["labelled"] = {}
    for name in SETS:
        scored = score(some := cases(name), found)
        result["labelled"][name] = {"texts": len(some), "precision": scored.precision, "recall": scored.recall}
    for what, rate in result["mb_per_cpu_second"].items():
        print(f"{what:45s} {rate:8.1f} MB per CPU-second")
    print(json.dumps(result["peers"], indent=1), json.dumps(result["labelled"], indent=1), sep="\n")
    write("redact", result, tmp_path)
    assert result["pieces"]["telephone lists"]["mobile"] == 20 * 3000 - made_up(telephone_lists())
    assert sum(result["pieces"]["tables of numbers"].values()) == 0


def made_up(texts: pl.Series) -> int:
    """Telephone numbers of the lists that nobody owns, as redact says: counted, digits up, or one digit eight times."""
    same = "|".join(f"{digit}{{8}}" for digit in range(10))
    return int(texts.str.count_matches(f"电话(?:[0-9]{{3}}12345678|[0-9]{{0,3}}(?:{same}))").sum())
