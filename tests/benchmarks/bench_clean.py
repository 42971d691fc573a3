"""Keep rates by source and profile, rejection of planted noise and spam, and speed of clean beside floors and peers.

    ZILIU_SHARED_DATA=FOLDER python -m pytest -m bench tests/benchmarks/bench_clean.py -s

Each Parquet file of ZILIU_SHARED_DATA/pretrain is a source (`clean_program.PROFILE_OF` says its profile).
ZILIU_PEER_DATATROVE and ZILIU_PEER_DATA_JUICER name the python of an environment that has that peer; without them it is
left out. All run in one go, on texts of the same sample, with one thread each.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.benchmarks.measured import write

pytestmark = [pytest.mark.bench, pytest.mark.timeout(3600)]
HERE = Path(__file__).parent
PEERS = ("datatrove", "data_juicer")


def run(command: list[str]) -> Any:
    environment = {**os.environ, "POLARS_MAX_THREADS": "1", "OMP_NUM_THREADS": "1", "PYTHONPATH": str(HERE.parents[1])}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)


def beside(sample: Path) -> dict[str, Any]:
    """What each peer that is installed makes of the sample."""
    program = str(HERE / "peers" / "quality_filters.py")
    pythons = {peer: os.environ.get(f"ZILIU_PEER_{peer.upper()}") for peer in PEERS}
    return {peer: run([python, program, peer, str(sample)]) for peer, python in pythons.items() if python}


def test_keep_rates_noise_and_speed(shared_data: Path, tmp_path: Path) -> None:
    sample = tmp_path / "sample.jsonl"
    result = run([sys.executable, str(HERE / "clean_program.py"), str(shared_data), str(sample)])
    result["peers"] = beside(sample)
    for name, rates in result["keep"].items():
        print(f"{name:18s} {rates['profile']:9s} kept {rates['kept']:.4f} of {rates['rows']:6d}  {rates['reasons']}")
    for name, rates in result["noise"].items():
        weak = {kind: share for kind, share in rates["by_kind"].items() if share < 0.9}
        print(f"noise under {name:9s} rejected {rates['rejected']:.4f}  below .9: {weak}")
    for name, rates in result["spam"].items():
        print(f"{name:14s} kept {rates['kept']:.4f} of {rates['rows']:6d}  {rates['reasons']}")
    for what, rate in result["mb_per_cpu_second"].items():
        print(f"{what:44s} {rate:8.1f} MB per CPU-second")
    for peer, found in result["peers"].items():
        for what, rates in found["filters"].items():
            print(f"{peer:12s} {what:32s} {rates}")
    write("clean", result, tmp_path)
    assert all(rates["rows"] for rates in result["keep"].values())
    assert all(0 <= rates["kept"] <= 1 for rates in result["keep"].values())
