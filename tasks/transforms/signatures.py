"""签名 signatures: what dedup must know of a document, a few hundred bytes that depend on its text alone.

keys        one row per document: row, doc_id, chars, digest (16 bytes of BLAKE2b over the folded key)
signatures  one row per distinct digest: digest, band_0 ... band_{b-1} (u64), signature (bands x rows u32, MinHash)

Similarity of two signatures (share of equal slots) estimates the Jaccard similarity J of the sets of character n-grams
with a standard error of sqrt(J (1 - J) / slots): 0.045 at J = 0.65 with 112 slots. Two documents share a band with
probability 1 - (1 - J^rows)^bands (Leskovec, Rajaraman, Ullman: Mining of Massive Datasets, ch. 3).
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import polars as pl

from data_contracts.stages import DedupConfig
from tasks.transforms.flat_text import FlatText, batches, offsets_of
from tasks.transforms.fold import fold
from tasks.transforms.shingles import shingles

DIGEST_BYTES = 16
_SEED = 42  # of the MinHash permutations; a new one makes all signatures incomparable
_BAND_BASE = np.uint64(0x9E3779B97F4A7C15)

Signatures = npt.NDArray[np.uint32]


def band(number: int) -> str:
    """Name of the column that holds one band's key."""
    return f"band_{number}"


def sign(documents: pl.DataFrame, cfg: DedupConfig) -> tuple[pl.DataFrame, pl.DataFrame]:
    """(keys, signatures) of documents (doc_id, text). Empty frames of the same shape for no documents."""
    texts = documents["text"].to_list()
    digests: list[bytes] = []
    seen: dict[bytes, None] = {}
    matrices: list[Signatures] = [np.zeros((0, cfg.bands * cfg.rows_per_band), dtype=np.uint32)]
    for part in batches(texts):
        keys = fold(texts[part], cfg.fold_script)
        made = _digests(keys)
        digests += made
        fresh = [i for i, d in enumerate(made) if d not in seen and seen.setdefault(d) is None]
        matrices.append(minhash(_chosen(keys, fresh), cfg))
    table = pl.DataFrame(
        {
            "row": pl.Series(range(len(texts)), dtype=pl.UInt32),
            "doc_id": documents["doc_id"],
            "chars": documents["text"].str.len_chars().cast(pl.UInt32),
            "digest": pl.Series(digests, dtype=pl.Binary),
        }
    )
    return table, signed(list(seen), np.concatenate(matrices), cfg)


def signed(digests: Sequence[bytes], matrix: Signatures, cfg: DedupConfig) -> pl.DataFrame:
    """The frame of signatures; `matrix` is (documents, slots)."""
    columns: dict[str, pl.Series] = {"digest": pl.Series(digests, dtype=pl.Binary)}
    for i in range(cfg.bands):
        columns[band(i)] = pl.Series(_band_keys(matrix[:, i * cfg.rows_per_band : (i + 1) * cfg.rows_per_band]))
    columns["signature"] = pl.Series(matrix, dtype=pl.Array(pl.UInt32, cfg.bands * cfg.rows_per_band))
    return pl.DataFrame(columns)


def minhash(keys: FlatText, cfg: DedupConfig) -> Signatures:
    """MinHash signatures (keys, slots) over the character n-grams of keys, by rensa."""
    from rensa import RMinHash

    slots = cfg.bands * cfg.rows_per_band
    hashes, offsets = shingles(keys, cfg.ngram_chars)
    if len(offsets) == 1:
        return np.zeros((0, slots), dtype=np.uint32)
    made = RMinHash.digest_matrix_from_flat_token_hashes(hashes, offsets.astype(np.uint64), slots, _SEED)
    return np.array(made.to_rows(), dtype=np.uint32)


def _digests(keys: FlatText) -> list[bytes]:
    whole, ends = keys.codes.tobytes(), (keys.offsets * keys.codes.itemsize).tolist()
    return [hashlib.blake2b(whole[a:b], digest_size=DIGEST_BYTES).digest() for a, b in itertools.pairwise(ends)]


def _chosen(keys: FlatText, which: list[int]) -> FlatText:
    if len(which) == len(keys.offsets) - 1:
        return keys
    lengths = np.diff(keys.offsets)
    chosen = np.zeros(len(lengths), dtype=bool)
    chosen[which] = True
    return FlatText(keys.codes[np.repeat(chosen, lengths)], offsets_of(lengths[chosen]))


def _band_keys(rows: Signatures) -> npt.NDArray[np.uint64]:
    keys = np.zeros(len(rows), dtype=np.uint64)
    for column in rows.T:
        keys = (keys ^ column) * _BAND_BASE
        keys ^= keys >> np.uint64(32)
    return keys
