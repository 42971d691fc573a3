"""Packing loses nothing uncounted, and every document can be found again from its start."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.transforms.flat_text import offsets_of
from tasks.transforms.packing import Documents, pack, repeated, some, token_type

SEP, PAD = 0, 1
documents = st.lists(st.lists(st.integers(2, 65_000), max_size=30), max_size=12)


def encoded(docs):
    """Even ids begin a word, so that every bit can be checked."""
    flat = np.array([t for d in docs for t in d], dtype=np.uint32)
    return Documents(flat, flat % 2 == 0, offsets_of(np.array([len(d) for d in docs], dtype=np.int64)))


def packed(docs, block_tokens):
    return pack(encoded(docs), SEP, PAD, block_tokens, np.dtype("<u2"))


def lists(made):
    return [made.tokens[a:b].tolist() for a, b in zip(made.offsets[:-1], made.offsets[1:], strict=True)]


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


@given(documents, st.integers(1, 40))
def test_every_id_has_its_bit(docs, block_tokens):
    stream = packed(docs, block_tokens)
    bits = np.unpackbits(stream.begins, count=len(stream.tokens), bitorder="little")
    assert len(stream.begins) == -(-len(stream.tokens) // 8)
    expected = [1 if t in (SEP, PAD) else int(t % 2 == 0) for t in stream.tokens.tolist()]
    assert bits.tolist() == expected


@given(
    documents.flatmap(
        lambda docs: st.tuples(st.just(docs), st.lists(st.integers(0, 4), min_size=len(docs), max_size=len(docs)))
    )
)
def test_copies_stand_in_rounds(asked):
    docs, copies = asked
    made = repeated(encoded(docs), np.array(copies, dtype=np.int64))
    assert lists(made) == [d for done in range(4) for d, c in zip(docs, copies, strict=True) if c > done]
    assert made.begins.tolist() == (made.tokens % 2 == 0).tolist()


@given(documents, st.data())
def test_some_documents_keep_their_order(docs, data):
    wanted = data.draw(st.lists(st.booleans(), min_size=len(docs), max_size=len(docs)))
    made = some(encoded(docs), np.array(wanted, dtype=bool))
    assert lists(made) == [d for d, keep in zip(docs, wanted, strict=True) if keep]
