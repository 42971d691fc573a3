# odd characters are what is tested
from __future__ import annotations

import gzip
import json
import subprocess
import sys

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer

from tasks.transforms import bpe

SAMPLE = [
    "永和九年，岁在癸丑，暮春之初，会于会稽山阴之兰亭，修禊事也。群贤毕至，少长咸集。",
    "此地有崇山峻岭，茂林修竹；又有清流激湍，映带左右，引以为流觞曲水，列坐其次。",
    "The quick brown fox's tail — 2024年10月, github.com/ziliu\n\n  indented\t\r\ncode = [1, 22, 333]",
    "虽无丝竹管弦之盛，一觞一咏，亦足以畅叙幽情。是日也，天朗气清，惠风和畅。",
] * 3
ODD = [
    "", " ", "\n\n\n", "  a", "a  ", "\u3000\u3000段首", "\ufeff头", "\x00\x01\x7f", "🏳️‍🌈👨‍👩‍👧", "e\u0301\u0302", "㐂𠮷𪚥",
    "ＡＢＣ１２３", "1234567890", "٣٤٥", "it's I'LL we'Re", "……——！！！？？", "\r\n\r\n", "a\u2028b\u0085c", "ไทยעברית العربية",
    "他说<|endoftext|>然后<|pad|>完", "<|endoftext|>", "<|im_start|>", "中文English混排123テスト한국어",
]  # fmt: skip


@pytest.fixture(scope="module")
def tokenizer_json() -> str:
    return bpe.train(SAMPLE, 600, 2)


def ids(made: bpe.Encoded) -> list[list[int]]:
    return [made.ids[a:b].tolist() for a, b in zip(made.offsets[:-1], made.offsets[1:], strict=True)]


def reference(tokenizer_json: str) -> Tokenizer:
    """The tokenizer as everybody reads it, told to take special tokens in a text for text."""
    tokenizer = Tokenizer.from_str(tokenizer_json)
    tokenizer.encode_special_tokens = True
    return tokenizer


def test_special_tokens_have_their_ids_and_every_byte_has_a_token(tokenizer_json):
    described = json.loads(tokenizer_json)
    assert [(t["id"], t["content"], t["special"]) for t in described["added_tokens"]] == [
        (0, "<|endoftext|>", True),
        (1, "<|pad|>", True),
    ]
    assert len([t for t in described["model"]["vocab"] if len(t) == 1]) == 256
    assert described["normalizer"] is None
    assert described["pre_tokenizer"]["pretokenizers"][0]["pattern"]["Regex"] == bpe.QWEN2


@given(st.text())
def test_decoding_gives_back_every_text(tokenizer_json, text):
    encoded = bpe.encoder(tokenizer_json).encode([text])
    assert Tokenizer.from_str(tokenizer_json).decode(encoded.ids.tolist(), skip_special_tokens=False) == text


@given(st.lists(st.text() | st.sampled_from(ODD), max_size=5))
def test_both_encoders_give_the_ids_of_tokenizers(tokenizer_json, texts):
    encoder = bpe.encoder(tokenizer_json)
    assert encoder.name == bpe.encoder_name(tokenizer_json) == "compiled"
    assert ids(bpe._Gigatoken(bpe.plain(tokenizer_json)).encode(texts)) == ids(encoder.encode(texts))
    assert ids(encoder.encode(texts)) == [reference(tokenizer_json).encode(t).ids for t in texts]


def test_an_encoder_that_is_opened_anew_gives_the_same_ids(tokenizer_json, monkeypatch):
    whole = ids(bpe.encoder(tokenizer_json).encode(SAMPLE + ODD))
    monkeypatch.setattr(bpe, "RENEWED_AFTER", 50)
    encoder, opened = bpe._Gigatoken(bpe.plain(tokenizer_json)), []
    real = bpe._Gigatoken._open
    monkeypatch.setattr(bpe._Gigatoken, "_open", lambda self: (opened.append(1), real(self)))
    assert ids(encoder.encode(SAMPLE + ODD)) == whole
    assert len(opened) > 5


@pytest.mark.parametrize("text", ODD)
def test_odd_characters(tokenizer_json, text):
    encoded = ids(bpe.encoder(tokenizer_json).encode([text]))[0]
    assert encoded == reference(tokenizer_json).encode(text).ids
    assert not {bpe.SEPARATOR_ID, bpe.PAD_ID} & set(encoded), "a text must never become a special token"


def test_real_text_is_encoded_identically(shared_data):
    lines = gzip.decompress((shared_data / "dedup" / "law_docs.jsonl.gz").read_bytes()).split(b"\n")[:60]
    texts = [orjson.loads(line)["text"] for line in lines]
    made = bpe.train(texts[:20], 1000, 2)
    assert ids(bpe.encoder(made).encode(texts)) == [e.ids for e in reference(made).encode_batch(texts)]


def test_a_tokenizer_that_is_not_quite_ours_goes_to_gigatoken(tokenizer_json):
    described = json.loads(tokenizer_json)
    described["model"]["ignore_merges"] = True
    other = json.dumps(described)
    encoder = bpe.encoder(other)
    assert encoder.name == "gigatoken"
    assert ids(encoder.encode(ODD)) == [reference(other).encode(t).ids for t in ODD]


def test_a_tokenizer_that_gigatoken_refuses_goes_to_tokenizers(tokenizer_json):
    described = json.loads(tokenizer_json)
    described["pre_tokenizer"]["pretokenizers"][0]["pattern"]["Regex"] = "[\u4e00-\u9fff]{1,3}|[^\u4e00-\u9fff]+"
    other = json.dumps(described)
    encoder = bpe.encoder(other)
    assert encoder.name == "tokenizers"
    assert ids(encoder.encode(ODD)) == [reference(other).encode(t).ids for t in ODD]
    assert len(encoder.encode([]).ids) == 0


def test_the_same_sample_gives_the_same_bytes_in_every_process(tokenizer_json):
    code = (
        "import sys, hashlib; from tasks.transforms import bpe; texts = eval(sys.stdin.read())\n"
        "print(hashlib.sha256(bpe.train(texts, 600, 2).encode()).hexdigest())"
    )
    found = {
        subprocess.run(
            [sys.executable, "-c", code], input=repr(SAMPLE), capture_output=True, text=True, check=True
        ).stdout
        for _ in range(2)
    }
    assert len(found) == 1
    assert bpe.train(SAMPLE, 600, 2) == tokenizer_json


def test_a_tiny_sample_gives_a_smaller_vocabulary():
    made = bpe.train(["啊"], 5000, 2)
    assert bpe.vocabulary_size(made) == 258
    assert np.array_equal(bpe.encoder(made).encode(["啊"]).ids, Tokenizer.from_str(made).encode("啊").ids)


def test_no_token_is_longer_than_eight_han_characters():
    made = bpe.train(["本网站内容未经书面许可不得转载复制发行" * 3] * 50, 2000, 2)
    assert max(map(len, json.loads(made)["model"]["vocab"])) <= bpe.MAX_TOKEN_BYTES
