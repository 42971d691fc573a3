"""词元 bpe: byte-level BPE in the form of Hugging Face's tokenizer.json, trained by `tokenizers`, applied by gigatoken.

The regular expression is Qwen2's, to the letter: gigatoken and the rest of the ecosystem know it by its text. There is
no normaliser, so decoding gives back every byte. gigatoken can train too, three times cheaper, but by GPT-2's
expression only: 1.29 characters a token against 1.36 (8,000 tokens, 8 MB, encoded by Qwen2's), so it is not used.

Two ids are special. The text of a document must never become one of them, whatever it says: encoders are made from
`plain`, the same tokenizer without added tokens, which spells `<|endoftext|>` out like any other text.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

from tasks.transforms.flat_text import offsets_of

SEPARATOR, PAD = "<|endoftext|>", "<|pad|>"
SEPARATOR_ID, PAD_ID = 0, 1
QWEN2 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
MAX_TOKEN_BYTES = 24  # eight Han characters: no boilerplate sentence becomes a token
RENEWED_AFTER = 16_000_000  # characters, about 40 MB of Chinese and 400 MB of memory
BATCH_TEXTS = 512  # gigatoken and tokenizers both want many texts a call

TokenIds = npt.NDArray[np.uint32]


class Encoded(NamedTuple):
    """Tokens of n texts: text i has `ids[offsets[i]:offsets[i + 1]]`."""

    ids: TokenIds
    offsets: npt.NDArray[np.int64]


class Encoder(Protocol):
    """Turns texts into ids; never into special ids."""

    name: str

    def encode(self, texts: Sequence[str]) -> Encoded:
        """Encode texts one by one, independent of each other."""
        ...


def train(texts: Iterable[str], size: int, min_frequency: int) -> str:
    """The text of a tokenizer.json. Fewer than `size` tokens when the texts do not give as many merges.

    The same texts give the same bytes: ties are broken by token ids, and the alphabet is all 256 bytes.
    """
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(QWEN2), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        min_frequency=min_frequency,
        special_tokens=[SEPARATOR, PAD],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        max_token_length=MAX_TOKEN_BYTES,
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    made: str = tokenizer.to_str(pretty=True)
    return made


def cut_to(tokenizer_json: str, size: int) -> str:
    """The tokenizer that the same training would have given for a smaller size, to the byte.

    Merges are learnt in order and training stops when the vocabulary is full, so the smaller one is a prefix: all ids
    below `size`, and the merges up to the one that made the last of them.
    """
    described = json.loads(tokenizer_json)
    model = described["model"]
    vocabulary: dict[str, int] = model["vocab"]
    if size > len(vocabulary):
        raise ValueError(f"cannot cut {len(vocabulary)} tokens to {size}")
    last = next((i for i, (a, b) in enumerate(model["merges"]) if vocabulary[a + b] == size - 1), -1)
    model["merges"] = model["merges"][: last + 1]
    model["vocab"] = {token: number for token, number in vocabulary.items() if number < size}
    made: str = Tokenizer.from_str(json.dumps(described)).to_str(pretty=True)
    return made


def tokenizer_config(max_tokens: int | None = None) -> str:
    """The text of the tokenizer_config.json that transformers' AutoTokenizer wants beside tokenizer.json."""
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": SEPARATOR,
        "eos_token": SEPARATOR,
        "pad_token": PAD,
        "add_bos_token": False,
        "add_eos_token": False,
        "clean_up_tokenization_spaces": False,
        **({"model_max_length": max_tokens} if max_tokens else {}),
    }
    return json.dumps(config, indent=2) + "\n"


def vocabulary_size(tokenizer_json: str) -> int:
    """One more than the largest id."""
    described = json.loads(tokenizer_json)
    ids: list[int] = [*described["model"]["vocab"].values(), *(t["id"] for t in described["added_tokens"])]
    return 1 + max(ids)


def plain(tokenizer_json: str) -> str:
    """The same tokenizer without added tokens: to it, `<|endoftext|>` is thirteen characters."""
    described = json.loads(tokenizer_json)
    described["added_tokens"] = []
    return json.dumps(described, ensure_ascii=False)


class Vocabulary(NamedTuple):
    """An opened tokenizer: what turns texts into ids, how many ids there are, and how much text each stands for."""

    encoder: Encoder
    size: int
    token_bytes: npt.NDArray[np.uint8]  # by id; 0 for special tokens, which stand for no text


def opened(tokenizer_json: str) -> Vocabulary:
    """Open a tokenizer; takes as long as encoding some hundred kilobytes."""
    size = vocabulary_size(tokenizer_json)
    return Vocabulary(encoder(tokenizer_json), size, token_bytes(tokenizer_json, size))


def token_bytes(tokenizer_json: str, size: int) -> npt.NDArray[np.uint8]:
    """Bytes of each token: byte-level BPE writes every byte as one character."""
    described = json.loads(tokenizer_json)
    lengths = np.zeros(size, dtype=np.uint8)
    for token, number in described["model"]["vocab"].items():
        lengths[number] = len(token)
    lengths[[token["id"] for token in described["added_tokens"]]] = 0
    return lengths


def encoder(tokenizer_json: str) -> Encoder:
    """A gigatoken encoder where it reads the tokenizer, else `tokenizers`; both give the same ids."""
    bare = plain(tokenizer_json)
    try:
        return _Gigatoken(bare)
    except (RuntimeError, ValueError):  # a regular expression or a model that it does not know
        return _Tokenizers(bare)


class _Gigatoken:
    """gigatoken on the calling thread: shards are what runs in parallel.

    It remembers every run of letters that it has met, 10 MB for each MB of Chinese, and never forgets; so it is opened
    anew after RENEWED_AFTER characters, which costs a hundredth of the time.
    """

    name = "gigatoken"

    def __init__(self, tokenizer_json: str) -> None:
        self._described = tokenizer_json
        self._open()

    def _open(self) -> None:
        import gigatoken

        self._encoder = gigatoken.Tokenizer.from_json(self._described)
        self._left = RENEWED_AFTER

    def encode(self, texts: Sequence[str]) -> Encoded:
        made = []
        for text in texts:
            if self._left <= 0:
                self._open()
            self._left -= len(text)
            made.append(self._encoder.encode(text))
        return _joined(made)


class _Tokenizers:
    name = "tokenizers"

    def __init__(self, tokenizer_json: str) -> None:
        self._encoder = Tokenizer.from_str(tokenizer_json)

    def encode(self, texts: Sequence[str]) -> Encoded:
        made = [
            np.array(encoding.ids, dtype=np.uint32)
            for start in range(0, len(texts), BATCH_TEXTS)
            for encoding in self._encoder.encode_batch_fast(
                list(texts[start : start + BATCH_TEXTS]), add_special_tokens=False
            )
        ]
        return _joined(made)


def _joined(made: list[TokenIds]) -> Encoded:
    lengths = np.fromiter(map(len, made), dtype=np.int64, count=len(made))
    return Encoded(np.concatenate(made) if made else np.zeros(0, dtype=np.uint32), offsets_of(lengths))
