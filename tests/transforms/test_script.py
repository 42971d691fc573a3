from __future__ import annotations

import polars as pl

from tasks.transforms.characters import Kind, decode, holds
from tasks.transforms.script import script, simplify
from tasks.transforms.tally import tally


def test_kinds_of_characters() -> None:
    table = tally(decode(pl.Series(["国们这國們這中一，。12aZあア한★\ufffd \n"])))
    found = {kind: int(table.kinds[0, kind]) for kind in Kind if table.kinds[0, kind]}
    assert found == {
        Kind.SIMPLIFIED: 3, Kind.TRADITIONAL: 3, Kind.HAN: 2, Kind.MARK: 2, Kind.DIGIT: 2, Kind.LATIN: 2, Kind.KANA: 2,
        Kind.HANGUL: 1, Kind.SYMBOL: 1, Kind.BROKEN: 1, Kind.SPACE: 1, Kind.LINE_FEED: 1,
    }  # fmt: skip


def test_script_goes_by_the_greater_share() -> None:
    frame = pl.DataFrame({"simplified_ratio": [0.2, 0.0, 0.0, 0.2], "traditional_ratio": [0.05, 0.3, 0.0, 0.1]})
    assert frame.select(script()).to_series().to_list() == ["hans", "hant", "hans", "mixed"]


def test_only_texts_with_traditional_characters_are_converted() -> None:
    texts = pl.Series(["軟體與滑鼠", "软件和鼠标", "", None])
    assert holds(texts, Kind.TRADITIONAL).tolist() == [True, False, False, False]
    assert simplify(texts).to_list() == ["软件与鼠标", "软件和鼠标", "", None]
