from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from tasks.transforms.flat_text import batches, flat_text


@given(st.lists(st.text(max_size=20), max_size=6))
def test_every_text_can_be_cut_out_again(texts):
    codes, offsets = flat_text(texts)
    whole = codes.tobytes().decode("utf-32-le")
    assert [whole[a:b] for a, b in itertools.pairwise(offsets)] == texts
    assert offsets[0] == 0
    assert offsets[-1] == len(codes)


@given(st.lists(st.text(max_size=30), max_size=12), st.integers(1, 50))
def test_batches_cover_everything_once(texts, chars):
    parts = [texts[part] for part in batches(texts, chars)]
    assert all(parts)
    assert [t for part in parts for t in part] == texts
