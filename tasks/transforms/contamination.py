"""污染判定 contamination: which passages of documents repeat evaluation texts so far that they must not be trained on.

A passage must repeat `min_chars` in one piece, and of the unit

    all but all of it    `min_item_ratio`, and `min_chars`
    a great part of it   `min_part_ratio`, and `min_part_chars`
    or a long stretch    `min_long_chars`, whatever share of a long text that is

Four Latin letters or digits count as one character: `latentdirichletallocation` is a name of three words. The limits
were chosen on 183 MB of real text held against 15 benchmarks without planted copies (books, laws, news, poems), where
what they convict is laws and classics that an item quotes all but whole. Runs of 13 to 15 characters and shares of one
half were names of laws, formulas and quotations.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import polars as pl

from data_contracts.decontamination import DecontaminateConfig
from tasks.transforms.cuts import widened, without
from tasks.transforms.flat_text import FlatText, batches, chosen
from tasks.transforms.fold import fold, origins
from tasks.transforms.gram_index import GramIndex
from tasks.transforms.overlaps import Passages, passages, suspects

FINDINGS = {
    "row": pl.Int64(),  # number of the document
    "unit": pl.UInt32(),  # number of the unit in the index
    "overlap": pl.Float64(),  # share of the unit that the passage repeats
    "chars": pl.Float64(),  # characters of the unit that it repeats, folded
    "run_chars": pl.Int64(),  # the longest piece of them in a row
    "start": pl.Int64(),  # characters of the text: where the passage begins
    "stop": pl.Int64(),
    "excerpt": pl.String(),  # the beginning of the passage
}
EXCERPT_CHARS = 80
_BATCH_CHARS = 1 << 18  # the arrays of a batch stay in the cache


class Cleansed(NamedTuple):
    """Texts as they go on, and why some of them are not what they were."""

    texts: list[str]
    findings: pl.DataFrame  # FINDINGS, by row; places in what a second look found are those of the text already cut


def cleanse(texts: Sequence[str], index: GramIndex, cfg: DecontaminateConfig) -> Cleansed:
    """Texts without the passages that convict (`remove: span`), else as they were, with what was found.

    What is left is looked at again: no text goes on that would be cut once more.
    """
    left, found = list(texts), contaminated(texts, index, cfg)
    every = [found]
    while cfg.remove == "span" and found.height:
        again: list[int] = []
        for (row,), spans in found.group_by("row", maintain_order=True):
            again.append(int(row))
            text = left[again[-1]]
            left[again[-1]] = without(text, widened(text, spans.select("start", "stop").rows(), cfg.margin_chars))
        found = contaminated([left[i] for i in again], index, cfg)
        found = found.with_columns(row=pl.Series(again, dtype=pl.Int64).gather(found["row"]))
        every.append(found)
    return Cleansed(left, pl.concat(every).sort("row", maintain_order=True))


def contaminated(texts: Sequence[str], index: GramIndex, cfg: DecontaminateConfig) -> pl.DataFrame:
    """FINDINGS: every passage of every text that convicts, in order of text, unit, place."""
    found = [pl.DataFrame(schema=FINDINGS)]
    for part in batches(texts, _BATCH_CHARS):
        keys = fold(texts[part], cfg.fold_script)
        held = suspects(keys, index, cfg.ngram_chars, cfg.min_chars)
        if held.any():
            rows = np.flatnonzero(held) + part.start
            found.append(_judged(texts, rows, chosen(keys, held), index, cfg))
    return pl.concat(found)


def _judged(
    texts: Sequence[str], rows: np.ndarray, keys: FlatText, index: GramIndex, cfg: DecontaminateConfig
) -> pl.DataFrame:
    every = passages(keys, index, cfg.ngram_chars, cfg.min_chars, cfg.max_gap_chars)
    chars = every.chars
    share = chars / index.unit_chars[every.units]
    guilty = np.flatnonzero(
        ((share >= cfg.min_item_ratio) & (chars >= cfg.min_chars))
        | ((share >= cfg.min_part_ratio) & (chars >= cfg.min_part_chars))
        | (chars >= cfg.min_long_chars)
    )
    held = Passages._make(column[guilty] for column in every)
    starts, stops = np.zeros_like(held.starts), np.zeros_like(held.stops)
    for text in np.unique(held.texts):
        mine = held.texts == text
        places = origins(texts[rows[text]], cfg.fold_script)
        starts[mine], stops[mine] = places[held.starts[mine]], places[held.stops[mine] - 1] + 1
    return pl.DataFrame(
        {
            "row": rows[held.texts],
            "unit": held.units.astype(np.uint32),
            "overlap": share[guilty],
            "chars": chars[guilty],
            "run_chars": held.runs,
            "start": starts,
            "stop": stops,
            "excerpt": [
                texts[row][start : min(stop, start + EXCERPT_CHARS)]
                for row, start, stop in zip(rows[held.texts], starts, stops, strict=True)
            ],
        },
        schema=FINDINGS,
    )
