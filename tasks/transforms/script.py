"""字形 script: simplified or traditional characters, and the conversion from one to the other.

A character is simplified when GB 2312 has it and Big5 has not, traditional the other way round (see
`characters.kinds`); most characters are neither.
"""

from __future__ import annotations

from functools import cache

import opencc
import polars as pl

CONVERSION = "tw2sp"  # with phrases: 軟體 -> 软件, 滑鼠 -> 鼠标; t2s would leave 软体, 滑鼠


MIXED_RATIO = 0.06  # of Han, only-simplified and only-traditional characters both; good text stays below .05


def script() -> pl.Expr:
    """`hans`, `hant` or `mixed` from the signals simplified_ratio and traditional_ratio; a tie reads as hans."""
    simplified, traditional = pl.col("simplified_ratio"), pl.col("traditional_ratio")
    return (
        pl.when(pl.min_horizontal(simplified, traditional) > MIXED_RATIO)
        .then(pl.lit("mixed"))
        .when(traditional > simplified)
        .then(pl.lit("hant"))
        .otherwise(pl.lit("hans"))
    )


@cache
def _converter() -> opencc.OpenCC:
    return opencc.OpenCC(CONVERSION)


def simplify(text: pl.Series) -> pl.Series:
    """Traditional to simplified, phrase by phrase; null stays null."""
    convert = _converter().convert
    return pl.Series(text.name, [None if t is None else convert(t) for t in text], dtype=pl.String())
