from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_contracts.stages import DedupConfig
from tasks.transforms import clusters
from tasks.transforms.clusters import similarity
from tasks.transforms.flat_text import flat_text
from tasks.transforms.shingles import shingles
from tasks.transforms.signatures import sign, signatures_of
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
    signed = sign(documents(texts), CFG)
    signatures, unit = signatures_of(signed.units, CFG), signed.unit_of[:, 0].astype(np.int64)
    for i in range(1, len(texts)):
        jaccard = len(sets[0] & sets[i]) / len(sets[0] | sets[i])
        estimate = similarity(signatures, unit[[0]], unit[[i]])[0]
        assert abs(estimate - jaccard) < 4 * np.sqrt(jaccard * (1 - jaccard) / 112) + 0.01


def test_a_signature_depends_on_its_text_alone():
    texts = ["春眠不觉晓处处闻啼鸟", "夜来风雨声花落知多少", "", "短", "春眠不觉晓处处闻啼鸟", "，，，"]
    signed = sign(documents(texts), CFG)
    assert len(signed.units) == 5  # one of them is there twice
    for i, text in enumerate(texts):
        own, unit = sign(documents([text], start=i), CFG), signed.unit_of[i, 0]
        assert own.units.tolist() == [signed.units[unit].tolist()]
        keys = {key for key, row in signed.bands.tolist() if row == unit}
        assert set(own.bands[:, 0].tolist()) == keys


def test_tables_are_sorted_and_belong_together():
    texts = [f"第{i % 40}篇：" + "天地玄黄宇宙洪荒" * (i % 40) for i in range(90)]
    frame = documents(texts)
    signed = sign(frame, CFG)
    assert signed.units[:, :2].tolist() == sorted(signed.units[:, :2].tolist())
    assert signed.bands.tolist() == sorted(signed.bands.tolist())
    assert signed.cards[:, clusters.DIGEST].tolist() == signed.units[:, :2].tolist()
    assert signed.bands.shape == (40 * CFG.bands, 2)
    assert signed.cards[:, clusters.DOCUMENTS].sum() == len(texts)
    for unit, card in enumerate(signed.cards.tolist()):
        rows = [i for i, u in enumerate(signed.unit_of[:, 0].tolist()) if u == unit]
        assert len({texts[i] for i in rows}) == 1
        best = min(rows, key=lambda i: frame["doc_id"][i])  # all have one length
        assert (card[clusters.ROW], card[clusters.ID]) == (best, int(frame["doc_id"][best], 16))


def test_no_documents():
    assert [len(table) for table in sign(documents([]), CFG)] == [0, 0, 0, 0, 0]


@pytest.mark.parametrize(("bands", "rows"), [(1, 1), (14, 8), (9, 13)])
def test_bands_follow_the_config(bands, rows):
    cfg = DedupConfig(bands=bands, rows_per_band=rows)
    signed = sign(documents(["明月几时有把酒问青天"] * 2 + ["不知天上宫阙"]), cfg)
    assert signed.bands.shape == (2 * bands, 2)
    assert signatures_of(signed.units, cfg).shape == (2, bands * rows)
    assert len({key for key, _ in signed.bands.tolist()}) == 2 * bands
