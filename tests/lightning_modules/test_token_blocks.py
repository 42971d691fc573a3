from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_contracts.errors import ConfigError, DatasetDamaged, DatasetMissing
from data_contracts.run_file import BlockFile
from lightning_modules.block_files import IGNORED, BlockSource, batch_of, positions_in_documents
from lightning_modules.token_blocks import HeldOutBatches, TokenBlocks, TrainBatches


@pytest.fixture
def data(corpus: Any) -> TokenBlocks:
    return make(corpus)


def make(corpus: Any, **changes: Any) -> TokenBlocks:
    files = {
        split: [getattr(s, split).model_dump() for s in corpus.shards] for split in ("train", "validation", "test")
    }
    values = {"data_hash": "h", "vocab_size": corpus.vocab_size, "separator_id": 0, "pad_id": 1, "block_tokens": 32}
    return TokenBlocks(**{**files, **values, "blocks_per_device": 2, "blocks_per_step": 8, "seed": 1, **changes})


def test_gather_gives_exactly_the_blocks_of_the_files(data: TokenBlocks) -> None:
    expected = [
        np.asarray(stream[i * 32 : i * 32 + 33])
        for stream in data.train.streams
        for i in range((len(stream) - 1) // 32)
    ]
    assert len(data.train) == len(expected) > 20
    order = np.random.default_rng(0).permutation(len(expected))
    assert (data.train.gather(order) == np.array([expected[i] for i in order])).all()


def test_u32_files(tmp_path: Path) -> None:
    ids = np.arange(70_000, 70_000 + 17, dtype="<u4")
    ids.tofile(tmp_path / "train.bin")
    source = BlockSource([BlockFile(path=str(tmp_path / "train.bin"), sha256="", tokens=17, chars=1)], 8, 100_000)
    assert source.gather(np.array([1])).tolist() == [list(range(70_008, 70_017))]


def test_a_file_that_is_not_what_its_record_says(tmp_path: Path) -> None:
    path = tmp_path / "train.bin"
    with pytest.raises(DatasetMissing, match=r"train\.bin is missing"):
        BlockSource([BlockFile(path=str(path), sha256="", tokens=9, chars=1)], 8, 300)
    path.write_bytes(b"\0" * 16)
    with pytest.raises(DatasetDamaged, match="16 bytes"):
        BlockSource([BlockFile(path=str(path), sha256="", tokens=9, chars=1)], 8, 300)


def file_with_words(tmp_path: Path, name: str, ids: int, bits: np.ndarray) -> BlockFile:
    np.arange(ids, dtype="<u2").tofile(tmp_path / f"{name}.bin")
    np.packbits(bits, bitorder="little").tofile(tmp_path / f"{name}.words")
    paths = {"path": str(tmp_path / f"{name}.bin"), "words": str(tmp_path / f"{name}.words")}
    return BlockFile(**paths, sha256="", tokens=ids, chars=1)


def test_every_token_comes_with_the_bit_of_its_word(tmp_path: Path) -> None:
    draw = np.random.default_rng(5)
    bits = [draw.random(n) < 0.6 for n in (41, 57)]
    source = BlockSource([file_with_words(tmp_path, str(i), len(b), b) for i, b in enumerate(bits)], 8, 300)
    expected = [b[i * 8 : i * 8 + 9].tolist() for b in bits for i in range((len(b) - 1) // 8)]
    order = draw.permutation(len(source))
    assert source.has_words
    assert source.gather_words(order).tolist() == [expected[i] for i in order]
    assert source.gather_words(order).dtype == np.bool_


def test_blocks_without_word_bits_say_so_when_they_are_asked_for(tmp_path: Path) -> None:
    whole = file_with_words(tmp_path, "a", 17, np.ones(17, dtype=bool))
    old = BlockSource([whole, whole.model_copy(update={"words": None})], 8, 300)
    assert not old.has_words
    assert old.gather(np.arange(4)).shape == (4, 9), "a model that masks no words does not need them"
    assert old.gather_words(np.array([0])).all()
    with pytest.raises(DatasetMissing, match="no word bits beside it; run the encode stage"):
        old.gather_words(np.array([3]))
    (tmp_path / "a.words").write_bytes(b"\0")
    with pytest.raises(DatasetDamaged, match="1 bytes for 17 ids"):
        BlockSource([whole], 8, 300).gather_words(np.array([0]))


def global_batches(data: TokenBlocks, world: int, steps: int, start: int = 0) -> list[list[list[int]]]:
    """The blocks of each step, sorted, over all processes."""
    micro = data.blocks_per_step // (data.blocks_per_device * world)
    loaders = [iter(TrainBatches(data, rank, world, start)) for rank in range(world)]
    found = []
    for _ in range(steps):
        rows = [row for loader in loaders for _ in range(micro) for row in next(loader)["inputs"].tolist()]
        found.append(sorted(rows))
    return found


def test_the_global_batches_are_the_same_for_1_2_and_4_processes(data: TokenBlocks) -> None:
    alone = global_batches(data, 1, 12)
    assert global_batches(data, 2, 12) == alone
    assert global_batches(data, 4, 12) == alone


def test_a_run_continues_where_it_stopped_on_another_number_of_processes(data: TokenBlocks) -> None:
    assert global_batches(data, 2, 5, start=7 * data.blocks_per_step) == global_batches(data, 1, 12)[7:]


def test_an_epoch_sees_every_block_once(data: TokenBlocks) -> None:
    data.blocks_per_device, count = 1, len(data.train)
    loader = iter(TrainBatches(data, 0, 1, 0))
    seen = sorted(tuple(next(loader)["inputs"][0].tolist()) for _ in range(count))
    assert seen == sorted(tuple(row[:-1]) for row in data.train.gather(np.arange(count)).tolist())


@pytest.mark.parametrize("world", [1, 2, 3, 4])
def test_held_out_targets_are_counted_once(data: TokenBlocks, world: int) -> None:
    loaders = [HeldOutBatches(data.validation, data, rank, world) for rank in range(world)]
    assert len({len(list(loader)) for loader in loaders}) == 1  # as many network calls on every process
    seen = sorted(t for loader in loaders for b in loader for t in b["targets"].flatten().tolist() if t != IGNORED)
    stored = [s[1:][s[1:] != 1] for s in data.validation.streams]
    assert seen == sorted(np.concatenate(stored).tolist())


def test_positions_restart_at_every_separator() -> None:
    inputs = np.array([[5, 6, 0, 7, 8, 0, 0, 9]])
    assert positions_in_documents(inputs, 0).tolist() == [[0, 1, 0, 1, 2, 0, 0, 1]]


@given(st.lists(st.integers(0, 4), min_size=2, max_size=40))
def test_positions_against_a_loop(ids: list[int]) -> None:
    expected, at = [], 0
    for i, token in enumerate(ids):
        at = 0 if token == 0 or i == 0 else at + 1
        expected.append(at)
    assert positions_in_documents(np.array([ids]), 0).tolist() == [expected]


def test_padding_is_no_target() -> None:
    batch = batch_of(np.array([[0, 5, 6, 0, 1, 1]]), separator_id=0, pad_id=1)
    assert batch["targets"].tolist() == [[5, 6, 0, IGNORED, IGNORED]]


@pytest.mark.parametrize("change", [{"seed": 2}, {"data_hash": "other"}, {"block_tokens": 16}, {"blocks_per_step": 4}])
def test_a_checkpoint_of_other_data_is_refused(corpus: Any, data: TokenBlocks, change: dict[str, Any]) -> None:
    state = {**data.state_dict(), **change}
    with pytest.raises(ConfigError, match=next(iter(change))):
        data.load_state_dict(state)


def test_state_is_one_integer_and_what_it_counts(data: TokenBlocks) -> None:
    data.load_state_dict({**data.state_dict(), "consumed": 24})
    assert next(iter(data.train_dataloader()))["inputs"].tolist() == (
        next(iter(TrainBatches(data, 0, 1, 24)))["inputs"].tolist()
    )
