"""Tokens a CPU second of our training step beside litgpt's and nanoGPT's, eager and compiled, by turns in one run.

    ZILIU_PEER_LITGPT=PYTHON ZILIU_PEER_NANOGPT_MODEL=model.py python -m pytest -m bench tests/benchmarks/bench_train_peers.py -s

Each kind is a program of its own (peers/train_step.py), in its own environment (litgpt 0.5.9 with our version of torch),
that works only when asked; ZILIU_BENCH_ROUNDS times all do some steps, one after the other, and a square product is timed
between them: the peak. nanoGPT is no package, so the path of its model.py is given. Without its variable a peer is left out.
ZILIU_BENCH_COMPILED=0 leaves the compiled ones out; ZILIU_BENCH_THREADS are used by each, one unless it says otherwise: a CPU
second of one thread means the same on a busy machine, where threads that wait for each other do not.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from data_contracts.network import NetworkConfig, flops_per_token
from tests.benchmarks.measured import write

SHAPE = {"layers": 6, "heads": 6, "width": 384}
SPEC = {**SHAPE, "feed_forward": 1024, "vocab_size": 8192, "block_tokens": 256, "rows": 4, "separator_every": 300}
STEPS = 2  # a turn, about 2 s: short enough that all kinds of a round meet the same machine
PROGRAM = Path(__file__).parent / "peers" / "train_step.py"
ROOT = Path(__file__).resolve().parents[2]


class Stepper:
    """A program that trains when it is told to."""

    def __init__(self, kind: str, python: str, spec: dict[str, Any], folder: Path) -> None:
        self.kind, self.log = kind, (folder / f"{kind}.log").open("w", encoding="utf-8")
        self.process = subprocess.Popen(
            [python, str(PROGRAM), kind, json.dumps(spec)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.log,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT) if kind.startswith("ziliu") else ""},
        )
        self.facts = self._answer()

    def cpu_seconds(self, steps: int) -> float:
        """Of so many steps."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{steps}\n")
        self.process.stdin.flush()
        return float(self._answer()["cpu_seconds"])

    def _answer(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.kind} ended: {Path(self.log.name).read_text(encoding='utf-8')[-2000:]}")
        told: dict[str, Any] = json.loads(line)
        return told

    def end(self) -> None:
        """No more steps."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(60)
        assert self.process.stdout is not None
        self.process.stdout.close()
        self.log.close()


def kinds() -> dict[str, str]:
    """Every kind that can be had here, and its python."""
    found = {"ziliu": sys.executable}
    if "ZILIU_PEER_LITGPT" in os.environ:
        found["litgpt"] = os.environ["ZILIU_PEER_LITGPT"]
    if "ZILIU_PEER_NANOGPT_MODEL" in os.environ:
        found["nanogpt"] = sys.executable
    compiled = os.environ.get("ZILIU_BENCH_COMPILED", "1") == "1"
    return found | ({f"{kind}+compile": python for kind, python in found.items()} if compiled else {})


def peak_flops_per_cpu_second(products: int = 12, side: int = 1024) -> float:
    """The best of some timed square products."""
    import torch

    factor, best = torch.ones(side, side), 0.0
    for _ in range(products):
        start = time.process_time()
        torch.mm(factor, factor)
        best = max(best, 2.0 * side**3 / (time.process_time() - start))
    return best


@pytest.mark.bench
@pytest.mark.timeout(3600)
def test_train_peers(tmp_path: Path) -> None:
    import torch

    threads = int(os.environ.get("ZILIU_BENCH_THREADS", "1"))
    torch.set_num_threads(threads)
    steppers = [Stepper(kind, python, {**SPEC, "threads": threads}, tmp_path) for kind, python in kinds().items()]
    tokens = SPEC["rows"] * SPEC["block_tokens"] * STEPS
    speeds: dict[str, list[float]] = {s.kind: [] for s in steppers}
    peaks = []
    for _ in range(int(os.environ.get("ZILIU_BENCH_ROUNDS", "7"))):
        for stepper in steppers:
            peaks.append(peak_flops_per_cpu_second())
            speeds[stepper.kind].append(tokens / stepper.cpu_seconds(STEPS))
    for stepper in steppers:
        stepper.end()
    middle = {kind: statistics.median(found) for kind, found in speeds.items()}
    flops = flops_per_token(NetworkConfig(**SHAPE, ffn_width=1024), SPEC["vocab_size"], SPEC["block_tokens"])
    peak = statistics.median(peaks)
    figures = {
        "model": SPEC,
        "threads": threads,
        "load_average": os.getloadavg()[0],
        "facts": {s.kind: s.facts for s in steppers},
        "tokens_per_cpu_second": middle,
        "tokens_per_cpu_second_of_rounds": speeds,
        "peak_gflops_per_cpu_second": peak / 1e9,
        "peak_share": {kind: speed * flops / peak for kind, speed in middle.items() if kind.startswith("ziliu")},
        "ratio": {
            kind: statistics.median(a / b for a, b in zip(speeds[ours], speeds[kind], strict=True))
            for kind in middle
            if kind != (ours := "ziliu+compile" if kind.endswith("+compile") else "ziliu")
        },
    }
    written = write("train_peers", figures, tmp_path).read_text(encoding="utf-8")
    assert all(speed > 0 for speed in json.loads(written)["tokens_per_cpu_second"].values())
    print(written)
