"""Packing loses nothing uncounted, and every document can be found again from its start."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.transforms.packing import pack, token_type

SEP, PAD = 0, 1
documents = st.lists(st.lists(st.integers(2, 65_000), max_size=30), max_size=12)


def packed(docs, block_tokens):
    offsets = np.concatenate(([0], np.cumsum([len(d) for d in docs], dtype=np.int64))).astype(np.int64)
    flat = np.array([t for d in docs for t in d], dtype=np.uint32)
    return pack(flat, offsets, SEP, PAD, block_tokens, np.dtype("<u2"))


@given(documents, st.integers(1, 40))
def test_nothing_is_lost_uncounted(docs, block_tokens):
    stream = packed(docs, block_tokens)
    assert len(stream.tokens) == sum(map(len, docs)) + stream.separators + stream.padding
    if not docs:
        assert len(stream.tokens) == stream.blocks == 0
        return
    assert len(stream.tokens) == stream.blocks * block_tokens + 1
    assert stream.separators == len(docs) + 1 == (stream.tokens == SEP).sum()
    assert stream.padding == (stream.tokens == PAD).sum() < block_tokens
    for doc, start in zip(docs, stream.starts.tolist(), strict=True):
        assert stream.tokens[start : start + len(doc) + 2].tolist() == [SEP, *doc, SEP]


@given(documents.filter(bool), st.integers(1, 40))
def test_blocks_cover_every_target_once(docs, block_tokens):
    stream = packed(docs, block_tokens)
    blocks = [stream.tokens[i * block_tokens : (i + 1) * block_tokens + 1] for i in range(stream.blocks)]
    assert [len(b) for b in blocks] == [block_tokens + 1] * stream.blocks
    assert [t for b in blocks for t in b[1:].tolist()] == stream.tokens[1:].tolist()


@pytest.mark.parametrize(("size", "kind"), [(300, "<u2"), (65_536, "<u2"), (65_537, "<u4")])
def test_the_type_holds_every_id(size, kind):
    assert token_type(size) == np.dtype(kind)
    assert np.iinfo(token_type(size)).max >= size - 1
