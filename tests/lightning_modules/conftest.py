"""Fixtures of the tests of training: a corpus in token files, and one trained run that many tests look at."""

from __future__ import annotations

from pathlib import Path

import pytest

from data_contracts.block_sets import SPLITS, BlockFiles
from tests.lightning_modules.tiny_runs import (
    Corpus,
    Trained,
    call,
    make_tokenizer,
    stream,
    texts,
    token_file,
    write_run,
)

# Lightning 2.6.6 asks isinstance(..., LeafSpec), which torch 2.13 marks as deprecated, and calls jsonargparse by old names.
THIRD_PARTY = ("ignore:.*LeafSpec.*", "ignore::jsonargparse._deprecated.JsonargparseDeprecationWarning")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            for text in THIRD_PARTY:
                item.add_marker(pytest.mark.filterwarnings(text))


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> None:
    """Two threads on a busy machine wait for each other at every tiny product."""
    import torch

    torch.set_num_threads(1)


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


@pytest.fixture(scope="session")
def trained(corpus: Corpus, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """A finished run of 12 steps, never interrupted."""

    folder = tmp_path_factory.mktemp("trained")
    ended = call("fit", "--config", str(write_run(corpus, folder)))
    assert ended.code == 0
    return Trained(folder, ended.events)
