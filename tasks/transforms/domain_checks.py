"""领域检查 domain checks: what contracts of Chinese corpora ask under `implementation: {check: NAME}`.

Each is a polars expression. `resident_id` is written apart from redact on purpose: a fault there must not hide in a
check that shares its code; `personal_data` asks redact's own rules, which know more kinds.
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from data_contracts.rules import Check
from tasks.transforms import pii

# GB 11643-1999: 2 digits of province, 4 of county, date of birth, 3 of order, 1 check character (ISO 7064 MOD 11-2).
# A letter may stand before it (学籍号 is G and the id), a digit or a decimal point may not; the boundary behind it is
# an ASCII one, because Han characters count as word characters for a Unicode `\b`.
_PROVINCE = "(?:1[1-5]|2[1-3]|3[1-7]|4[1-6]|5[0-4]|6[1-5]|71|8[1-3]|91)"
_DAY = "(?:0[1-9]|1[0-9]|2[0-8])"  # days that every month has
_MONTH_AND_DAY = f"(?:(?:0[1-9]|1[0-2]){_DAY}|(?:0[13-9]|1[0-2])(?:29|30)|(?:0[13578]|1[02])31)"
_LEAP_DAY = "(?:(?:18|19|20)(?:0[48]|[2468][048]|[13579][26])|2000)0229"
_BIRTH = f"(?:(?:18[89]|19[0-9]|20[0-9])[0-9]{_MONTH_AND_DAY}|{_LEAP_DAY})"
_RESIDENT_ID = rf"(?:^|[^0-9.]){_PROVINCE}[0-9]{{4}}{_BIRTH}[0-9]{{3}}[0-9Xx](?-u:\b)"
_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)


def resident_id(column: str | None) -> pl.Expr:
    """True where the text holds an 18-character resident id whose check character is right."""
    found = _text(column).str.extract_all(_RESIDENT_ID)
    one = pl.element().str.tail(18)
    total = pl.sum_horizontal(
        one.str.slice(i, 1).cast(pl.Int32, strict=False) * weight for i, weight in enumerate(_WEIGHTS)
    )
    last = one.str.slice(17, 1)
    value = pl.when(last.is_in(["X", "x"])).then(10).otherwise(last.cast(pl.Int32, strict=False))
    return found.list.eval((total + value) % 11 == 1).list.any()


def personal_data(column: str | None, kinds: Sequence[str] = ("CN_ID", "USCC", "BANK")) -> pl.Expr:
    """True where redact's own rules still find personal data of these kinds with a valid checksum."""
    wanted = set(kinds)

    def found(text: pl.Series) -> pl.Series:
        return pii.left_kinds(text).list.eval(pl.element().is_in(wanted)).list.any()

    return _text(column).map_batches(found, return_dtype=pl.Boolean(), is_elementwise=True)


def han_share(column: str | None) -> pl.Expr:
    """Han characters among all characters of the column, in [0, 1]; null without any character."""
    return _divided(*_han(column))


def unknown_share(column: str | None) -> pl.Expr:
    """Characters of private use or without a meaning among all characters, in [0, 1]: they end as rare tokens."""
    return _divided(*_unknown(column))


def words_cover_text(column: str | None) -> pl.Expr:
    """True where the lengths of a document's words do not add up to the characters of its `text`."""
    words = _text(column)
    return words.list.sum().cast(pl.Int64) != pl.col("text").str.len_chars().cast(pl.Int64)


def largest_share(column: str | None, of: str | None = None) -> pl.Expr:
    """Share of rows that the most frequent value of `of` (or of the column) holds, in (0, 1]; null without rows."""
    counts = _text(of or column).unique_counts()
    return counts.max() / pl.len()


def _han(column: str | None) -> tuple[pl.Expr, pl.Expr]:
    return _matches(column, r"\p{Han}")


def _unknown(column: str | None) -> tuple[pl.Expr, pl.Expr]:
    return _matches(column, r"[\p{Co}\p{Cn}]")


def _matches(column: str | None, pattern: str) -> tuple[pl.Expr, pl.Expr]:
    """Characters that match, and all characters."""
    text = _text(column)
    return text.str.count_matches(pattern).sum(), text.str.len_chars().sum()


def _divided(above: pl.Expr, below: pl.Expr) -> pl.Expr:
    return pl.when(below > 0).then(above / below)


def _text(column: str | None) -> pl.Expr:
    if column is None:
        raise ValueError("this check stands under a property, or names its column in `arguments`")
    return pl.col(column)


CHECKS: dict[str, Check] = {
    "resident_id": Check("violation", resident_id),
    "personal_data": Check("violation", personal_data),
    "words_cover_text": Check("violation", words_cover_text),
    "han_share": Check("metric", han_share, _han),
    "unknown_share": Check("metric", unknown_share, _unknown),
    "largest_share": Check("metric", largest_share),
}
