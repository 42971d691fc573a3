"""词元 bpe: byte-level BPE in the form of Hugging Face's tokenizer.json, trained as `tokenizers` does, to the byte.

The regular expression is Qwen2's, to the letter: gigatoken and the rest of the ecosystem know it by its text. There is
no normaliser, so decoding gives back every byte. gigatoken can train too, three times cheaper, but by GPT-2's
expression only: 1.29 characters a token against 1.36 (8,000 tokens, 8 MB, encoded by Qwen2's), so it is not used.

Two ids are special. The text of a document must never become one of them, whatever it says: encoders are made from
`plain`, the same tokenizer without added tokens, which spells `<|endoftext|>` out like any other text.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from functools import cached_property, lru_cache
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers

from tasks.transforms import bpe_kernel
from tasks.transforms.bpe_tables import byte_characters, tables
from tasks.transforms.bpe_trainer import learnt
from tasks.transforms.flat_text import batches, offsets_of

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
    # Where bytes do not tell it: the character at which each token starts, -1 inside one that is begun already.
    starts: npt.NDArray[np.int64] | None = None


class Encoder(Protocol):
    """Turns texts into ids; never into special ids."""

    name: str

    def encode(self, texts: Sequence[str]) -> Encoded:
        """Encode texts one by one, independent of each other."""
        ...


def train(texts: Sequence[str], size: int, min_frequency: int) -> str:
    """The text of a tokenizer.json. Fewer than `size` tokens when the texts do not give as many merges.

    The same texts give the same bytes: ties are broken by token ids, and the alphabet is all 256 bytes.
    """
    characters = byte_characters()
    value = {character: byte for byte, character in enumerate(characters)}
    names = [SEPARATOR, PAD, *sorted(characters)]
    known = [bytes(value[c] for c in name) for name in names]
    merges = []
    for left, right, joined in learnt(piece_counts(texts), known, size, min_frequency, MAX_TOKEN_BYTES).tolist():
        if joined == len(names):
            names.append(names[left] + names[right])
        merges.append((names[left], names[right]))
    tokenizer = Tokenizer(models.BPE(vocab={name: number for number, name in enumerate(names)}, merges=merges))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(QWEN2), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([SEPARATOR, PAD])
    made: str = tokenizer.to_str(pretty=True)
    return made


def piece_counts(texts: Sequence[str]) -> Counter[bytes]:
    """How often each piece, between which nothing is ever joined, stands in texts."""
    found: Counter[bytes] = Counter()
    split = pre_tokenizers.Split(Regex(QWEN2), "isolated")
    for part in batches(texts):
        flat, offsets = _flat(texts[part])
        ends, counts = np.empty(len(flat), dtype=np.int64), np.empty(len(offsets) - 1, dtype=np.int64)
        raw = np.frombuffer(flat, dtype=np.uint8)
        ends = ends[: bpe_kernel.pieces(raw, offsets, bpe_kernel.kinds(), ends, counts)]
        starts, there = np.roll(ends, 1), counts > 0
        starts[offsets_of(np.maximum(counts, 0))[:-1][there]] = offsets[:-1][there]
        found.update(flat[start:end] for start, end in zip(starts.tolist(), ends.tolist(), strict=True))
        for undone in np.flatnonzero(counts < 0).tolist():
            found.update(piece.encode() for piece, _ in split.pre_tokenize_str(texts[part][undone]))
    return found


def _flat(texts: Sequence[str]) -> tuple[bytes, npt.NDArray[np.int64]]:
    """Texts as UTF-8, end to end, and where each begins."""
    raw = [text.encode() for text in texts]
    return b"".join(raw), offsets_of(np.fromiter(map(len, raw), dtype=np.int64, count=len(raw)))


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


@lru_cache(maxsize=2)
def _described(tokenizer_json: str) -> dict[str, Any]:
    """The content of a tokenizer.json, only to be read: 40 ms for 16,384 tokens, and several ask."""
    described: dict[str, Any] = json.loads(tokenizer_json)
    return described


def vocabulary_size(tokenizer_json: str) -> int:
    """One more than the largest id."""
    described = _described(tokenizer_json)
    known = described["model"]["vocab"]
    ids = known.values() if isinstance(known, dict) else range(len(known))  # a list in unigram models
    return 1 + max(int(i) for i in (*ids, *(t["id"] for t in described["added_tokens"])))


def plain(tokenizer_json: str) -> str:
    """The same tokenizer without special tokens: to it, `<|endoftext|>` is thirteen characters. It cuts nothing off."""
    described = json.loads(tokenizer_json)
    described["added_tokens"] = [t for t in described["added_tokens"] if not t["special"]]
    described["truncation"] = described["padding"] = None
    return json.dumps(described, ensure_ascii=False)


class Vocabulary(NamedTuple):
    """An opened tokenizer: what turns texts into ids, how many ids there are, and how much text each stands for."""

    encoder: Encoder
    size: int
    token_bytes: npt.NDArray[np.uint8]  # by id; 0 for special tokens, and for all where tokens are not bytes of text


def opened(tokenizer_json: str) -> Vocabulary:
    """Open a tokenizer; takes as long as encoding some hundred kilobytes."""
    size = vocabulary_size(tokenizer_json)
    if not _is_byte_level(_described(tokenizer_json)):
        return Vocabulary(_Located(plain(tokenizer_json)), size, np.zeros(size, dtype=np.uint8))
    return Vocabulary(encoder(tokenizer_json), size, token_bytes(tokenizer_json, size))


def token_bytes(tokenizer_json: str, size: int) -> npt.NDArray[np.uint8]:
    """Bytes of each token: byte-level BPE writes every byte as one character."""
    described = _described(tokenizer_json)
    lengths = np.zeros(size, dtype=np.uint8)
    for token, number in described["model"]["vocab"].items():
        lengths[number] = len(token)
    for token in described["added_tokens"]:
        lengths[token["id"]] = 0 if token["special"] else len(token["content"].encode())
    return lengths


def encoder(tokenizer_json: str) -> Encoder:
    """The compiled loop for a tokenizer such as `train` makes, else gigatoken, else `tokenizers`: the same ids."""
    compiled = _compiled(tokenizer_json)
    if compiled is not None:
        return compiled
    bare = plain(tokenizer_json)
    if json.loads(bare)["added_tokens"]:  # words found before anything else is done, which only the library does
        return _Tokenizers(bare)
    try:
        return _Gigatoken(bare)
    except (RuntimeError, ValueError):  # a regular expression or a model that it does not know
        return _Tokenizers(bare)


def encoder_name(tokenizer_json: str) -> str:
    """The name of a tokenizer's encoder, which is opened only where it is not the compiled loop."""
    return _Compiled.name if _is_ours(_described(tokenizer_json)) else opened(tokenizer_json).encoder.name


