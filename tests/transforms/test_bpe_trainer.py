"""The compiled trainer writes the tokenizer that `tokenizers` trains, to the byte."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

from tasks.transforms import bpe, bpe_kernel
from tasks.transforms.bpe_trainer import learnt
from tests.transforms.test_bpe import ODD, SAMPLE


def trained(texts: list[str], size: int, min_frequency: int) -> str:
    """By the library."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(bpe.QWEN2), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        min_frequency=min_frequency,
        special_tokens=[bpe.SEPARATOR, bpe.PAD],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        max_token_length=bpe.MAX_TOKEN_BYTES,
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer.to_str(pretty=True)


# Few characters, so that pairs repeat and overlap (aaaa), tokens arise in two ways, and tokens grow too long.
dense = st.text(st.sampled_from("aab的一-< "), max_size=120)


@settings(deadline=None)
@given(st.lists(dense, max_size=8), st.sampled_from([258, 262, 300, 500]), st.integers(0, 3))
@example(["-" * 400, "-" * 61 + " " + "-" * 7], 400, 1)
@example(["<|pad|><|pad|> <|pad|>"] * 5, 400, 1)
@example(["abcabcabc abc bc ab", "bcbcb ababa"] * 3, 300, 1)
def test_dense_texts_give_the_tokenizer_of_the_library(texts, size, min_frequency):
    assert bpe.train(texts, size, min_frequency) == trained(texts, size, min_frequency)


@settings(deadline=None)
@given(st.lists(st.text() | st.sampled_from(ODD), max_size=5))
def test_any_texts_do(texts):
    assert bpe.train(SAMPLE + texts, 500, 1) == trained(SAMPLE + texts, 500, 1)


def test_real_text_does(shared_data):
    some = pl.read_parquet(shared_data / "pretrain" / "novels.parquet", n_rows=40)["text"].to_list()
    more = pl.read_parquet(shared_data / "pretrain" / "lctt.parquet", n_rows=60)["text"].to_list()
    assert bpe.train(some + more, 3000, 2) == trained(some + more, 3000, 2)


@pytest.mark.parametrize("unsure", ["\u0378", "it'\u017f"])
def test_a_text_that_the_table_of_kinds_does_not_know_is_split_by_the_library(unsure):
    counts = np.zeros(1, dtype=np.int64)
    raw = np.frombuffer(unsure.encode(), dtype=np.uint8)
    bpe_kernel.pieces(raw, np.array([0, len(raw)]), bpe_kernel.kinds(), np.zeros(9, dtype=np.int64), counts)
    assert counts.tolist() == [-1]
    assert bpe.piece_counts(["天天 天天", unsure])["天天".encode()] == 1
    assert sum(len(piece) * n for piece, n in bpe.piece_counts([unsure]).items()) == len(raw)


def test_the_most_frequent_pair_comes_first_and_of_equals_the_one_with_smaller_ids():
    known = [bytes([byte]) for byte in range(256)]
    pairs = learnt({b"xyz": 2, b"abab": 1, b"ab": 1}, known, 300, 2, 24)
    assert pairs.tolist() == [[ord("a"), ord("b"), 256], [ord("x"), ord("y"), 257], [257, ord("z"), 258]]
