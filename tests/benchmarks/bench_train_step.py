"""One training step through Lightning with everything that a run records, beside a bare PyTorch loop of the same model.

The bare loop has torch's loss, and a second one ours, which tells what all around it costs. They take turns, step by
step in one process, and a ratio is the median over the turns, so that all meet the same machine. CPU seconds of one thread: other programs count only by what they take of its caches. Both read one token file.
"""

from __future__ import annotations

import itertools
import json
import os
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from data_contracts.block_sets import BlockFiles
from data_contracts.run_file import run_file
from data_contracts.training import PretrainConfig
from tests.benchmarks.measured import write
from tests.lightning_modules.tiny_runs import call, make_tokenizer, texts, token_file

BLOCK, ROWS, STEPS, WARM, VOCAB = 256, 4, 40, 4, 8192
MODEL = {"layers": 4, "heads": 4, "width": 256}
LIGHTNING_WARNINGS = ("ignore:.*LeafSpec.*", "ignore::jsonargparse._deprecated.JsonargparseDeprecationWarning")


def random_blocks(folder: Path) -> BlockFiles:
    ids = np.random.default_rng(0).integers(2, VOCAB, 64 * BLOCK + 1)
    ids[::97] = 0
    return BlockFiles(train=token_file(folder / "train.bin", ids.tolist(), 64 * BLOCK))


def bare_step(blocks: BlockFiles, own_loss: bool) -> Callable[[], None]:
    """A step of the shortest loop that trains the same model on the same data, one more at each call."""
    import torch
    from torch.nn import functional

    from data_contracts.network import NetworkConfig
    from data_contracts.optimizers import OptimizerConfig
    from lightning_modules.architectures import Tokens, built, hugging_face_config
    from lightning_modules.block_files import BlockSource, batch_of
    from lightning_modules.cross_entropy import summed_nats
    from lightning_modules.optimizers import optimizer_of

    network = built(hugging_face_config(NetworkConfig(**MODEL), Tokens(VOCAB, 0, 1, BLOCK)), "causal")
    optimizer = optimizer_of(network, OptimizerConfig())
    assert blocks.train is not None
    source = BlockSource([blocks.train], BLOCK, VOCAB)
    counted = itertools.count()

    def step() -> None:
        rows = next(counted) * ROWS + np.arange(ROWS)
        batch = batch_of(source.gather(rows % len(source)), 0, 1)
        logits = network(input_ids=batch["inputs"], position_ids=batch["positions"], use_cache=False).logits
        logits, targets = logits.float().flatten(0, 1), batch["targets"].flatten()
        loss = (
            summed_nats(logits, targets, 0.0)[1] / len(targets)
            if own_loss
            else functional.cross_entropy(logits, targets)
        )
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()

    return step


def by_turns(folder: Path, blocks: BlockFiles, monkeypatch: pytest.MonkeyPatch) -> dict[str, list[float]]:
    """CPU seconds of steps of `python -m lightning_modules fit`, of bare steps after each, and of waiting for data."""
    from lightning_modules.recovery import Checkpoints
    from lightning_modules.token_blocks import TrainBatches

    make_tokenizer(texts(50)).save(str(folder / "tokenizer.json"))
    cfg = PretrainConfig(
        model=MODEL, duration=f"{STEPS} steps", tokens_per_step=ROWS * BLOCK, blocks_per_device=ROWS, precision="32"
    )
    facts = {"vocab_size": VOCAB, "separator_id": 0, "pad_id": 1, "block_tokens": BLOCK, "lineage": {}}
    run = run_file(cfg, blocks=[blocks], tokenizer_dir=folder, run_dir=folder / "run", **facts)
    (folder / "run").mkdir()
    (folder / "run" / "run.yaml").write_text(yaml.safe_dump(run), encoding="utf-8")
    found: dict[str, list[float]] = {"lightning": [], "bare": [], "bare, our loss": [], "loader": []}
    bare = {"bare": bare_step(blocks, own_loss=False), "bare, our loss": bare_step(blocks, own_loss=True)}
    saves, batches = Checkpoints.on_train_batch_end, TrainBatches.__iter__
    clock = [time.process_time()]

    def timed(self: Any, trainer: Any, *rest: Any) -> None:
        saves(self, trainer, *rest)
        found["lightning"].append(time.process_time() - clock[0])
        for name, step in bare.items():
            start = time.process_time()
            step()
            found[name].append(time.process_time() - start)
        clock[0] = time.process_time()

    def waited(self: Any) -> Iterator[Any]:
        given = batches(self)
        while True:
            start = time.process_time()
            batch = next(given)
            found["loader"].append(time.process_time() - start)
            yield batch

    monkeypatch.setattr(Checkpoints, "on_train_batch_end", timed)
    monkeypatch.setattr(TrainBatches, "__iter__", waited)
    assert call("fit", "--config", str(folder / "run" / "run.yaml")).code == 0
    return {name: seconds[WARM:STEPS] for name, seconds in found.items()}  # without the first, and the loader's last


@pytest.mark.bench
@pytest.mark.timeout(1800)
@pytest.mark.filterwarnings(*LIGHTNING_WARNINGS)
def test_train_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = by_turns(tmp_path, random_blocks(tmp_path), monkeypatch)
    middle = {name: statistics.median(found) for name, found in seconds.items()}
    ratios, around = (
        [a / b for a, b in zip(seconds["lightning"], seconds[name], strict=True)] for name in ("bare", "bare, our loss")
    )
    figures = {
        "model": MODEL,
        "tokens_per_step": ROWS * BLOCK,
        "steps": len(ratios),
        "cpu_seconds_per_step": middle,
        "ratio": statistics.median(ratios),
        "ratio_quartiles": statistics.quantiles(ratios, n=4),
        "ratio_with_our_loss": statistics.median(around),
        "loader_share": middle["loader"] / middle["lightning"],
        "tokens_per_cpu_second": ROWS * BLOCK / middle["lightning"],
        "load_average": os.getloadavg()[0],
    }
    written = write("train_step", figures, tmp_path).read_text(encoding="utf-8")
    assert json.loads(written)["tokens_per_step"] == ROWS * BLOCK
    print(written)
