"""A tiny corpus in token files, run files over it, and one trained run that many tests look at."""

from __future__ import annotations

import hashlib
import json
import signal
import sys
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import yaml
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from data_contracts.run_file import SPLITS, BlockFile, BlockFiles, run_file
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
# Lightning 2.6.6 asks isinstance(..., LeafSpec), which torch 2.13 marks as deprecated.
THIRD_PARTY = ("ignore:.*LeafSpec.*", "ignore:.*torch.jit.*:DeprecationWarning")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            for text in THIRD_PARTY:
                item.add_marker(pytest.mark.filterwarnings(text))


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
    return BlockFile(path=str(path), sha256=digest, tokens=len(ids), chars=chars)


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


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    folder = tmp_path_factory.mktemp("corpus")
    written = texts(160)
    tokenizer = make_tokenizer(written)
    tokenizer.save(str(folder / "tokenizer.json"))
    shards, documents = [], []
    for number, part in enumerate((written[:70], written[70:])):
        parts = {"train": part[:-20], "validation": part[-20:-10], "test": part[-10:]}
        files = {}
        for split in SPLITS:
            ids = stream([tokenizer.encode(text).ids for text in parts[split]])
            files[split] = token_file(folder / f"{number}-{split}.bin", ids, sum(map(len, parts[split])))
        shards.append(BlockFiles(**files))
        documents.append(parts)
    return Corpus(folder, shards, documents, tokenizer.get_vocab_size())


def settings(corpus: Corpus, folder: Path, **changes: Any) -> dict[str, Any]:
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
    )


def write_run(corpus: Corpus, folder: Path, **changes: Any) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "run.yaml"
    path.write_text(yaml.safe_dump(settings(corpus, folder, **changes), allow_unicode=True), encoding="utf-8")
    return path


class Ended(NamedTuple):
    code: int
    events: list[dict[str, Any]]

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [e for e in self.events if e["event"] == kind]


def events_in(output: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in output.splitlines() if line.startswith("{")]


def call(capsys_like: Any, *arguments: str) -> Ended:
    """Run the program in this process; signal handlers and argv are put back."""
    from lightning_modules.__main__ import main
    from lightning_modules.signals import STOP

    handlers = {n: signal.getsignal(n) for n in (signal.SIGTERM, signal.SIGINT)}
    argv = list(sys.argv)
    capsys_like.readouterr()
    try:
        code = main(list(arguments))
    finally:
        sys.argv[:] = argv
        for number, handler in handlers.items():
            signal.signal(number, handler)
        STOP.received = STOP.agreed = 0
    return Ended(code, events_in(capsys_like.readouterr().out))


class Trained(NamedTuple):
    folder: Path
    events: list[dict[str, Any]]


@pytest.fixture(scope="session")
def trained(corpus: Corpus, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """A finished run of 12 steps, never interrupted."""
    import contextlib
    import io

    class Captured:
        def __init__(self) -> None:
            self.text = io.StringIO()

        def readouterr(self) -> Any:
            value, self.text = self.text.getvalue(), self.text
            return type("Out", (), {"out": value})

    folder = tmp_path_factory.mktemp("trained")
    captured = Captured()
    with contextlib.redirect_stdout(captured.text):
        ended = call(captured, "fit", "--config", str(write_run(corpus, folder)))
    assert ended.code == 0
    return Trained(folder, ended.events)
