from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_contracts.stages import DedupConfig
from tasks.transforms.clusters import similarity
from tasks.transforms.flat_text import flat_text
from tasks.transforms.shingles import shingles
from tasks.transforms.signatures import band, sign
from tests.given_documents import documents

CFG = DedupConfig()


@given(st.lists(st.text(alphabet="天地玄黄宇宙洪荒", max_size=30), max_size=6), st.integers(1, 8))
def test_shingles_are_the_ngrams_of_each_text(texts, n):
    hashes, offsets = shingles(flat_text(texts), n)
    names: dict[int, str] = {}
    for text, start, end in zip(texts, offsets[:-1], offsets[1:], strict=True):
        grams = [text[i : i + n] for i in range(max(1, len(text) - n + 1))]
        assert end - start == len(grams)
        for value, gram in zip(hashes[start:end].tolist(), grams, strict=True):
            assert names.setdefault(value, gram) == gram  # equal hashes mean equal n-grams, here and in other texts
    assert len(set(names.values())) == len(names)


def test_similarity_estimates_jaccard():
    rng = np.random.default_rng(5)
    base = "".join(chr(0x4E00 + c) for c in rng.integers(0, 3000, 3000))
    texts = [base] + [base[:cut] + base[::-1][cut:] for cut in (2900, 2500, 2000, 1500)]
    sets = [{t[i : i + 5] for i in range(len(t) - 4)} for t in texts]
    _, signed = sign(documents(texts), CFG)
    signatures = signed["signature"].to_numpy()
    for i in range(1, len(texts)):
        jaccard = len(sets[0] & sets[i]) / len(sets[0] | sets[i])
        estimate = similarity(signatures, np.array([0]), np.array([i]))[0]
        assert abs(estimate - jaccard) < 4 * np.sqrt(jaccard * (1 - jaccard) / 112) + 0.01


def test_a_signature_depends_on_its_text_alone():
    texts = ["春眠不觉晓处处闻啼鸟", "夜来风雨声花落知多少", "", "短", "春眠不觉晓处处闻啼鸟", "，，，"]
    keys, signed = sign(documents(texts), CFG)
    assert keys["chars"].to_list() == [len(t) for t in texts]
    assert signed.height == 5  # one of them is there twice
    for i, text in enumerate(texts):
        own_keys, own = sign(documents([text], start=i), CFG)
        assert own_keys["digest"][0] == keys["digest"][i]
        assert signed.filter(pl.col("digest") == own["digest"][0]).equals(own)


def test_no_documents():
    keys, signed = sign(documents([]), CFG)
    assert keys.shape == (0, 4)
    assert signed.height == 0
    assert signed.schema["signature"] == pl.Array(pl.UInt32, 112)


@pytest.mark.parametrize(("bands", "rows"), [(1, 1), (14, 8), (9, 13)])
def test_bands_follow_the_config(bands, rows):
    _, signed = sign(
        documents(["明月几时有把酒问青天"] * 2 + ["不知天上宫阙"]), DedupConfig(bands=bands, rows_per_band=rows)
    )
    assert [c for c in signed.columns if c.startswith("band_")] == [band(i) for i in range(bands)]
    assert signed["signature"].to_numpy().shape == (2, bands * rows)
