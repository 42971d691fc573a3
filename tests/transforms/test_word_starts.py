"""Bits of tokens against words, by hand and against a slow reading of the rule."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_contracts.errors import ConservationBroken
from tasks.transforms import word_starts
from tasks.transforms.flat_text import offsets_of
from tasks.transforms.word_starts import begins_word


def bits(texts: list[str], words: list[list[str]], tokens: list[list[bytes]]) -> list[int]:
    def flat(pieces, kind):
        lengths = np.array([len(p) for of_text in pieces for p in of_text], dtype=kind)
        return lengths, offsets_of(np.array([len(of_text) for of_text in pieces], dtype=np.int64))

    return begins_word(texts, *flat(words, np.uint32), *flat(tokens, np.uint8)).astype(int).tolist()


def utf8(pieces: str) -> list[bytes]:
    return [p.encode() for p in pieces.split("|")]


@pytest.mark.parametrize(
    ("words", "tokens", "expected"),
    [
        ("我们|的|中国", "我们|的|中|国", [1, 1, 1, 0]),
        ("我们|的|中国", "我|们的|中|国", [1, 0, 1, 0]),  # 们的 lies in 我们; 我们的 is one run to mask
        ("我们|的|中国", "我们的中|国", [1, 0]),
        ("你好|，|世界| |ok", "你好|，世界| ok", [1, 1, 1]),  # Qwen2's expression joins a mark or space to what follows
        ("a|。", "a|。", [1, 1]),
    ],
)
def test_a_token_has_the_bit_when_a_word_begins_at_its_first_byte(words, tokens, expected):
    assert bits([words.replace("|", "")], [words.split("|")], [utf8(tokens)]) == expected


def test_a_character_cut_into_bytes_has_one_bit():
    whole = "龘𠮷".encode()
    assert bits(["龘𠮷"], [["龘", "𠮷"]], [[whole[:1], whole[1:3], whole[3:5], whole[5:]]]) == [1, 0, 1, 0]


def test_texts_do_not_mix_and_empty_ones_have_no_bits():
    assert bits(["", "天地", "", "玄"], [[], ["天地"], [], ["玄"]], [[], utf8("天|地"), [], utf8("玄")]) == [1, 0, 1]
    assert bits([], [], []) == []


@pytest.mark.parametrize(("words", "tokens"), [(["天"], "天|地"), (["天地"], "天")])
def test_words_or_tokens_of_another_text_are_a_fault(words, tokens):
    with pytest.raises(ConservationBroken, match="fault of the cutter or the encoder"):
        bits(["天地"], [words], [utf8(tokens)])


@st.composite
def cut_texts(draw):
    """A text, cut into words by characters and into tokens by bytes, at random."""
    text = draw(st.text(st.sampled_from("天地玄黄aé𠮷 ，\n"), max_size=30))

    def cut(whole):
        places = sorted(draw(st.sets(st.integers(1, max(1, len(whole) - 1)), max_size=len(whole)))) if whole else []
        ends = [p for p in places if p < len(whole)]
        return [whole[a:b] for a, b in zip([0, *ends], [*ends, len(whole)], strict=True)] if whole else []

    return text, cut(text), cut(text.encode())


@given(st.lists(cut_texts(), max_size=6), st.sampled_from([1, 7, 1 << 19]))
def test_equal_to_the_rule_read_slowly(cases, batch_chars):
    before, word_starts.BATCH_CHARS = word_starts.BATCH_CHARS, batch_chars
    try:
        found = bits([t for t, _, _ in cases], [w for _, w, _ in cases], [b for _, _, b in cases])
    finally:
        word_starts.BATCH_CHARS = before
    expected = []
    for _, words, tokens in cases:
        at, borders = 0, set()
        for word in words:
            borders.add(at)
            at += len(word.encode())
        at = 0
        for token in tokens:
            expected.append(int(at in borders))
            at += len(token)
    assert found == expected
