"""命名的集合 named sets: several BLOCKS datasets in one run: whether they fit together, and what to validate on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import polars as pl

from data_contracts.block_sets import BlockFile, BlockFiles, HeldOut, HeldOutSet
from data_contracts.dataset import KEPT, Manifest, Shard
from data_contracts.errors import ConfigError
from tasks.store import Store
from tasks.vocab import TOKENIZER


def check_alike(store: Store, own: Manifest, others: Sequence[Manifest]) -> None:
    """ConfigError, naming both, for blocks of another tokenizer or block length than the run's own."""
    for other in others:
        names = f"{own.stage}/{own.version}", f"{other.stage}/{other.version}"
        tokenizers = [store.manifest(m.parents[1]) for m in (own, other)]
        files = [m.shards[0].files[TOKENIZER].sha256 for m in tokenizers]
        if files[0] != files[1]:
            made = [f"{name} by {m.stage}/{m.version}" for name, m in zip(names, tokenizers, strict=True)]
            raise ConfigError(
                f"pretrain: blocks of two tokenizers cannot be mixed: {' and '.join(made)}. Encode both with one"
            )
        lengths = [int(m.measures["block_tokens"]) for m in (own, other)]
        if lengths[0] != lengths[1]:
            told = [f"{name} of {length} tokens" for name, length in zip(names, lengths, strict=True)]
            raise ConfigError(
                f"pretrain: blocks of two lengths cannot be mixed: {' and '.join(told)}. Use one encode.block_tokens"
            )


def held_out(
    store: Store,
    own: Manifest,
    files: Sequence[BlockFiles],
    others: Mapping[str, Sequence[BlockFiles]],
    folder: Path,
) -> HeldOut:
    """What a run is validated on: every source of its own blocks is a set, and every other dataset is one.

    Args:
        files: the token files of the shards of `own`.
        others: token files of other datasets, by the name of their set.
        folder: gets one small file a token file: where its documents start, and which set each is of.

    Raises:
        ConfigError: a dataset that was asked for has no validation split.
    """
    folder.mkdir(parents=True, exist_ok=True)
    mine = [
        (f.validation, _documents(store, shard)) for f, shard in zip(files, own.shards, strict=True) if f.validation
    ]
    chars: Counter[str] = Counter()
    for _, table in mine:
        for source, count in table.select("source", "chars").iter_rows():
            chars[source] += count
    names = sorted(chars)
    sets = [HeldOutSet(name=name, chars=chars[name], main=True) for name in names]
    parts = [(f, t["start"].to_list(), [names.index(source) for source in t["source"].to_list()]) for f, t in mine]
    for name, shards in others.items():
        theirs = [s.validation for s in shards if s.validation]
        if not theirs:
            raise ConfigError(
                f"pretrain: {name} is to be validated on and its blocks have no validation split; "
                "raise encode.validation_ratio of that dataset, or leave it out"
            )
        parts += [(file, [0], [len(sets)]) for file in theirs]
        sets.append(HeldOutSet(name=name, chars=sum(file.chars for file in theirs), main=False))
    return HeldOut(files=[_with_groups(folder / f"{i}.npy", *part) for i, part in enumerate(parts)], sets=sets)


def _documents(store: Store, shard: Shard) -> pl.DataFrame:
    """Held-out documents of one shard in the order of its stream."""
    table = pl.scan_parquet(store.path(shard.files[KEPT])).filter(pl.col("split") == "validation")
    return table.select("source", "start", "chars").sort("start").collect()


def _with_groups(path: Path, file: BlockFile, starts: list[int], sets: list[int]) -> BlockFile:
    np.save(path, np.array([starts, sets], dtype=np.int64))
    return file.model_copy(update={"groups": str(path)})