@lru_cache(maxsize=2)
def _compiled(tokenizer_json: str) -> Encoder | None:
    """The compiled loop, None where more stands between text and ids; it remembers nothing, so one serves all."""
    described = _described(tokenizer_json)
    return _Compiled(tokenizer_json, described["model"]) if _is_ours(described) else None


def _is_ours(described: dict[str, Any]) -> bool:
    """Whether nothing but what the compiled loop does stands between text and ids."""
    model, before = described["model"], described["pre_tokenizer"] or {}
    steps = before.get("pretokenizers", [])
    return (
        described["normalizer"] is None
        and model["type"] == "BPE"
        and all(token["special"] for token in described["added_tokens"])
        and not any(model.get(name) for name in ("dropout", "byte_fallback", "ignore_merges", "unk_token"))
        and not any(model.get(name) for name in ("continuing_subword_prefix", "end_of_word_suffix"))
        and [step["type"] for step in steps] == ["Split", "ByteLevel"]
        and steps[0]["pattern"] == {"Regex": QWEN2}
        and steps[0]["behavior"] == "Isolated"
        and not steps[0]["invert"]
        and not (steps[1]["add_prefix_space"] or steps[1]["use_regex"])
    )


def _is_byte_level(described: dict[str, Any]) -> bool:
    """Whether the characters of a token are the bytes of the text that it stands for, every byte once."""
    before = described["pre_tokenizer"] or {}
    steps = before.get("pretokenizers") or [before]
    return (
        described["model"]["type"] == "BPE"
        and described["normalizer"] is None
        and not described["model"].get("byte_fallback")
        and any(step.get("type") == "ByteLevel" for step in steps)
        and not any(step.get("add_prefix_space") for step in steps)
    )


class _Compiled:
    """The loop of tasks/transforms/bpe_kernel.py; the few texts that it gives back go to a library."""

    name = "compiled"

    def __init__(self, tokenizer_json: str, model: dict[str, Any]) -> None:
        self._described = tokenizer_json
        self._tables = tables(model["vocab"], model["merges"])

    @cached_property
    def _library(self) -> Encoder:
        return _Gigatoken(plain(self._described))

    def encode(self, texts: Sequence[str]) -> Encoded:
        made = [self._encoded(texts[part]) for part in batches(texts)]
        ids = np.concatenate([ids for ids, _ in made]) if made else np.zeros(0, dtype=np.uint32)
        return Encoded(ids, offsets_of(np.concatenate([n for _, n in made]) if made else np.zeros(0, dtype=np.int64)))

    def _encoded(self, texts: Sequence[str]) -> tuple[TokenIds, npt.NDArray[np.int64]]:
        """Ids end to end, and how many each text has."""
        flat, offsets = _flat(texts)
        ids, counts = np.empty(len(flat), dtype=np.uint32), np.empty(len(texts), dtype=np.int64)
        raw = np.frombuffer(flat, dtype=np.uint8)
        found = ids[: bpe_kernel.encode(raw, offsets, *self._tables, ids, counts)]
        undone = np.flatnonzero(counts < 0)
        if not len(undone):
            return found, counts
        others = self._library.encode([texts[i] for i in undone.tolist()])
        lengths = np.diff(others.offsets)
        places = offsets_of(np.maximum(counts, 0))[undone]
        counts[undone] = lengths
        return np.insert(found, np.repeat(places, lengths), others.ids), counts


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


class _Located:
    """The library, asked for offsets too: for tokenizers that normalise, or whose tokens are not bytes."""

    name = "tokenizers"

    def __init__(self, tokenizer_json: str) -> None:
        self._encoder = Tokenizer.from_str(tokenizer_json)

    def encode(self, texts: Sequence[str]) -> Encoded:
        ids, starts = [], []
        for start in range(0, len(texts), BATCH_TEXTS):
            for found in self._encoder.encode_batch(list(texts[start : start + BATCH_TEXTS]), add_special_tokens=False):
                ids.append(np.array(found.ids, dtype=np.uint32))
                own = np.array(found.offsets, dtype=np.int64).reshape(-1, 2)  # character at which each starts, and ends
                inside = own[:, 0] < np.append(0, np.maximum.accumulate(own[:, 1])[:-1])[: len(own)]
                starts.append(np.where(inside, -1, own[:, 0]))
        made = _joined(ids)
        return made._replace(starts=np.concatenate(starts) if starts else np.zeros(0, dtype=np.int64))


def _joined(made: list[TokenIds]) -> Encoded:
    lengths = np.fromiter(map(len, made), dtype=np.int64, count=len(made))
    return Encoded(np.concatenate(made) if made else np.zeros(0, dtype=np.uint32), offsets_of(lengths))
