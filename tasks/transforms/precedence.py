"""取舍 precedence: which of several copies stays, as three numbers a document of which the smallest wins.

    longest   most characters
    oldest    earliest date that the page states; without one, last. When it was fetched decides nothing: two crawls
              that saw the same bytes must make the same corpus
    best      highest column `quality`; without one, last; then most characters

Ties go to the smaller document id, which is stable for life, so that the choice depends on the documents alone.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt
import polars as pl

KeepRule = Literal["longest", "oldest", "best"]
Numbers = npt.NDArray[np.uint64]

LAST = np.uint64(0xFFFFFFFFFFFFFFFF)
_SIGN = np.uint64(1 << 63)


def columns_of(rule: KeepRule) -> tuple[str, ...]:
    """Columns of a document that the rule reads."""
    return {"longest": ("text",), "oldest": ("date",), "best": ("quality", "text")}[rule]


def precedence(documents: pl.DataFrame, rule: KeepRule) -> npt.NDArray[np.uint64]:
    """(documents, 3): two numbers by the rule, and the document id."""
    longest = LAST - documents["text"].str.len_chars().cast(pl.UInt64).to_numpy()
    nothing = np.zeros(documents.height, dtype=np.uint64)
    if rule == "longest":
        numbers = (longest, nothing)
    elif rule == "oldest":
        numbers = (_dates(documents["date"]), nothing)
    else:
        numbers = (_highest(documents, "quality"), longest)
    return np.stack([*numbers, id_numbers(documents["doc_id"])], axis=1)


def id_numbers(doc_ids: pl.Series) -> Numbers:
    """Document ids (16 hex digits) as numbers."""
    return np.frombuffer(bytes.fromhex("".join(doc_ids)), dtype=">u8").astype(np.uint64)


def id_texts(numbers: Numbers) -> list[str]:
    """Numbers as document ids."""
    return [f"{n:016x}" for n in numbers.tolist()]


def _dates(dates: pl.Series) -> Numbers:
    """2020, 2020-05 and 2020-05-28 as 20200000, 20200500 and 20200528: an unknown month comes before January."""
    digits = dates.str.replace_all("[^0-9]", "").str.slice(0, 8)
    known = digits.str.len_chars() >= 4
    days = pl.select(pl.when(known).then(digits.str.pad_end(8, "0"))).to_series().cast(pl.UInt64)
    return days.fill_null(int(LAST)).to_numpy()


def _highest(documents: pl.DataFrame, name: str) -> Numbers:
    """A column of numbers so that the highest comes first and what is null or not a number comes last."""
    if name not in documents.columns:
        return np.full(documents.height, LAST)
    values = documents[name].cast(pl.Float64).fill_nan(None)
    floats = values.fill_null(0.0).to_numpy() + 0.0  # -0.0 is 0.0
    bits = floats.view(np.uint64)
    ascending = np.where(bits & _SIGN, ~bits, bits | _SIGN)
    return np.where(values.is_null().to_numpy(), LAST, ~ascending)
