"""签名 signatures: what dedup must know of a document, a few hundred bytes that depend on its text alone.

    units    one row per distinct folded key: digest (16 bytes of BLAKE2b, as two numbers), signature
    bands    one row per unit and band: band key, row of the unit
    cards    one row per unit: digest, precedence of its best document (3 numbers), that document's row, documents
    unit_of  the unit of every document
    addresses  one row per document that has an http(s) URL: see tasks/transforms/addresses.py

All but unit_of are sorted. A signature is the low 16 bits of each MinHash, bands x rows_per_band of them, which tell
two documents apart as well as the whole: equal by chance are 1 in 65,536 (Li and Koenig, b-bit minwise hashing, 2010).
Similarity of two signatures (share of equal slots) estimates the Jaccard similarity J of the sets of character n-grams
with a standard error of sqrt(J (1 - J) / slots): 0.045 at J = 0.65 with 112 slots. Two documents share a band, all of
whose 32-bit MinHashes are equal, with probability 1 - (1 - J^rows)^bands (Leskovec, Rajaraman, Ullman: Mining of
Massive Datasets, ch. 3): of pairs with J = 0.8, 0.7 and 0.6, 16 bands of 7 see 98, 75 and 37 %, where 14 bands of 8, at
the same cost, see 92, 57 and 21 %. A unit then takes 240 + 16 x 16 + 56 = 552 bytes on disk.
"""

from __future__ import annotations

import itertools
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from data_contracts.stages import DedupConfig
from tasks.transforms.addresses import addresses
from tasks.transforms.clusters import DOCUMENTS, RANK, ROW, Signatures, Table, Units, numbered
from tasks.transforms.digests import as_table, digests
from tasks.transforms.flat_text import FlatText, batches, chosen
from tasks.transforms.fold import fold
from tasks.transforms.precedence import LAST, precedence
from tasks.transforms.shingles import shingles

_SEED = 42  # of the MinHash permutations; a new one makes all signatures incomparable
_BAND_BASE = np.uint64(0x9E3779B97F4A7C15)
_SLOTS_A_NUMBER = 4  # 16-bit slots in one 64-bit number

MinHashes = npt.NDArray[np.uint32]


class Signed(NamedTuple):
    """The tables of one shard."""

    units: Table
    bands: Table
    cards: Table
    unit_of: Table
    addresses: Table


def sign(documents: pl.DataFrame, cfg: DedupConfig) -> Signed:
    """Tables of documents (doc_id, url, source, text, and the columns of the keep rule)."""
    texts = documents["text"].to_list()
    made: list[bytes] = []
    seen: set[bytes] = set()
    matrices: list[MinHashes] = [np.zeros((0, cfg.bands * cfg.rows_per_band), dtype=np.uint32)]
    for part in batches(texts):
        keys = fold(texts[part], cfg.fold_script)
        fresh = []
        for mine in digests(keys):
            made.append(mine)
            fresh.append(mine not in seen)
            seen.add(mine)
        matrices.append(minhash(chosen(keys, np.array(fresh, dtype=bool)), cfg))
    digest = as_table(made)
    unit_of, first = numbered(digest)
    hashes = np.concatenate(matrices)[np.argsort(np.argsort(first))]  # in order of first sight -> in order of digest
    rank = precedence(documents, cfg.keep)
    return Signed(
        units=np.concatenate([digest[first], _packed(hashes)], axis=1),
        bands=_bands(hashes, cfg),
        cards=cards(digest[first], unit_of, rank, np.ones(len(rank), dtype=bool)),
        unit_of=unit_of.astype(np.uint64)[:, None],
        addresses=addresses(documents, rank, digest),
    )


def minhash(keys: FlatText, cfg: DedupConfig) -> MinHashes:
    """MinHash values (keys, slots) over the character n-grams of keys, by rensa."""
    from rensa import RMinHash

    slots = cfg.bands * cfg.rows_per_band
    hashes, offsets = shingles(keys, cfg.ngram_chars)
    if len(offsets) == 1:
        return np.zeros((0, slots), dtype=np.uint32)
    made = RMinHash.digest_matrix_from_flat_token_hashes(hashes, offsets.astype(np.uint64), slots, _SEED)
    flat = itertools.chain.from_iterable(made.to_rows())  # five times faster than an array of lists
    return np.fromiter(flat, dtype=np.uint32, count=(len(offsets) - 1) * slots).reshape(-1, slots)


def signatures_of(units: Table, cfg: DedupConfig) -> Signatures:
    """The signatures in rows of a table of units."""
    return units[:, 2:].view(np.uint16)[:, : cfg.bands * cfg.rows_per_band]


def _packed(hashes: MinHashes) -> Table:
    slots = hashes.shape[1]
    low = np.zeros((len(hashes), -(-slots // _SLOTS_A_NUMBER) * _SLOTS_A_NUMBER), dtype=np.uint16)
    low[:, :slots] = hashes & 0xFFFF
    return low.view(np.uint64)


def cards(digests: Table, unit_of: Units, rank: Table, stays: npt.NDArray[np.bool_]) -> Table:
    """The table of cards, of those documents that stay; a unit without any has none and the last precedence."""
    made = np.column_stack([digests, np.full((len(digests), 4), LAST), np.zeros(len(digests), dtype=np.uint64)])
    rows = np.flatnonzero(stays)
    order = rows[np.lexsort((*rank[rows].T[::-1], unit_of[rows]))]
    units, first, documents = np.unique(unit_of[order], return_index=True, return_counts=True)
    made[units, RANK] = rank[order[first]]
    made[units, ROW], made[units, DOCUMENTS] = order[first], documents
    return made


def _bands(hashes: MinHashes, cfg: DedupConfig) -> Table:
    """(band key, unit) of every unit and band, sorted."""
    units = np.arange(len(hashes), dtype=np.uint64)
    rows = cfg.rows_per_band
    keys = [_band_keys(hashes[:, i * rows : (i + 1) * rows], i) for i in range(cfg.bands)]
    table = np.stack([np.concatenate(keys), np.tile(units, cfg.bands)], axis=1)
    return table[np.argsort(table[:, 0], kind="stable")]


def _band_keys(rows: MinHashes, number: int) -> npt.NDArray[np.uint64]:
    keys = np.full(len(rows), number + 1, dtype=np.uint64)  # equal rows of two bands have two keys
    for column in rows.T:
        keys = (keys ^ column) * _BAND_BASE
        keys ^= keys >> np.uint64(32)
    return keys
