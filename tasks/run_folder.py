"""运行目录 run folder: what a training program needs beside its run file, laid out from the store."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from data_contracts.block_sets import SPLITS, BlockFile, BlockFiles, MixedBlocks
from data_contracts.dataset import Dataset, Manifest, Shard
from data_contracts.run_file import run_file
from data_contracts.training import PretrainConfig
from tasks.lineage import card_facts
from tasks.model_folder import Continued, refuse_other_blocks
from tasks.named_sets import check_alike, held_out
from tasks.store import Store
from tasks.work import Inputs


class Prepared(NamedTuple):
    """A folder that a program can be started in."""

    cfg: PretrainConfig
    blocks: tuple[Manifest, ...]  # the run's own, then those that cfg.other_blocks names
    settings: Callable[[PretrainConfig], dict[str, Any]]  # a config -> its run file, as plain values


def prepared(store: Store, folder: Path, blocks: Inputs, cfg: PretrainConfig | Continued) -> Prepared:
    """Lay out the tokenizer and the held-out sets of a run in its folder.

    Raises:
        ConfigError: blocks of different tokenizers, or not of the tokenizer of the model that is continued.
    """
    own, *more = (store.manifest(d) for d in ([blocks] if isinstance(blocks, Dataset) else blocks))
    check_alike(store, own, more)
    unpack(store, store.manifest(own.parents[1]), folder / "tokenizer")
    lineage = card_facts(store, own.handle, [m.handle for m in more])
    if isinstance(cfg, Continued):
        refuse_other_blocks(cfg.folder, folder / "tokenizer")
        lineage, cfg = cfg.told | lineage, cfg.whole
    mine, *theirs = (block_files(store, m) for m in (own, *more))
    mixed = [
        MixedBlocks(name=one.blocks, share=one.share, files=f) for one, f in zip(cfg.mixed_in, theirs, strict=False)
    ]
    named = {m.name: m.files for m in mixed if any(f.validation for f in m.files)}
    named |= dict(zip(cfg.validation_sets, theirs[len(mixed) :], strict=True))
    known: dict[str, Any] = {
        "blocks": mine,
        "name": own.handle.name,
        "mixed_in": mixed,
        "held_out": held_out(store, own, mine, named, folder / "held_out"),
        "tokenizer_dir": folder / "tokenizer",
        "lineage": lineage,
        "run_dir": folder,
        **vocabulary_facts(store, own),
    }

    def settings(one: PretrainConfig) -> dict[str, Any]:
        return run_file(one, **known)

    return Prepared(cfg, (own, *more), settings)


def block_files(store: Store, blocks: Manifest) -> list[BlockFiles]:
    """Where the token files of every shard lie, in manifest order."""
    width = 2 if vocabulary_facts(store, blocks)["vocab_size"] <= 1 << 16 else 4

    def one(shard: Shard, split: str) -> BlockFile | None:
        file = shard.files.get(f"{split}.bin")
        if file is None:
            return None
        bits = shard.files.get(f"{split}.words")
        return BlockFile(
            path=str(store.path(file)),
            sha256=file.sha256,
            tokens=file.bytes // width,
            chars=int(shard.measures.get(f"{split}_chars", 0)),
            words=str(store.path(bits)) if bits else None,
        )

    return [BlockFiles(**{split: one(s, split) for split in SPLITS}) for s in blocks.shards]


def vocabulary_facts(store: Store, blocks: Manifest) -> dict[str, Any]:
    """Vocabulary size, special ids, block length: what the encode stage wrote down."""
    names = ("vocab_size", "separator_id", "pad_id", "block_tokens")
    masks = {name: blocks.measures[name] for name in ("mask_id", "special_ids") if name in blocks.measures}
    return {name: int(blocks.measures[name]) for name in names} | masks


def unpack(store: Store, manifest: Manifest, folder: Path) -> Path:
    """Lay out the files of a one-shard dataset under their own names, as hard links."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, file in manifest.shards[0].files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)  # the shards of a checkpoint lie in a folder
        (folder / name).unlink(missing_ok=True)
        (folder / name).hardlink_to(store.path(file))
    return folder
