"""One training step through Lightning with everything that a run records, beside a bare PyTorch loop of the same model.

CPU seconds of one thread, so that other programs on the machine do not count. Both read the same token file.
"""

from __future__ import annotations

import json
import time
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

BLOCK, ROWS, STEPS, WARM, VOCAB = 256, 4, 16, 3, 8192
MODEL = {"layers": 4, "heads": 4, "width": 256}
LIGHTNING_WARNINGS = ("ignore:.*LeafSpec.*", "ignore::jsonargparse._deprecated.JsonargparseDeprecationWarning")


def random_blocks(folder: Path) -> BlockFiles:
    ids = np.random.default_rng(0).integers(2, VOCAB, 64 * BLOCK + 1)
    ids[::97] = 0
    return BlockFiles(train=token_file(folder / "train.bin", ids.tolist(), 64 * BLOCK))


def through_lightning(folder: Path, blocks: BlockFiles, monkeypatch: pytest.MonkeyPatch) -> float:
    """CPU seconds of a step of `python -m lightning_modules fit`, start and end left out."""
    from lightning_modules.recovery import Checkpoints

    make_tokenizer(texts(50)).save(str(folder / "tokenizer.json"))
    cfg = PretrainConfig(
        model=MODEL, duration=f"{STEPS} steps", tokens_per_step=ROWS * BLOCK, blocks_per_device=ROWS, precision="32"
    )
    facts = {"vocab_size": VOCAB, "separator_id": 0, "pad_id": 1, "block_tokens": BLOCK, "lineage": {}}
    run = run_file(cfg, blocks=[blocks], tokenizer_dir=folder, run_dir=folder / "run", **facts)
    (folder / "run").mkdir()
    (folder / "run" / "run.yaml").write_text(yaml.safe_dump(run), encoding="utf-8")
    clock: dict[int, float] = {}
    saves = Checkpoints.on_train_batch_end

    def timed(self: Any, trainer: Any, *rest: Any) -> None:
        clock[trainer.global_step] = time.process_time()
        saves(self, trainer, *rest)

    monkeypatch.setattr(Checkpoints, "on_train_batch_end", timed)
    assert call("fit", "--config", str(folder / "run" / "run.yaml")).code == 0
    return (clock[STEPS] - clock[WARM]) / (STEPS - WARM)


def bare_loop(blocks: BlockFiles) -> float:
    """CPU seconds of a step of the shortest loop that trains the same model on the same data."""
    import torch
    from torch.nn import functional

    from data_contracts.network import NetworkConfig
    from data_contracts.optimizers import OptimizerConfig
    from lightning_modules.architectures import Tokens, built, hugging_face_config
    from lightning_modules.block_files import BlockSource, batch_of
    from lightning_modules.optimizers import optimizer_of

    torch.set_num_threads(1)
    network = built(hugging_face_config(NetworkConfig(**MODEL), Tokens(VOCAB, 0, 1, BLOCK)), "causal")
    optimizer = optimizer_of(network, OptimizerConfig())
    assert blocks.train is not None
    source = BlockSource([blocks.train], BLOCK, VOCAB)
    start = 0.0
    for step in range(STEPS):
        if step == WARM:
            start = time.process_time()
        batch = batch_of(source.gather(np.arange(step * ROWS, (step + 1) * ROWS) % len(source)), 0, 1)
        logits = network(input_ids=batch["inputs"], position_ids=batch["positions"], use_cache=False).logits
        functional.cross_entropy(logits.float().flatten(0, 1), batch["targets"].flatten()).backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
    return (time.process_time() - start) / (STEPS - WARM)


@pytest.mark.bench
@pytest.mark.filterwarnings(*LIGHTNING_WARNINGS)
def test_train_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blocks = random_blocks(tmp_path)
    with monkeypatch.context() as patch:
        lightning = through_lightning(tmp_path, blocks, patch)
    bare = bare_loop(blocks)
    figures = {
        "model": MODEL,
        "tokens_per_step": ROWS * BLOCK,
        "lightning_cpu_seconds_per_step": lightning,
        "bare_cpu_seconds_per_step": bare,
        "ratio": lightning / bare,
        "tokens_per_cpu_second": ROWS * BLOCK / lightning,
    }
    written = write("train_step", figures, tmp_path).read_text(encoding="utf-8")
    assert json.loads(written)["tokens_per_step"] == ROWS * BLOCK
    print(written)
