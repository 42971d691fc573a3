"""预训练 pretrain: BLOCKS -> model. Starts the training program and publishes the model it exports.

Training is a program of its own: Lightning's launcher starts the current script once per device, which inside a task
would be the flow itself. Its run lives in STORE/runs/train-<version>/, so a retry, and the next start after `kill -9`,
goes on from its newest checkpoint; a finished one is found by its version.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from data_contracts.block_sets import SPLITS, BlockFile, BlockFiles, MixedBlocks
from data_contracts.dataset import Dataset, Manifest, Shard, digest_of
from data_contracts.run_file import run_file
from data_contracts.training import PretrainConfig
from tasks.executors import close_pools
from tasks.lineage import card_facts
from tasks.model_folder import Continued, refuse_other_blocks, training
from tasks.named_sets import check_alike, held_out
from tasks.planned import draw_schedule
from tasks.skipped import name_documents
from tasks.store import Store
from tasks.trainer import train
from tasks.work import Inputs, Output, Work


@training
def pretrain(blocks: Inputs, cfg: PretrainConfig | Continued, work: Work) -> Output:
    """预训练 pretrain: BLOCKS -> model. A Hugging Face folder with its model card.

    After the run's own blocks come those that cfg.other_blocks names, in that order: mixed in, or only validated on.
    The dataset's one shard holds the folder's files under their own names; `measures` holds the run's name and the
    final figures. Raises what tasks/trainer.py raises.
    """
    run = f"train-{work.version}"
    folder = work.store.run_folder(run)
    own, *more = (work.store.manifest(d) for d in ([blocks] if isinstance(blocks, Dataset) else blocks))
    check_alike(work.store, own, more)
    unpack(work.store, work.store.manifest(own.parents[1]), folder / "tokenizer")
    lineage = card_facts(work.store, own.handle, [m.handle for m in more])
    if isinstance(cfg, Continued):
        refuse_other_blocks(cfg.folder, folder / "tokenizer")
        lineage, cfg = cfg.told | lineage, cfg.whole
    mine, *theirs = (block_files(work.store, m) for m in (own, *more))
    mixed = [
        MixedBlocks(name=one.blocks, share=one.share, files=f) for one, f in zip(cfg.mixed_in, theirs, strict=False)
    ]
    named = {m.name: m.files for m in mixed if any(f.validation for f in m.files)}
    named |= dict(zip(cfg.validation_sets, theirs[len(mixed) :], strict=True))
    known: dict[str, Any] = {
        "blocks": mine,
        "name": own.handle.name,
        "mixed_in": mixed,
        "held_out": held_out(work.store, own, mine, named, folder / "held_out"),
        "tokenizer_dir": folder / "tokenizer",
        "lineage": lineage,
        "run_dir": folder,
        **vocabulary_facts(work.store, own),
    }

    def settings(one: PretrainConfig) -> dict[str, Any]:
        return run_file(one, **known)

    draw_schedule(cfg.optimizer, settings(cfg)["trainer"]["max_steps"], folder)
    close_pools()  # their memory and cores belong to the trainer now
    try:
        train(cfg, settings, folder)
    finally:
        skipped = name_documents(work.store, (own, *more), folder)
    files = {p.name: work.store.keep_file(p) for p in sorted((folder / "export").iterdir()) if p.is_file()}
    figures = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    content = digest_of({name: file.sha256 for name, file in files.items()})
    figures |= {"skipped_steps": skipped} if skipped else {}
    return Output([Shard(content=content, files=files)], {"run": run, **figures})


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
        (folder / name).unlink(missing_ok=True)
        (folder / name).hardlink_to(store.path(file))
    return folder
