from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_contracts.network import MaskingConfig
from lightning_modules.block_files import IGNORED
from lightning_modules.word_masks import WordMasker, drawn

VOCAB, MASK = 1000, 1000
SPECIAL = (0, 1)


def blocks(rows: int, length: int = 128) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Tokens with separators, word bits, sample numbers."""
    draw = np.random.default_rng(0)
    tokens = draw.integers(2, VOCAB, (rows, length))
    begins = draw.random((rows, length)) < 0.6
    tokens[:, 40], tokens[:, -5:] = 0, 1
    begins[np.isin(tokens, SPECIAL)] = True
    return tokens, begins, np.arange(rows)


@pytest.fixture(scope="module")
def masker() -> WordMasker:
    return WordMasker(MaskingConfig(), VOCAB, MASK, SPECIAL)


def test_the_shares_are_those_of_bert(masker: WordMasker) -> None:
    tokens, begins, samples = blocks(4000)
    inputs, targets = masker(tokens, begins, samples, seed=3)
    text, chosen = ~np.isin(tokens, SPECIAL), targets != IGNORED
    assert chosen[text].mean() == pytest.approx(0.15, abs=0.002)
    hidden, same = inputs[chosen] == MASK, inputs[chosen] == targets[chosen]
    assert hidden.mean() == pytest.approx(0.8, abs=0.005)
    assert same.mean() == pytest.approx(0.1, abs=0.005)
    others = inputs[chosen][~hidden & ~same]
    assert (others.min(), others.max()) == (2, VOCAB - 1), "every ordinary token, and no other"
    assert np.bincount(others)[2:].std() < 1.3 * np.sqrt(len(others) / VOCAB), "each as often as another"


def test_what_is_not_chosen_stays_and_what_is_special_is_not_chosen(masker: WordMasker) -> None:
    tokens, begins, samples = blocks(200)
    inputs, targets = masker(tokens, begins, samples, seed=3)
    assert (inputs == tokens)[targets == IGNORED].all()
    assert (targets == tokens)[targets != IGNORED].all()
    assert (targets[np.isin(tokens, SPECIAL)] == IGNORED).all()


@given(st.lists(st.booleans(), min_size=1, max_size=80), st.integers(0, 2**40), st.integers(0, 2**31))
def test_a_word_is_chosen_whole_or_not_at_all(bits: list[bool], sample: int, seed: int) -> None:
    tokens = np.full((1, len(bits)), 7)
    masker = WordMasker(MaskingConfig(ratio=0.5), VOCAB, MASK, SPECIAL)
    targets = masker(tokens, np.array([bits]), np.array([sample]), seed).targets[0]
    for word in np.split(targets, np.flatnonzero(bits)):
        assert len(set(word.tolist())) <= 1


def test_a_row_depends_on_its_sample_number_and_the_seed_alone(masker: WordMasker) -> None:
    tokens, begins, samples = blocks(16)
    whole = masker(tokens, begins, samples + 100, seed=3)
    some = np.array([11, 2, 7])
    part = masker(tokens[some], begins[some], samples[some] + 100, seed=3)
    assert (whole.inputs[some] == part.inputs).all()
    assert (whole.targets[some] == part.targets).all()
    for other in (masker(tokens, begins, samples + 101, seed=3), masker(tokens, begins, samples + 100, seed=4)):
        assert ((other.targets != IGNORED) != (whole.targets != IGNORED)).any(axis=1).all()


def test_the_generator_is_splitmix64() -> None:
    """The first numbers of seed 1234567, as published with the reference implementation (Vigna, splitmix64.c)."""
    expected = [6457827717110365317, 3203168211198807973, 9817491932198370423, 4593380528125082431]
    assert drawn(np.array([1234567], dtype=np.uint64), np.arange(4)).tolist() == expected


def test_shares_of_nothing_and_everything() -> None:
    tokens, begins, samples = blocks(50)
    keep = WordMasker(MaskingConfig(hidden_ratio=0, random_ratio=0), VOCAB, MASK, SPECIAL)
    assert (keep(tokens, begins, samples, 1).inputs == tokens).all()
    hide = WordMasker(MaskingConfig(hidden_ratio=1, random_ratio=0), VOCAB, MASK, SPECIAL)
    inputs, targets = hide(tokens, begins, samples, 1)
    assert (inputs[targets != IGNORED] == MASK).all()


def test_a_mask_inside_the_vocabulary_is_no_text() -> None:
    masker = WordMasker(MaskingConfig(ratio=0.9, hidden_ratio=0, random_ratio=1), 6, 3, SPECIAL)
    tokens = np.array([[2, 3, 4, 5] * 20])
    inputs, targets = masker(tokens, np.ones_like(tokens, dtype=bool), np.array([0]), 1)
    assert set(inputs[targets != IGNORED].tolist()) == {2, 4, 5}
    assert 3 not in targets
