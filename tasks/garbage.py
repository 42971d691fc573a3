"""垃圾回收 garbage collection: remove what no channel, run or crawl refers to.

Kept are the datasets that a channel points to (or pointed to), those of every run that is kept, every crawl (what was
fetched cannot be made again), the checkpoints that a kept model names, all their ancestors, and the objects of all of
these. A run is kept for `keep_days`, and so is every checkpoint and what a single job made (signatures of a shard,
say), because the next run may find it. It refuses to start while a run uses the store.
"""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass, field

from pydantic import TypeAdapter

from data_contracts.dataset import Manifest, Shard
from data_contracts.errors import StoreError
from tasks.checkpoints import STAGE
from tasks.lineage import ancestors
from tasks.store import Store

_SHARDS = TypeAdapter(list[Shard])
_DAY = 86_400.0


@dataclass
class Garbage:
    """What can go: names relative to the store, and how many bytes their files have."""

    names: list[str] = field(default_factory=list)
    bytes: int = 0
    kept_datasets: int = 0

    def add(self, store: Store, name: str) -> None:
        """Count a file or folder."""
        path = store.folder.path(name)
        files = [p for p in path.rglob("*") if p.is_file()] if path.is_dir() else [path]
        self.bytes += sum(p.stat().st_size for p in files if p.exists())
        self.names.append(name)


def collect(store: Store, *, dry_run: bool, keep_days: float = 30.0) -> Garbage:
    """Find the garbage and, unless `dry_run`, delete it. StoreError when another process uses the store."""
    handle = store.folder.in_use(exclusive=True)
    if handle is None:
        raise StoreError(f"{store.root} is in use by a run; wait until it ends and run `ziliu gc` again")
    try:
        garbage = _find(store, keep_days)
        if not dry_run:
            for name in garbage.names:
                store.forget(name)
            store.folder.sweep()
        return garbage
    finally:
        os.close(handle)


def _find(store: Store, keep_days: float) -> Garbage:
    manifests = {f"{m.stage}/{m.version}": m for m in store.datasets()}
    pointed = {entry["dataset"] for channel in store.channels() for entry in store.history(channel)}
    garbage = Garbage()
    for run, datasets, age in _runs(store):
        if age > keep_days * _DAY and not pointed & datasets:
            garbage.add(store, f"runs/{run}")
        else:
            pointed |= datasets
    roots = {name: m for name, m in manifests.items() if name in pointed or _stays(store, m, keep_days)}
    kept = dict(roots)
    for manifest in roots.values():
        kept.update({f"{a.stage}/{a.version}": a for a in ancestors(store, manifest)})
    named = [name for m in kept.values() for name in m.measures.get("checkpoints", ())]
    kept.update({name: manifests[name] for name in named if name in manifests})
    garbage.kept_datasets = len(kept)
    _unreferenced(store, manifests, kept, garbage, keep_days)
    return garbage


def _stays(store: Store, manifest: Manifest, keep_days: float) -> bool:
    """What no channel or run need name: crawls, and for a while checkpoints of trainings that made no model yet."""
    if manifest.stage != STAGE:
        return manifest.stage == "crawl"
    written = store.folder.path(f"datasets/{STAGE}/{manifest.version}.json").stat().st_mtime
    return time.time() - written < keep_days * _DAY


def _runs(store: Store) -> list[tuple[str, set[str], float]]:
    """Name, datasets and age in seconds of every run of a flow. Folders of trainings go with their model."""
    found = []
    for name in store.folder.names("runs"):
        if name.endswith("/stages.json"):
            content = json.loads(store.folder.read(name) or b"{}")
            age = time.time() - store.folder.path(name).stat().st_mtime
            found.append((name.split("/")[1], {s["dataset"] for s in content.get("stages", [])}, age))
    return found


def _unreferenced(
    store: Store, manifests: dict[str, Manifest], kept: dict[str, Manifest], garbage: Garbage, keep_days: float
) -> None:
    objects = {f.sha256 for m in kept.values() for s in m.shards for f in s.files.values()}
    for name, manifest in manifests.items():
        if name not in kept:
            garbage.add(store, f"datasets/{name}.json")
            if "run" in manifest.measures:
                garbage.add(store, f"runs/{manifest.measures['run']}")
    for name in store.folder.names("shards"):
        made = {f.sha256 for s in _SHARDS.validate_json(store.folder.read(name) or b"[]") for f in s.files.values()}
        if time.time() - store.folder.path(name).stat().st_mtime < keep_days * _DAY:
            objects |= made
        elif not made <= objects:
            garbage.add(store, name)
    for name in store.folder.names("objects"):
        if name.rsplit("/", 1)[1] not in objects:
            garbage.add(store, name)
