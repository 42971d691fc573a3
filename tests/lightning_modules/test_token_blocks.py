from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_contracts.block_sets import BlockFile
from data_contracts.errors import ConfigError, DatasetDamaged, DatasetMissing
from lightning_modules.block_files import IGNORED, BlockSource, batch_of, cut, positions_in_documents
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
    """The rows of each step from step `start` on, sorted, over all processes."""
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
    assert global_batches(data, 2, 5, start=7) == global_batches(data, 1, 12)[7:]


def test_an_epoch_sees_every_block_once(data: TokenBlocks) -> None:
    data.blocks_per_device, count = 1, len(data.train)
    loader = iter(TrainBatches(data, 0, 1))
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


CHANGES = [
    {"seed": 2},
    {"data_hash": "other"},
    {"block_tokens": 16},
    {"blocks_per_step": 4},
    {"length": {"halvings": 1}},
]


@pytest.mark.parametrize("change", CHANGES)
def test_a_checkpoint_of_other_data_is_refused_with_both_values_and_the_flag(
    corpus: Any, data: TokenBlocks, change: dict[str, Any]
) -> None:
    name, old = next(iter(change.items()))
    state = {**data.state_dict(), **change}
    with pytest.raises(ConfigError) as caught:
        data.load_state_dict(state)
    assert f"{name}: checkpoint {old!r}, run file {data.state_dict()[name]!r}" in str(caught.value)
    assert f"--data.init_args.accept_changed=[{name}]" in str(caught.value)
    accepting = make(corpus, accept_changed=[name])
    accepting.load_state_dict(state)
    with pytest.raises(ConfigError):
        accepting.load_state_dict({**state, "data_hash": "third", "seed": 3})


def test_another_vocabulary_is_never_accepted(corpus: Any, data: TokenBlocks) -> None:
    state = {**data.state_dict(), "vocab_size": 99}
    with pytest.raises(ConfigError, match=r"vocab_size: checkpoint 99, run file \d+.*cannot be accepted"):
        make(corpus, accept_changed=["vocab_size"]).load_state_dict(state)


def test_state_is_one_integer_and_what_it_counts(data: TokenBlocks) -> None:
    data.load_state_dict({**data.state_dict(), "consumed": 24, "step": 3})
    assert next(iter(data.train_dataloader()))["inputs"].tolist() == (
        next(iter(TrainBatches(data, 0, 1, 3)))["inputs"].tolist()
    )


def test_after_an_accepted_change_no_sample_is_lost_and_none_comes_twice(corpus: Any, data: TokenBlocks) -> None:
    before = global_batches(data, 1, 4)
    data.step = 4
    other = make(corpus, blocks_per_step=4, accept_changed=["blocks_per_step"])
    other.load_state_dict(data.state_dict())
    after = iter(other.train_dataloader())
    rows = [row for _ in range(8) for row in next(after)["inputs"].tolist()]
    assert sorted(rows) == sorted([row for step in global_batches(data, 1, 2, start=4) for row in step])
    other.step = 8
    assert other.state_dict()["consumed"] == 4 * 8 + 4 * 4
    assert before == global_batches(data, 1, 4)


GROWING = {
    "blocks_per_step": 16,
    "blocks_per_device": 4,
    "max_steps": 24,
    "length": {"halvings": 2, "ratio": 0.5},
    "batch": {"halvings": 2, "ratio": 0.25},
}


@pytest.mark.parametrize("world", [1, 2, 4])
def test_growing_rows_and_steps_are_the_same_for_any_number_of_processes(corpus: Any, world: int) -> None:
    data = make(corpus, **GROWING)
    found = global_batches(data, world, 24)
    assert found == global_batches(make(corpus, **GROWING), 1, 24)
    assert [len(step[0]) for step in found] == [8] * 6 + [16] * 6 + [32] * 12
    assert [sum(map(len, step)) for step in found] == [4 * 32] * 3 + [8 * 32] * 3 + [16 * 32] * 18
    assert global_batches(make(corpus, **GROWING), world, 10, start=4) == found[4:14]


def test_growing_steps_take_the_samples_in_the_order_of_full_ones(corpus: Any) -> None:
    data = make(corpus, **{**GROWING, "length": None})
    steps = global_batches(data, 1, 24)
    count = data.pace.blocks_before(24)
    assert sum(map(len, steps)) == count == 3 * 4 + 3 * 8 + 18 * 16
    wanted = data.train.gather(data.order().samples(0, count))[:, :-1].tolist()
    ends = [data.pace.blocks_before(step) for step in range(25)]
    assert steps == [sorted(wanted[a:b]) for a, b in itertools.pairwise(ends)]


def test_a_short_row_sees_nothing_of_the_part_before_it() -> None:
    tokens = np.array([[0, 5, 6, 7, 8, 9, 0, 3, 4, 2, 5, 6, 0]])
    rows = cut(batch_of(tokens, 0, 1), 4)
    assert rows["inputs"].tolist() == [[0, 5, 6, 7], [8, 9, 0, 3], [4, 2, 5, 6]]
    assert rows["targets"].tolist() == [[5, 6, 7, 8], [9, 0, 3, 4], [2, 5, 6, 0]]
    assert rows["positions"].tolist() == [[0, 1, 2, 3], [0, 1, 0, 1], [0, 1, 2, 3]]
    whole = batch_of(tokens, 0, 1)
    assert all((cut(whole, 12)[name] == tensor).all() for name, tensor in whole.items())


def test_a_mixture_gives_the_same_global_batches_for_1_2_and_4_processes(corpus: Any) -> None:
    half = len(make(corpus).train) // 2
    sets = [{"blocks": half, "share": 0.25}, {"blocks": len(make(corpus).train) - half, "share": 0.75}]
    data = make(corpus, sets=sets, blocks_per_step=16)
    alone = global_batches(data, 1, 9)
    assert global_batches(data, 2, 9) == alone
    assert global_batches(data, 4, 5, start=4) == alone[4:]
    first = {tuple(row[:-1]) for row in data.train.gather(np.arange(half)).tolist()}
    of_first = [sum(tuple(row) in first for row in step) for step in alone]
    assert sum(of_first) == pytest.approx(0.25 * 9 * 16, abs=2)
