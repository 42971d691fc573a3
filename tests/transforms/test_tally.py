from __future__ import annotations

import math
from collections import Counter

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.transforms.characters import decode, encode
from tasks.transforms.tally import tally

TEXTS = st.lists(st.text(alphabet="的了，。！ \n山水aé中𠀀之乎者", max_size=40), min_size=1, max_size=5)


@given(TEXTS)
def test_entropy_is_shannons_of_the_visible_characters(texts: list[str]) -> None:
    measured = tally(decode(pl.Series(texts))).entropy
    for text, entropy in zip(texts, measured, strict=True):
        counts = Counter("".join(text.split())).values()
        total = sum(counts)
        assert entropy == pytest.approx(-sum(n / total * math.log(n / total) for n in counts), abs=1e-9)


def test_function_characters_and_sentences() -> None:
    found = tally(
        decode(pl.Series(["的的了之", "之乎者也", "佢哋喺度！？！好。好…", None, "v3.14 a.py 完.好. 再\n..."]))
    )
    assert found.stop_kinds.tolist() == [2, 4, 0, 0, 0]
    assert found.stops.tolist() == [4, 4, 0, 0, 0]
    assert found.cantonese.tolist() == [0, 0, 3, 0, 0]
    assert found.sentences.tolist() == [0, 0, 3, 0, 3]  # a run of marks ends one sentence


@given(st.lists(st.one_of(st.none(), st.text(max_size=20)), max_size=6))
def test_code_points_there_and_back(texts: list[str | None]) -> None:
    series = pl.Series(texts, dtype=pl.String())
    codes = decode(series)
    plain = [t or "" for t in texts]
    assert "".join(map(chr, codes.points)) == "".join(t + "\n" for t in plain)
    assert (codes.lengths - 1).tolist() == [len(t) for t in plain]
    assert decode(series[1:3]).lengths.tolist() == codes.lengths[1:3].tolist(), "a slice knows where it begins"


def test_texts_of_bytes() -> None:
    import numpy as np

    assert encode(np.frombuffer("一二a".encode(), np.uint8), np.array([0, 3, 3, 7])).to_list() == ["一", "", "二a"]
