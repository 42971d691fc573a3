"""What the tests of training share: a tiny corpus, run files over it, and the program called in this process."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
import yaml
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from data_contracts.block_sets import BlockFile, BlockFiles
from data_contracts.run_file import run_file
from data_contracts.training import PretrainConfig

BLOCK = 32
WORDS = [
    "春",
    "眠",
    "不",
    "觉",
    "晓",
    "处",
    "闻",
    "啼",
    "鸟",
    "夜",
    "来",
    "风",
    "雨",
    "声",
    "花",
    "落",
    "知",
    "多",
    "少",
    "今天",
    "天气",
    "很好",
    "第一条",
    "为了",
    "保护",
    "公民",
]


class Corpus(NamedTuple):
    folder: Path  # tokenizer.json lies here
    shards: list[BlockFiles]
    documents: list[dict[str, list[str]]]  # texts by shard and split
    vocab_size: int


def texts(count: int) -> list[str]:
    draw = np.random.default_rng(0)
    return ["".join(draw.choice(WORDS, draw.integers(4, 40))) + "。" for _ in range(count)]


def stream(documents: list[list[int]], block: int = BLOCK) -> list[int]:
    ids = [i for document in documents for i in (0, *document)] + [0]
    blocks = -(-(len(ids) - 1) // block)
    return ids + [1] * (blocks * block + 1 - len(ids))


def token_file(path: Path, ids: list[int], chars: int) -> BlockFile:
    np.array(ids, dtype="<u2").tofile(path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    begins = [i < 2 or i % 3 > 0 for i in ids]  # invented words of some tokens each
    words = path.with_suffix(".words")
    np.packbits(begins, bitorder="little").tofile(words)
    return BlockFile(path=str(path), sha256=digest, tokens=len(ids), chars=chars, words=str(words))


def make_tokenizer(documents: list[str]) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=330,
        special_tokens=["<|endoftext|>", "<|pad|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(documents, trainer)
    return tokenizer


def settings(
    corpus: Corpus, folder: Path, _mixed_in: Any = (), _held_out: Any = None, **changes: Any
) -> dict[str, Any]:
    """A run file as a dict, for a tiny model with dropout: 12 steps, checkpoints every 4, validation every 6."""
    values: dict[str, Any] = {
        "model": {"layers": 2, "heads": 2, "width": 32, "dropout": 0.1},
        "optimizer": {"learning_rate": 3e-3},
        "duration": "12 steps",
        "tokens_per_step": 8 * BLOCK,
        "blocks_per_device": 4,
        "steps_between_checkpoints": 4,
        "steps_between_validations": 6,
        "precision": "32",
        "prompts": ("春",),
    }
    return run_file(
        PretrainConfig(**{**values, **changes}),
        blocks=corpus.shards,
        tokenizer_dir=corpus.folder,
        vocab_size=corpus.vocab_size,
        separator_id=0,
        pad_id=1,
        block_tokens=BLOCK,
        lineage={"corpus": "clean/0123456789abcdef", "sources": [{"name": "poems", "licence": "CC0-1.0"}]},
        run_dir=folder,
        mixed_in=_mixed_in,
        held_out=_held_out,
    )


def write_run(corpus: Corpus, folder: Path, **changes: Any) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "run.yaml"
    path.write_text(yaml.safe_dump(settings(corpus, folder, **changes), allow_unicode=True), encoding="utf-8")
    return path


def run_of(folder: Path) -> dict[str, Any]:
    """The run file of a run, as a dict."""
    found: dict[str, Any] = yaml.safe_load((folder / "run.yaml").read_text(encoding="utf-8"))
    return found


class Ended(NamedTuple):
    code: int
    events: list[dict[str, Any]]

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [e for e in self.events if e["event"] == kind]


def events_in(output: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in output.splitlines() if line.startswith("{")]


def call(*arguments: str) -> Ended:
    """Run the program in this process; signal handlers and argv are put back."""
    from lightning_modules.__main__ import main
    from lightning_modules.signals import STOP

    threads = os.environ.get("OMP_NUM_THREADS")
    os.environ["OMP_NUM_THREADS"] = "1"  # two threads on a busy machine wait for each other at every tiny product
    torch.set_num_threads(1)
    handlers = {n: signal.getsignal(n) for n in (signal.SIGTERM, signal.SIGINT)}
    argv = list(sys.argv)
    output = io.StringIO()
    try:
        with contextlib.redirect_stdout(output):
            code = main(list(arguments))
    finally:
        sys.argv[:] = argv
        for number, handler in handlers.items():
            signal.signal(number, handler)
        STOP.received = STOP.agreed = 0
        os.environ.pop("OMP_NUM_THREADS")
        if threads is not None:
            os.environ["OMP_NUM_THREADS"] = threads
    return Ended(code, events_in(output.getvalue()))


class Trained(NamedTuple):
    folder: Path
    events: list[dict[str, Any]]
