"""词表研究 vocabulary study: what each size of a vocabulary does to held-out text, and which one to take.

chars_per_token        characters of text for each token; more is a shorter text for the model
split_char_ratio       share of characters that are spelled in bytes, over two tokens or more
byte_token_ratio       share of tokens that are no whole characters
covered_ratio          share of the distinct characters of the text that are never spelled in bytes
embedding_parameters   size x width, twice where input and output have their own
work_per_char          parameters that a forward pass multiplies by for each character:
                       (body + size x width) / chars_per_token

The recommendation is the smallest size whose work per character is within WORTH of the least: a larger vocabulary
makes texts shorter and every token dearer, and past the least it costs more than it saves. For a larger body the least
moves to larger vocabularies, as in Tao et al. 2024, Scaling Laws with Vocabulary (arXiv:2407.13623).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from data_contracts.study import StudyConfig
from tasks.transforms.bpe import Vocabulary
from tasks.transforms.flat_text import offsets_of

WORTH = 0.02  # a vocabulary that saves less than this is not worth being larger


def measured(vocabulary: Vocabulary, texts: Sequence[str], study: StudyConfig) -> dict[str, Any]:
    """The figures of one vocabulary. An empty text gives ratios of 0."""
    raw = np.frombuffer("".join(texts).encode(), dtype=np.uint8)
    encoded = vocabulary.encoder.encode(texts)
    begins = (raw & 0xC0) != 0x80  # bytes that begin a character
    char = np.cumsum(begins) - 1  # the character of each byte
    ends = offsets_of(vocabulary.token_bytes[encoded.ids].astype(np.int64))
    inside = np.append(~begins, False)[ends]  # borders of tokens within a character
    chars, tokens = int(begins.sum()), len(encoded.ids)
    torn = np.zeros(chars, dtype=bool)
    torn[char[ends[inside]]] = True
    codes = np.frombuffer("".join(texts).encode("utf-32-le"), dtype=np.uint32)
    partial = int((inside[:-1] | inside[1:]).sum())
    per_token = chars / tokens if tokens else 0.0
    embedding = vocabulary.size * study.width
    return {
        "size": vocabulary.size,
        "chars_per_token": round(per_token, 4),
        "split_char_ratio": _share(int(torn.sum()), chars),
        "byte_token_ratio": _share(partial, tokens),
        "covered_ratio": 1 - _share(len(np.unique(codes[torn])), len(np.unique(codes))) if chars else 0.0,
        "embedding_parameters": embedding * study.embeddings,
        "embedding_ratio": _share(embedding * study.embeddings, embedding * study.embeddings + study.body_parameters),
        "work_per_char": round((study.body_parameters + embedding) / per_token) if tokens else 0,
    }


def recommended(rows: Sequence[dict[str, Any]]) -> int:
    """The size to take."""
    least = min(row["work_per_char"] for row in rows)
    return int(min(row["size"] for row in rows if row["work_per_char"] <= least * (1 + WORTH)))


def _share(part: int, whole: int) -> float:
    return round(part / whole, 6) if whole else 0.0
