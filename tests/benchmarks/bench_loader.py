"""Tokens a second of the training loader on one core, alone and as a mixture, beside what others would read the same file with.

CPU seconds of one thread. The peers: torch's own DataLoader with a dataset of single blocks, in the same process, and
StatefulDataLoader of torchdata in a process of its own, where ZILIU_PEER_TORCHDATA names the folder that `pip install
--no-deps --target FOLDER torchdata` has filled. Both give blocks alone; our batches have targets and positions too.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, Dataset

from data_contracts.block_sets import BlockFile
from lightning_modules.block_files import BlockSource
from lightning_modules.token_blocks import TokenBlocks, TrainBatches
from tests.benchmarks.measured import write

BLOCK, ROWS, TOKENS, VOCAB = 512, 16, 40_000_000, 16_384
BATCHES, ROUNDS = 400, 3
BOUND = 50e6  # tokens a second
TORCHDATA = """
import json, sys, time, numpy as np, torch
from torchdata.stateful_dataloader import StatefulDataLoader
torch.set_num_threads(1)
path, block, rows, batches = sys.argv[1], *map(int, sys.argv[2:])
ids = np.memmap(path, np.uint16, "r")
class Blocks(torch.utils.data.Dataset):
    def __len__(self): return (len(ids) - 1) // block
    def __getitem__(self, i): return torch.from_numpy(ids[i * block : i * block + block + 1].astype(np.int64))
loader = iter(StatefulDataLoader(Blocks(), batch_size=rows, shuffle=True))
next(loader)
start = time.process_time()
for _ in range(batches): next(loader)
print(json.dumps(rows * block * batches / (time.process_time() - start)))
"""


@pytest.fixture
def stream(tmp_path: Path) -> BlockFile:
    """A token file of random ids with a separator every 97."""
    ids = np.random.default_rng(0).integers(2, VOCAB, TOKENS + 1).astype("<u2")
    ids[::97] = 0
    ids.tofile(tmp_path / "train.bin")
    return BlockFile(path=str(tmp_path / "train.bin"), sha256="", tokens=len(ids), chars=1)


def ours(stream: BlockFile, **more: Any) -> Iterator[Any]:
    """Batches with targets and positions, as training gets them."""
    data = TokenBlocks(
        train=[stream.model_dump()],
        validation=[],
        test=[],
        data_hash="",
        vocab_size=VOCAB,
        separator_id=0,
        pad_id=1,
        block_tokens=BLOCK,
        blocks_per_device=ROWS,
        blocks_per_step=ROWS,
        seed=1,
        **more,
    )
    return iter(TrainBatches(data, 0, 1))


def gathered(stream: BlockFile) -> Iterator[Any]:
    """The same blocks without targets and positions, as the peers give them."""
    source = BlockSource([stream], BLOCK, VOCAB)
    data = TokenBlocks([stream.model_dump()], [], [], "", VOCAB, 0, 1, BLOCK, ROWS, ROWS, 1)
    order = data.order()
    at = 0
    while True:
        yield torch.from_numpy(source.gather(order.samples(at, ROWS)))
        at += ROWS


class OneByOne(Dataset[torch.Tensor]):
    """Blocks as a map-style dataset."""

    def __init__(self, stream: BlockFile) -> None:
        self.ids = np.memmap(stream.path, np.uint16, "r")

    def __len__(self) -> int:
        return (len(self.ids) - 1) // BLOCK

    def __getitem__(self, i: int) -> torch.Tensor:
        return torch.from_numpy(self.ids[i * BLOCK : i * BLOCK + BLOCK + 1].astype(np.int64))


def speed(batches: Iterator[Any]) -> float:
    """Tokens per CPU second."""
    next(batches)
    start = time.process_time()
    for _ in range(BATCHES):
        next(batches)
    return ROWS * BLOCK * BATCHES / (time.process_time() - start)


def torchdata(stream: BlockFile) -> float | None:
    """Tokens per CPU second of StatefulDataLoader; None where no folder holds it."""
    folder = os.environ.get("ZILIU_PEER_TORCHDATA")
    if not folder:
        return None
    here = {**os.environ, "PYTHONPATH": folder}
    numbers = [str(n) for n in (BLOCK, ROWS, BATCHES)]
    program = [sys.executable, "-W", "ignore", "-c", TORCHDATA, stream.path, *numbers]
    done = subprocess.run(program, capture_output=True, text=True, check=True, env=here)
    return float(json.loads(done.stdout))


@pytest.mark.bench
def test_loader(stream: BlockFile, tmp_path: Path) -> None:
    torch.set_num_threads(1)
    blocks = stream.blocks(BLOCK)
    sets = [{"blocks": blocks // 5, "share": 0.2}, {"blocks": blocks - blocks // 5, "share": 0.8}]
    found: dict[str, list[float]] = {}
    for _ in range(ROUNDS):
        rounds = {
            "loader": speed(ours(stream)),
            "loader_of_a_mixture": speed(ours(stream, sets=sets)),
            "gather_alone": speed(gathered(stream)),
            "torch_dataloader": speed(iter(DataLoader(OneByOne(stream), batch_size=ROWS, shuffle=True))),
            "torchdata_stateful": torchdata(stream),
        }
        for name, value in rounds.items():
            found.setdefault(name, []).extend([] if value is None else [value])
    start = time.process_time()
    late = TokenBlocks([stream.model_dump()], [], [], "", VOCAB, 0, 1, BLOCK, ROWS, ROWS, 1)
    next(iter(TrainBatches(late, 0, 1, step=10**9)))
    figures = {f"{name}_tokens_per_cpu_second": max(values) for name, values in found.items() if values}
    figures |= {"seek_seconds": time.process_time() - start, "block_tokens": BLOCK, "rows": ROWS, "bound": BOUND}
    print(write("loader", figures, tmp_path).read_text(encoding="utf-8"))
    assert figures["loader_tokens_per_cpu_second"] > BOUND
