"""Tokenizers of other people's models: the same ids as everybody gets, whole words, and no wrong vocabulary unnoticed."""

from __future__ import annotations

import json

import numpy as np
import pytest
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

from data_contracts.errors import ConfigError
from tasks.transforms import bpe
from tasks.transforms.foreign_tokenizer import Specials, adopted, refuse_another, size_of, specials
from tasks.transforms.word_starts import begins_at, begins_word
from tasks.transforms.words import words

TEXTS = [
    "永和九年，岁在癸丑，暮春之初，会于会稽山阴之兰亭，修禊事也。", "The quick brown fox — 2024年10月\n\n  code = [1]", "",
    "他说<|endoftext|>然后[MASK]完", "Ⅳ ﬁ e\u0301 ＡＢＣ", "𠮷野家🏳️‍🌈", "群贤毕至，少长咸集。此地有崇山峻岭" * 3,
]  # fmt: skip
GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"


def byte_level(normalizer: normalizers.Normalizer | None = None) -> str:
    """As GPT-2's: one special token, which ends documents and fills blocks; with NFC as Qwen's."""
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(GPT2), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    made.decoder = decoders.ByteLevel()
    if normalizer is not None:
        made.normalizer = normalizer
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    made.train_from_iterator(
        TEXTS * 3, trainers.BpeTrainer(vocab_size=400, initial_alphabet=alphabet, show_progress=False)
    )
    made.add_special_tokens([AddedToken("<|endoftext|>", special=True)])
    return made.to_str()


def word_pieces() -> str:
    """As BERT's for Chinese: lower case, every Han character by itself, [CLS] and [SEP] around."""
    made = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    made.normalizer = normalizers.BertNormalizer(lowercase=True)
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    made.train_from_iterator(
        TEXTS, trainers.WordPieceTrainer(vocab_size=200, special_tokens=special, show_progress=False)
    )
    made.post_processor = processors.TemplateProcessing("[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
    made.enable_truncation(12)
    return made.to_str()


def unigram() -> str:
    made = Tokenizer(models.Unigram())
    made.pre_tokenizer = pre_tokenizers.Metaspace()
    made.train_from_iterator(
        TEXTS,
        trainers.UnigramTrainer(
            vocab_size=150, special_tokens=["<unk>", "<s>", "</s>"], unk_token="<unk>", show_progress=False
        ),
    )
    return made.to_str()


ENDS = json.dumps({"eos_token": "<|endoftext|>", "pad_token": "<|endoftext|>"})
BERT = json.dumps({n: {"content": c} for n, c in (("cls_token", "[CLS]"), ("sep_token", "[SEP]"), ("pad_token", "[PAD]"), ("mask_token", "[MASK]"))})  # fmt: skip
KINDS = {"gpt2": byte_level(), "nfc": byte_level(normalizers.NFC()), "bert": word_pieces(), "unigram": unigram()}


def test_our_own_tokenizer_has_the_special_ids_that_it_always_had():
    assert specials(bpe.train(TEXTS, 300, 2), bpe.tokenizer_config()) == Specials(0, 1, None, (0, 1))


def test_the_special_tokens_of_a_masked_model():
    assert specials(KINDS["bert"], BERT) == Specials(2, 0, 4, (0, 1, 2, 3, 4))


def test_a_tokenizer_without_a_padding_of_its_own_gets_one():
    before = specials(KINDS["gpt2"], ENDS)
    assert before.pad == -1
    made, config = adopted(KINDS["gpt2"], ENDS, ())
    assert specials(made, config).pad == size_of(KINDS["gpt2"])
    assert specials(made, config).separator == before.separator


def test_a_tokenizer_that_needs_nothing_is_taken_to_the_byte():
    assert adopted(KINDS["bert"], BERT, ())[0] == KINDS["bert"]


def test_a_tokenizer_that_begins_nothing_is_refused():
    with pytest.raises(ConfigError, match="nothing begins documents"):
        specials(KINDS["unigram"], "{}")


@pytest.mark.parametrize("kind", KINDS)
def test_ids_are_those_of_the_library_that_takes_special_tokens_for_text(kind):
    reference = Tokenizer.from_str(KINDS[kind])
    reference.encode_special_tokens = True
    reference.no_truncation()
    encoded = bpe.opened(KINDS[kind]).encoder.encode(TEXTS)
    found = [encoded.ids[a:b].tolist() for a, b in zip(encoded.offsets[:-1], encoded.offsets[1:], strict=True)]
    assert found == [e.ids for e in reference.encode_batch(TEXTS, add_special_tokens=False)]


def starts_of(kind: str) -> np.ndarray:
    """Word bits as the encode stage makes them."""
    vocabulary = bpe.opened(KINDS[kind])
    encoded = vocabulary.encoder.encode(TEXTS)
    cut = words(TEXTS)
    if encoded.starts is None:
        return begins_word(TEXTS, cut.chars, cut.offsets, vocabulary.token_bytes[encoded.ids], encoded.offsets)
    return begins_at(TEXTS, cut.chars, cut.offsets, encoded.starts, encoded.offsets)


def test_words_by_offsets_are_words_by_bytes():
    """The same tokenizer by both ways, with tokens that begin in the middle of a character."""
    cut = words(TEXTS)
    tokenizer_json = KINDS["gpt2"]
    opened, located = bpe.opened(tokenizer_json), bpe._Located(bpe.plain(tokenizer_json)).encode(TEXTS)
    encoded = opened.encoder.encode(TEXTS)
    assert encoded.ids.tolist() == located.ids.tolist()
    assert located.starts is not None
    expected = begins_word(TEXTS, cut.chars, cut.offsets, opened.token_bytes[encoded.ids], encoded.offsets)
    found = begins_at(TEXTS, cut.chars, cut.offsets, located.starts, located.offsets)
    assert found.tolist() == expected.tolist()


def test_a_word_of_some_characters_is_one_word_of_some_tokens():
    bits = starts_of("bert")
    encoded = bpe.opened(KINDS["bert"]).encoder.encode(TEXTS)
    tokens = [Tokenizer.from_str(KINDS["bert"]).id_to_token(i) for i in encoded.ids[: int(encoded.offsets[1])]]
    own = bits[: int(encoded.offsets[1])]
    assert bits[0]
    assert 1 < own.sum() < len(tokens), "每个字一个词元, 每个词一位"
    assert own[tokens.index("，")]


def test_the_tokenizer_of_the_folder_passes_and_another_is_named_with_both_sizes():
    refuse_another("m", KINDS["gpt2"], adopted(KINDS["gpt2"], ENDS, ("暮春之初",))[0])
    with pytest.raises(
        ConfigError, match=rf"of {size_of(KINDS['gpt2'])} tokens \(\w+\).* another of {size_of(KINDS['bert'])} \("
    ):
        refuse_another("m", KINDS["gpt2"], KINDS["bert"])
    with pytest.raises(ConfigError, match="other words"):
        refuse_another("m", KINDS["gpt2"], KINDS["nfc"])


def test_new_words_are_tokens_of_their_own():
    made, config = adopted(KINDS["bert"], BERT, ("暮春之初", "兰亭"))
    encoded = bpe.opened(made).encoder.encode(["暮春之初，兰亭"])
    size = size_of(KINDS["bert"])
    assert encoded.ids.tolist()[0] == size
    assert encoded.ids.tolist()[-1] == size + 1
    assert specials(made, config) == specials(KINDS["bert"], BERT), "they are text, not special"
