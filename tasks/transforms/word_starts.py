"""词首 word starts: which tokens a word begins with, so that a whole word can be masked at once.

A token has the bit when a word begins at its first byte. Tokens and words do not nest: a token may hold the end of one
word and the beginning of the next (我们 | 的 as 我 + 们的). Such a token belongs to the word in which its first byte
lies, and its bit is not set, unless a word begins there. Hence the rule that maskers live by: the tokens from one bit
to the next are the shortest run that is whole tokens and whole words both; no word is ever torn.

Words here are the units of tasks/transforms/words.py, marks and white space among them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from data_contracts.errors import ConservationBroken
from tasks.transforms.flat_text import batches, offsets_of
from tasks.transforms.packing import Flags

BATCH_CHARS = 1 << 19  # a few megabytes of arrays, which stay in the cache


def begins_word(
    texts: Sequence[str],
    word_chars: npt.NDArray[np.uint32],
    words: npt.NDArray[np.int64],
    token_bytes: npt.NDArray[np.uint8],
    tokens: npt.NDArray[np.int64],
) -> Flags:
    """One bit a token, texts end to end.

    Text i has the words `word_chars[words[i]:words[i + 1]]`, lengths in characters, and the tokens
    `token_bytes[tokens[i]:tokens[i + 1]]`, lengths in bytes of UTF-8. Raises ConservationBroken when either does not
    add up to its text: then the words or the tokens are another text's.
    """
    parts = [np.zeros(0, dtype=bool)]
    for part in batches(texts, BATCH_CHARS):
        raw = "".join(texts[part]).encode()
        own = token_bytes[tokens[part.start] : tokens[part.stop]]
        parts.append(_begins(raw, word_chars[words[part.start] : words[part.stop]], own))
    return np.concatenate(parts)


def begins_at(
    texts: Sequence[str],
    word_chars: npt.NDArray[np.uint32],
    words: npt.NDArray[np.int64],
    starts: npt.NDArray[np.int64],
    tokens: npt.NDArray[np.int64],
) -> Flags:
    """The same for tokens known by the character at which each starts in its text, -1 within a character."""
    found = np.zeros(len(starts), dtype=bool)
    for i, text in enumerate(texts):
        own = starts[tokens[i] : tokens[i + 1]]
        begins = np.zeros(len(text) + 1, dtype=bool)
        begins[offsets_of(word_chars[words[i] : words[i + 1]].astype(np.int64))] = True
        found[tokens[i] : tokens[i + 1]] = begins[own] & (own >= 0)
    return found


def _begins(raw: bytes, word_chars: npt.NDArray[np.uint32], token_bytes: npt.NDArray[np.uint8]) -> Flags:
    """Bits of the tokens of one batch, taken as one text: a text begins with a word and with a token."""
    chars = np.flatnonzero((np.frombuffer(raw, dtype=np.uint8) & 0xC0) != 0x80)  # where each character begins
    word_at = offsets_of(word_chars.astype(np.int64))
    token_at = offsets_of(token_bytes.astype(np.int64))
    if word_at[-1] != len(chars) or token_at[-1] != len(raw):
        raise ConservationBroken(
            f"word starts: {word_at[-1]} characters of words for {len(chars)} of text, {token_at[-1]} bytes of tokens "
            f"for {len(raw)}; a fault of the cutter or the encoder"
        )
    begins = np.zeros(len(raw), dtype=bool)
    begins[chars[word_at[:-1]]] = True
    found: Flags = begins[token_at[:-1]]
    return found
