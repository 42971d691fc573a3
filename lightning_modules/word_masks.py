"""整词掩码 word masks: TOKENS + word bits -> what a masked model sees and what it must guess. A pure function.

One draw decides about a word, so that it is hidden whole or not at all; of each hidden token 80 % become the mask, 10 %
a random ordinary token, 10 % stay, as in BERT (Devlin et al. 2019, section 3.1; words: Cui et al. 2019). Separators and
padding are never chosen. What is drawn for a row has to do with (seed, number of the sample, place in the row) alone,
by a counter-based generator, so neither a restart nor the number of processes changes it.

The mask step of transformers 5 takes what stands between two spaces for a word, which in Chinese is a whole sentence.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from data_contracts.network import MaskingConfig
from lightning_modules.block_files import IGNORED

Numbers = NDArray[np.uint64]
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_FIRST, _SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_SHIFTS = np.uint64(30), np.uint64(27), np.uint64(31)
_LOW, _HALF = np.uint64(0xFFFFFFFF), np.uint64(32)


def drawn(keys: Numbers, counters: NDArray[np.integer]) -> Numbers:
    """64 random bits for each counter under its key: step `counter` of SplitMix64 (Steele, Lea, Flood 2014).

    Shapes broadcast. uint64 arithmetic wraps, as it must.
    """
    z = keys + (counters.astype(np.uint64) + np.uint64(1)) * _GOLDEN
    z ^= z >> _SHIFTS[0]
    z *= _FIRST
    z ^= z >> _SHIFTS[1]
    z *= _SECOND
    z ^= z >> _SHIFTS[2]
    return z


def _below(share: float, bits: int) -> np.uint64:
    """How many of the numbers of so many bits stand for a share."""
    return np.uint64(min(round(share * 2.0**bits), 2**bits - 1))


class Masked(NamedTuple):
    """Both (B, T) int64: what the model sees, and the token to guess, IGNORED where there is none."""

    inputs: NDArray[np.int64]
    targets: NDArray[np.int64]


class WordMasker:
    """Masks blocks of one tokenizer.

    Args:
        vocab_size: tokens that text is made of, the mask left out when it has an id of its own above them.
        special_ids: tokens that are no text: never chosen, never put in at random.
    """

    def __init__(self, cfg: MaskingConfig, vocab_size: int, mask_id: int, special_ids: tuple[int, ...]) -> None:
        self.mask_id = mask_id
        self.is_text = np.ones(max(vocab_size, mask_id + 1), dtype=np.bool_)
        self.is_text[[mask_id, *special_ids]] = False
        self.ordinary = np.flatnonzero(self.is_text)
        self._chosen = _below(cfg.ratio, 64)
        self._hidden, self._changed = _below(cfg.hidden_ratio, 32), _below(cfg.hidden_ratio + cfg.random_ratio, 32)

    def __call__(
        self, tokens: NDArray[np.int64], begins: NDArray[np.bool_], samples: NDArray[np.int64], seed: int
    ) -> Masked:
        """Mask (B, T) tokens.

        Args:
            begins: (B, T), whether a word begins with the token. A word that a block's border cuts is two words.
            samples: (B,) numbers of the rows, at least 0.
        """
        one = np.zeros(1, dtype=np.int64)
        row_keys = drawn(drawn(np.array([seed], dtype=np.uint64), one), samples)[:, None]  # (B, 1)
        words = begins.cumsum(axis=1)
        chosen = (drawn(row_keys, words) < self._chosen) & self.is_text[tokens]
        row, place = np.nonzero(chosen)  # (M,) each: everything from here on is about the chosen few
        bits = drawn(~row_keys[row, 0], place)
        action, which = bits >> _HALF, bits & _LOW
        others = self.ordinary[(which * np.uint64(len(self.ordinary))) >> _HALF]
        was = tokens[row, place]
        inputs, targets = tokens.copy(), np.full_like(tokens, IGNORED)
        inputs[row, place] = np.select([action < self._hidden, action < self._changed], [self.mask_id, others], was)
        targets[row, place] = was
        return Masked(inputs, targets)
