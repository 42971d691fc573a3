"""别人的词表 foreign tokenizer: the tokenizer of a Hugging Face folder, as far as we must know it. Reads no file.

What begins a document, what fills a block, what hides a token, and which ids are no text. A tokenizer that has no token
to fill with, or only the one that begins documents, gets one more: <|pad|>.
"""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from tokenizers import AddedToken, Tokenizer

from data_contracts.dataset import digest_of
from data_contracts.errors import ConfigError
from tasks.transforms.bpe import PAD

NAMES = ("bos_token", "eos_token", "pad_token", "mask_token", "cls_token", "sep_token")
NONE = -1


class Specials(NamedTuple):
    """Ids with a meaning of their own."""

    separator: int  # begins every document
    pad: int  # NONE where there is none, or only the separator: never in a tokenizer that was adopted
    mask: int | None
    every: tuple[int, ...]  # these and all others that are no text, ascending


def named(tokenizer_config: str) -> dict[str, str]:
    """The special tokens that a tokenizer_config.json names, by their roles."""
    given = json.loads(tokenizer_config)
    contents = {name: given.get(name) for name in NAMES}
    return {n: c["content"] if isinstance(c, dict) else str(c) for n, c in contents.items() if c}


def specials(tokenizer_json: str, tokenizer_config: str) -> Specials:
    """The special ids of a tokenizer; ConfigError when it has none to begin a document with."""
    tokenizer, roles = Tokenizer.from_str(tokenizer_json), named(tokenizer_config)
    ids = {name: tokenizer.token_to_id(token) for name, token in roles.items()}
    order = ("cls_token", "sep_token") if ids.get("mask_token") is not None else ()
    found = [i for name in (*order, "eos_token", "bos_token", "sep_token") if (i := ids.get(name)) is not None]
    if not found:
        raise ConfigError(
            "vocab.folder: the tokenizer names no eos_token, bos_token or cls_token, so nothing begins documents"
        )
    pad = ids.get("pad_token")
    marked = {int(t["id"]) for t in json.loads(tokenizer_json)["added_tokens"] if t["special"]}
    mask = ids.get("mask_token")
    every = marked | {i for i in (found[0], pad, mask) if i is not None}
    return Specials(found[0], NONE if pad is None or pad == found[0] else pad, mask, tuple(sorted(every)))


def adopted(tokenizer_json: str, tokenizer_config: str, new_tokens: tuple[str, ...]) -> tuple[str, str]:
    """tokenizer.json and tokenizer_config.json as our blocks use them; the first to the byte unless something is added.

    Args:
        new_tokens: words to be tokens of their own, after the last id; those that are there already change nothing.
    """
    tokenizer, roles = Tokenizer.from_str(tokenizer_json), named(tokenizer_config)
    before = tokenizer.get_vocab_size()
    tokenizer.add_tokens([AddedToken(token, normalized=False) for token in new_tokens])
    if specials(tokenizer_json, tokenizer_config).pad == NONE:
        tokenizer.add_special_tokens([AddedToken(PAD, special=True, normalized=False)])
        roles["pad_token"] = PAD
    text = tokenizer_json if tokenizer.get_vocab_size() == before else tokenizer.to_str(pretty=True)
    config = {"tokenizer_class": "PreTrainedTokenizerFast", "clean_up_tokenization_spaces": False, **roles}
    return text, json.dumps(config, ensure_ascii=False, indent=2, sort_keys=True) + "\n"


def identity(tokenizer_json: str, below: int | None = None) -> dict[str, Any]:
    """What two tokenizers must share to give the same ids; added tokens only with ids less than `below`."""
    described = json.loads(Tokenizer.from_str(tokenizer_json).to_str())
    added = {int(t["id"]): (t["content"], t["special"]) for t in described["added_tokens"]}
    kept = {i: token for i, token in added.items() if below is None or i < below}
    parts = {name: described[name] for name in ("model", "normalizer", "pre_tokenizer")}
    return {**parts, "added": sorted(kept.items())}


def size_of(tokenizer_json: str) -> int:
    """One more than the largest id."""
    return 1 + max(Tokenizer.from_str(tokenizer_json).get_vocab(with_added_tokens=True).values())


def refuse_another(folder: str, of_folder: str, of_blocks: str) -> None:
    """ConfigError unless the blocks' tokenizer is the folder's, or the folder's with tokens added after its last."""
    size = size_of(of_folder)
    wanted, used = identity(of_folder), identity(of_blocks, below=size)
    if wanted != used:
        raise ConfigError(
            f"pretrain.model.folder {folder} has a vocabulary of {size} tokens ({digest_of(wanted)[:16]}), the blocks "
            f"were encoded with another of {size_of(of_blocks)} ({digest_of(identity(of_blocks))[:16]}): its ids would "
            "mean other words. Write the same folder as vocab.folder and make the vocabulary and the blocks again"
        )
