"""仓库 the dataset store: content-addressed, the only cache, the home of lineage.

    objects/ab/<sha256>              immutable bytes, named by their SHA-256
    shards/<stage>/<key>.json        what one job of a stage made: a list of shards
    datasets/<stage>/<version>.json  manifest: ordered shards, parents, config, code, counts
    channels/<name>.json             moving names ("corpus/demo") with their history
    runs/<run>/                      resolved config, stages, report, checkpoints, logs

A reader that holds a handle finds everything from here. Bytes are verified against their name when a cached dataset is
about to be used: polars reads a flipped bit in zstd Parquet without any error.

A dataset exists once all its bytes are on the disk. Jobs do not wait for that: their objects are flushed while the next
ones run, and the manifest waits for the last. What a loss of power leaves torn before, no manifest names, and the
record of a job is believed only if its objects hash to their names.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
from pydantic import TypeAdapter, ValidationError

from data_contracts.config import Place
from data_contracts.dataset import KEPT, QUARANTINED, Dataset, File, Manifest, Shard
from data_contracts.errors import ConfigError, DatasetDamaged, DatasetMissing, StoreError
from data_contracts.schemas import SCHEMAS
from tasks.folder import Folder, explained, remove_tree, sha256_of

_SHARDS = TypeAdapter(list[Shard])


class Store:
    """One store folder. Cheap to open; every process opens its own."""

    def __init__(self, root: str | Path) -> None:
        self.root = Path(root).expanduser().absolute()
        self.folder = Folder(self.root)
        self._verified: set[tuple[str, int]] = set()  # (sha256, mtime in ns) hashed by this process already
        self._flusher = ThreadPoolExecutor(1, thread_name_prefix="flush")
        self._flushed: dict[str, Future[None]] = {}  # by name of the object

    def open(self) -> Store:
        """Make the folder, check that it can be written, and mark it as used until this process ends."""
        with explained(self.root):
            self.root.mkdir(parents=True, exist_ok=True)
        if self.folder.in_use() is None:
            raise StoreError(f"{self.root} is being garbage-collected; wait for `ziliu gc` to end and run again")
        self.folder.replace(".writable", b"")
        self.folder.sweep()
        return self

    # objects ---------------------------------------------------------------------------------------------------------

    def put_file(self, source: Path) -> File:
        """Move a finished file into the store under the hash of its bytes."""
        with explained(source):
            file = File(sha256=sha256_of(source), bytes=source.stat().st_size)
            source.chmod(0o444)  # an object is immutable, whatever name it has
        self.folder.publish(source, _object(file), durable=self._taken(file))
        return file

    def keep_file(self, source: Path) -> File:
        """Store a finished file and leave it where it is, as a second name of the same bytes."""
        with self.folder.scratch() as scratch:
            linked = scratch / source.name
            with explained(linked):
                linked.hardlink_to(source)
            return self.put_file(linked)

    def put_bytes(self, content: bytes) -> File:
        """Store a small file."""
        file = File(sha256=hashlib.sha256(content).hexdigest(), bytes=len(content))
        self.folder.replace(_object(file), content, durable=self._taken(file))
        return file

    def _taken(self, file: File) -> bool:
        """Whether an object lies there, maybe of a dataset; its bytes must not give way to some not yet on the disk."""
        return self.path(file).exists()

    def flush_soon(self, shards: Iterable[Shard]) -> None:
        """Begin to flush the objects of shards; `commit` waits for those of its dataset."""
        for name in _objects(shards) - self._flushed.keys():
            self._flushed[name] = self._flusher.submit(self.folder.flush, name)

    def path(self, file: File) -> Path:
        """Local path of an object. Never write to it."""
        return self.folder.path(_object(file))

    def fault(self, file: File) -> str | None:
        """What is wrong with an object's bytes, None when they hash to its name."""
        path = self.path(file)
        try:
            stat = path.stat()
        except FileNotFoundError:
            return f"object {file.sha256[:12]} is missing"
        if stat.st_size != file.bytes:
            return f"object {file.sha256[:12]} has {stat.st_size} bytes instead of {file.bytes}"
        if (file.sha256, stat.st_mtime_ns) in self._verified:
            return None
        if sha256_of(path) != file.sha256:
            return f"object {file.sha256[:12]} does not hash to its name: its bytes changed on disk"
        self._verified.add((file.sha256, stat.st_mtime_ns))
        return None

    # shards ----------------------------------------------------------------------------------------------------------

    def job(self, stage: str, key: str) -> list[Shard] | None:
        """What a finished job made, None when it is not there or any of its bytes is damaged."""
        content = self.folder.read(f"shards/{stage}/{key}.json")
        try:
            shards = _SHARDS.validate_json(content) if content else None
        except ValidationError:
            return None
        if shards is None or any(self.fault(f) for s in shards for f in s.files.values()):
            return None
        return shards

    def commit_job(self, stage: str, key: str, shards: list[Shard]) -> None:
        """Publish what a job made; its objects are in the store already, if not on the disk."""
        self.folder.replace(f"shards/{stage}/{key}.json", _SHARDS.dump_json(shards), durable=False)

    # datasets --------------------------------------------------------------------------------------------------------

    def find(self, stage: str, version: str) -> Manifest | None:
        """A manifest, None when there is none that can be read."""
        content = self.folder.read(f"datasets/{stage}/{version}.json")
        try:
            return Manifest.model_validate_json(content) if content else None
        except ValidationError:
            return None

    def manifest(self, dataset: Dataset | str) -> Manifest:
        """The manifest of a handle or of a name "stage/version"; DatasetMissing says what to do."""
        name = dataset if isinstance(dataset, str) else dataset.name
        stage, _, version = name.partition("/")
        found = self.find(stage, version)
        if found is None:
            raise DatasetMissing(f"dataset {name} is not in {self.root}; run the flow that makes it")
        return found

    def faults(self, manifest: Manifest) -> list[str]:
        """Everything wrong with a dataset's bytes; empty when it may be used."""
        found = (self.fault(f) for s in manifest.shards for f in s.files.values())
        return [fault for fault in found if fault]

    def checked(self, dataset: Dataset | str) -> Manifest:
        """The manifest of a dataset whose bytes were just verified; DatasetDamaged otherwise."""
        manifest = self.manifest(dataset)
        faults = self.faults(manifest)
        if faults:
            raise DatasetDamaged(f"{manifest.stage}/{manifest.version}: {faults[0]}; run its flow again to remake it")
        return manifest

    def commit(self, manifest: Manifest) -> Dataset:
        """Publish a dataset: from now on its version exists, and its bytes are on the disk."""
        self.flush_soon(manifest.shards)
        for name in _objects(manifest.shards):
            self._flushed[name].result()
        self.folder.replace(
            f"datasets/{manifest.stage}/{manifest.version}.json", _json(manifest.model_dump(mode="json"))
        )
        return manifest.handle

    def datasets(self) -> list[Manifest]:
        """Every manifest of the store, oldest first."""
        names = self.folder.names("datasets")
        found = [(self.find(*n.removeprefix("datasets/").removesuffix(".json").split("/")), n) for n in names]
        made = {n: (m.created_at, self.folder.path(n).stat().st_mtime_ns) for m, n in found if m}  # many in one second
        return [m for m, n in sorted(found, key=lambda one: made.get(one[1], ("", 0))) if m]

    def scan(self, dataset: Dataset | str, which: str = KEPT) -> pl.LazyFrame:
        """All shards of one file of a dataset as one frame; quarantined shards may differ in their measurements."""
        manifest = self.manifest(dataset)
        paths = [self.path(s.files[which]) for s in manifest.shards if which in s.files]
        if paths:
            return pl.concat(
                [pl.scan_parquet(p) for p in paths], how="vertical" if which == KEPT else "diagonal_relaxed"
            )
        schema = SCHEMAS.get(manifest.schema_label.split("@")[0])
        columns = dict(schema.columns) if schema else {}
        if which == QUARANTINED:
            columns |= {"reason": pl.String(), "error": pl.String()}
        return pl.LazyFrame(schema=columns)

    # channels --------------------------------------------------------------------------------------------------------

    def point(self, channel: str, dataset: Dataset) -> None:
        """Move a channel to a dataset; the history keeps where it was."""
        with self.folder.lock("channels"):
            history = self.history(channel)
            if not history or history[-1]["dataset"] != dataset.name:
                history.append({"dataset": dataset.name, "at": now()})
                self.folder.replace(f"channels/{channel}.json", _json(history))

    def history(self, channel: str) -> list[dict[str, str]]:
        """Where a channel pointed, oldest first; empty when it does not exist."""
        content = self.folder.read(f"channels/{channel}.json")
        return list(json.loads(content)) if content else []

    def channels(self) -> dict[str, str]:
        """Every channel and the dataset that it points to."""
        names = [
            n.removeprefix("channels/").removesuffix(".json")
            for n in self.folder.names("channels")
            if n.endswith(".json")
        ]
        return {name: self.history(name)[-1]["dataset"] for name in names}

    def resolve(self, wanted: str, channel: str, made_by: str) -> Dataset:
        """The verified dataset of a version, a name "stage/version", a channel, or "latest" of the flow's own."""
        named = self.history(wanted) if "/" in wanted else []
        if named:
            wanted = named[-1]["dataset"]
        if wanted == "latest":
            history = self.history(channel)
            if not history:
                raise DatasetMissing(
                    f"nothing was published as {channel} in {self.root} yet; run `ziliu {made_by} CONFIG` first"
                )
            wanted = history[-1]["dataset"]
        if "/" not in wanted:
            names = [f"{m.stage}/{m.version}" for m in self.datasets() if m.version.startswith(wanted)]
            if len(names) != 1:
                raise DatasetMissing(f"{len(names)} datasets in {self.root} have a version that starts with {wanted!r}")
            wanted = names[0]
        return self.checked(wanted).handle

    def run_folder(self, run: str) -> Path:
        """The folder of a run, made when it is not there."""
        path = self.folder.path(f"runs/{run}")
        with explained(path):
            path.mkdir(parents=True, exist_ok=True)
        return path

    def forget(self, name: str) -> None:
        """Delete a name or a folder of the store; for garbage collection only."""
        path = self.folder.path(name)
        remove_tree(path) if path.is_dir() else self.folder.delete(name)


