"""The compiled encoder gives the ids of `tokenizers`, on text and vocabularies made to break what it rests on."""

from __future__ import annotations

import json
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Regex, Tokenizer, pre_tokenizers

from tasks.transforms import bpe, bpe_kernel
from tasks.transforms.bpe_kernel import LETTER, LINE_END, NUMBER, OTHER, SPACE, UNKNOWN
from tasks.transforms.bpe_tables import byte_characters, torn

# Characters whose bytes are alike, so that pairs across characters are frequent: 㐀 and 縀 end alike, 一 and 丁 begin alike.
ALIKE = "一丁七丂㐀縀中亀耀乀é¡𠮷𠀀ÿÀa' \n"


def reference(tokenizer_json: str) -> Tokenizer:
    tokenizer = Tokenizer.from_str(tokenizer_json)
    tokenizer.encode_special_tokens = True
    return tokenizer


def made(tokenizer_json: str, texts: list[str]) -> list[list[int]]:
    encoder = bpe.encoder(tokenizer_json)
    assert encoder.name == "compiled"
    found = encoder.encode(texts)
    return [found.ids[a:b].tolist() for a, b in zip(found.offsets[:-1], found.offsets[1:], strict=True)]


def expected(tokenizer_json: str, texts: list[str]) -> list[list[int]]:
    return [e.ids for e in reference(tokenizer_json).encode_batch(texts)]


@pytest.fixture(scope="module")
def torn_vocabularies() -> list[str]:
    """Vocabularies full of tokens that take characters apart and reach into the next."""
    found = []
    for seed in range(6):
        dice = random.Random(seed)
        texts = ["".join(dice.choices(ALIKE, k=dice.randrange(1, 40))) for _ in range(60)]
        found.append(bpe.train(texts, 300 + 60 * seed, 1))
    return found


def test_these_vocabularies_do_tear_characters(torn_vocabularies):
    value = {c: byte for byte, c in enumerate(byte_characters())}
    for described in torn_vocabularies[1:]:
        tokens = [bytes(value[c] for c in t) for t in json.loads(described)["model"]["vocab"] if set(t) <= set(value)]
        assert len(torn(tokens)) > 5


@settings(max_examples=60)
@given(st.lists(st.text(st.sampled_from(ALIKE), max_size=30), min_size=1, max_size=4), st.integers(0, 5))
def test_characters_with_like_bytes(torn_vocabularies, texts, number):
    described = torn_vocabularies[number]
    assert made(described, texts) == expected(described, texts)


@settings(max_examples=60)
@given(st.lists(st.text(), max_size=4), st.integers(0, 5))
def test_any_text(torn_vocabularies, texts, number):
    described = torn_vocabularies[number]
    assert made(described, texts) == expected(described, texts)


@given(st.text(st.sampled_from("ab'sSlLrReEvVtTmMdDſ  \t\n\r\u3000\u00a0，。1２天"), max_size=24))
def test_the_expression_alternative_by_alternative(torn_vocabularies, text):
    assert made(torn_vocabularies[0], [text]) == expected(torn_vocabularies[0], [text])


def test_the_kinds_are_those_of_tokenizers():
    """Of every character that this Python knows; others are given back."""
    kinds = bpe_kernel.kinds()
    codes = [c for c in range(0xE01F0) if kinds[c] != UNKNOWN and not 0xD800 <= c < 0xE000]
    whole = "".join(map(chr, codes))
    for expression, wanted in ((r"\p{L}", (LETTER,)), (r"\p{N}", (NUMBER,)), (r"\s", (SPACE, LINE_END))):
        split = pre_tokenizers.Split(Regex(expression), "removed")
        left = "".join(piece for piece, _ in split.pre_tokenize_str(whole))
        assert left == "".join(chr(c) for c in codes if kinds[c] not in wanted), expression
    assert (kinds[ord("，")], kinds[ord("😀")], kinds[ord("\u0301")]) == (OTHER, OTHER, OTHER)
    assert kinds[0x10FFFF] == kinds[0x0378] == UNKNOWN


@pytest.mark.parametrize(
    "text",
    [
        "一\u0378丁",  # not assigned
        "x" * (bpe_kernel.LONGEST + 1),
        "一" * 250,
        "it'ſ",
        "\U0010fffd",
        "",
    ],
)
def test_what_the_loop_gives_back_is_done_by_the_library_and_stays_in_its_place(torn_vocabularies, text):
    texts = ["一丁七", text, "", text + "。", "中a1"]
    assert made(torn_vocabularies[3], texts) == expected(torn_vocabularies[3], texts)


def test_texts_are_given_back_one_by_one():
    tables = bpe.encoder(bpe.train(["天地玄黄"], 300, 1))._tables
    raw = [t.encode() for t in ("天地", "天\u0378", "x" * (bpe_kernel.LONGEST + 1), "地")]
    offsets, counts = np.append(0, np.cumsum([len(r) for r in raw])), np.empty(4, dtype=np.int64)
    ids = np.empty(int(offsets[-1]), dtype=np.uint32)
    written = bpe_kernel.encode(np.frombuffer(b"".join(raw), np.uint8), offsets, *tables, ids, counts)
    assert (counts[1], counts[2]) == (-1, -1)
    assert written == counts[0] + counts[3] > 0


def test_a_pair_that_is_used_before_its_character_is_whole_sends_it_the_slow_way():
    """Hand-made merges: 天 is e5a4a9. Its last join comes after a pair that holds it, which no training does."""
    described = json.loads(bpe.train(["x"], 300, 2))
    c = byte_characters()
    one, two, three, tail = c[0xE5], c[0xA4], c[0xA9], c[0x61]
    for token in (two + three, one + two, one + two + three, one + two + three + tail):
        described["model"]["vocab"][token] = len(described["model"]["vocab"])
    described["model"]["merges"] = [
        [two, three],
        [one + two, three],
        [one + two + three, tail],
        [one, two + three],
    ]
    text = json.dumps(described)
    tables = bpe.encoder(text)._tables
    assert tables.whole[ord("天")] == -1
    assert tables.whole[ord("a")] >= 0
    assert made(text, ["天a天天a"]) == expected(text, ["天a天天a"])


def test_torn_pairs_worked_out_by_hand():
    assert torn([b"a", "天".encode(), "天".encode()[:2], "天".encode()[1:], "天地".encode(), b"\xa4"]) == []
    assert torn(["天".encode() + b"\xe5\x9c"]) == [("天".encode(), b"\xe5\x9c")]
    assert torn([b"\xa9" + "地".encode()]) == [(b"\xa9", "地".encode())]
    assert torn([b"\xa9\xe5"]) == [(b"\xa9", b"\xe5")]
    assert torn([b"\xa9" + "地".encode() + b"\xe7"]) == [(b"\xa9", "地".encode()), ("地".encode(), b"\xe7")]


def test_real_text(shared_data):
    import polars as pl

    texts: list[str] = []
    for name in ("novels", "poetry", "lctt", "weekly", "subtitles", "laws_tw"):
        frame = pl.read_parquet(shared_data / "pretrain" / f"{name}.parquet", columns=["text"])["text"]
        texts += [t[:3000] for t in frame.gather_every(max(1, len(frame) // 12)).to_list()[:12]]
    described = bpe.train(texts[::2], 4000, 2)
    assert made(described, texts) == expected(described, texts)
