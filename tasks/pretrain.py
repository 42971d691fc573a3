"""预训练 pretrain: BLOCKS -> model. Starts the training program and publishes the model it exports.

Training is a program of its own: Lightning's launcher starts the current script once per device, which inside a task
would be the flow itself. Its run lives in STORE/runs/train-<version>/, so a retry, and the next start after `kill -9`,
goes on from its newest checkpoint; a finished one is found by its version.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

from data_contracts.block_sets import SPLITS, BlockFile, BlockFiles, MixedBlocks
from data_contracts.dataset import Dataset, Manifest, Shard, digest_of
from data_contracts.errors import ConfigError, NonFiniteLoss, TrainingError
from data_contracts.run_file import command, run_file
from data_contracts.training import PretrainConfig
from tasks import progress, supervised
from tasks.executors import close_pools
from tasks.lineage import card_facts
from tasks.model_folder import Continued, refuse_other_blocks, training
from tasks.named_sets import check_alike, held_out
from tasks.planned import draw_schedule
from tasks.store import Store
from tasks.work import Inputs, Output, Work

GRACE_SECONDS = 60.0  # a large checkpoint takes a while to write


@training
def pretrain(blocks: Inputs, cfg: PretrainConfig | Continued, work: Work) -> Output:
    """预训练 pretrain: BLOCKS -> model. A Hugging Face folder with its model card.

    After the run's own blocks come those that cfg.other_blocks names, in that order: mixed in, or only validated on.
    The dataset's one shard holds the folder's files under their own names; `measures` holds the run's name and the
    final figures. Raises ConfigError, NonFiniteLoss (with the step) and TrainingError (with the end of the log).
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
    settings = run_file(
        cfg,
        blocks=mine,
        name=own.handle.name,
        mixed_in=mixed,
        held_out=held_out(work.store, own, mine, named, folder / "held_out"),
        tokenizer_dir=folder / "tokenizer",
        lineage=lineage,
        run_dir=folder,
        **vocabulary_facts(work.store, own),
    )
    (folder / "run.yaml").write_text(yaml.safe_dump(settings, allow_unicode=True, sort_keys=False), encoding="utf-8")
    draw_schedule(cfg.optimizer, settings["trainer"]["max_steps"], folder)
    close_pools()  # their memory and cores belong to the trainer now
    train(cfg, folder)
    files = {p.name: work.store.keep_file(p) for p in sorted((folder / "export").iterdir()) if p.is_file()}
    figures = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    content = digest_of({name: file.sha256 for name, file in files.items()})
    return Output([Shard(content=content, files=files)], {"run": run, **figures})


def train(cfg: PretrainConfig, folder: Path) -> None:
    """Run the training program to its end; a failure becomes the error that fits its exit code."""

    def show(event: dict[str, Any]) -> None:
        if event["event"] == "progress":
            note = f"loss {event['loss']:.3f}" if event.get("loss") is not None else ""
            speed = event.get("tokens_per_second")
            note += f" · {speed:,.0f} tokens/s" if speed else ""
            progress.report(progress.Step("pretrain", event["step"], event["max_steps"], note))

    ended = supervised.run(
        command(cfg, folder / "run.yaml"), log=folder / "train.log", on_event=show, grace_seconds=GRACE_SECONDS
    )
    if ended.code == 0:
        return
    error = ended.last.get("error", {})
    where = f"run {folder.name}, log {folder}/train.log"
    if error.get("kind") == "non_finite_loss":
        raise NonFiniteLoss(
            f"the loss became non-finite at step {error['step']}; {where}; "
            "the last good checkpoint stays. Lower pretrain.optimizer.learning_rate or look at the data of that step"
        )
    if ended.code == ConfigError.exit_code:
        raise ConfigError(f"{error.get('message', ended.tail)} ({where})")
    raise TrainingError(f"training ended with code {ended.code}; {where}\n{error.get('message', '')}\n{ended.tail}")


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