def now() -> str:
    """The time in RFC 3339, UTC, to the second."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _objects(shards: Iterable[Shard]) -> set[str]:
    return {_object(file) for shard in shards for file in shard.files.values()}


def _object(file: File) -> str:
    return f"objects/{file.sha256[:2]}/{file.sha256}"


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, indent=1).encode()


def publish(dataset: Dataset, kind: str, place: Place) -> Dataset:
    """Point the channel "<kind>/<name>" at a dataset, so that the next flow finds it as its latest."""
    Store(place.store).point(f"{kind}/{place.name}", dataset)
    return dataset


def find_input(wanted: str, kind: str, place: Place) -> Dataset:
    """The verified dataset that a flow takes: a version, a name "stage/version", a channel, or "latest" of its own.

    ConfigError for a dataset of another kind.
    """
    made_by = {"corpus": "corpus", "tokenizer": "vocabulary", "blocks": "vocabulary", "model": "pretrain"}[kind]
    found = Store(place.store).open().resolve(wanted, f"{kind}/{place.name}", made_by)
    stages = {"tokenizer": ("vocab",), "blocks": ("encode",), "model": ("pretrain", "checkpoint")}
    if found.stage not in stages.get(kind, (found.stage,)):
        raise ConfigError(f"{wanted} is {found.name}, and {stages[kind][0]} makes what is wanted here: {kind}")
    return found
