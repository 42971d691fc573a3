"""检查点 checkpointing: whole files or nothing, a hashed index, and the newest checkpoint that is not damaged.

    checkpoints/step-00000120.ckpt    one file, or a folder of shards under FSDP2
    checkpoints/index.json            which steps there are, the size and SHA-256 of each file, which are best

A checkpoint appears under its name only when all its bytes are on disk: temporary name in the same folder, fsync,
os.replace, fsync of the folder. Lightning's own way serialises into memory and goes through the system's temporary
folder, which may be another file system, where the last move is a copy that a crash leaves half done.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from lightning.fabric.plugins.io.torch_io import TorchCheckpointIO

from data_contracts.errors import StoreError
from lightning_modules.events import emit

INDEX = "index.json"
SUFFIX = ".ckpt"


class Found(NamedTuple):
    """A checkpoint that can be resumed from."""

    step: int
    path: Path


def replace_durably(temporary: Path, path: Path) -> None:
    """Give finished bytes their name, and make the name survive a power cut."""
    if temporary.is_dir():
        for file in temporary.rglob("*"):
            _fsync(file)
        shutil.rmtree(path, ignore_errors=True)
    _fsync(temporary)
    temporary.replace(path)
    _fsync(path.parent)


def _fsync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_durably(path: Path, text: str) -> None:
    """Replace a small text file as a whole."""
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.write_text(text, encoding="utf-8")
    replace_durably(temporary, path)


def unwritable(path: Path, error: BaseException) -> StoreError:
    """What is said of a checkpoint for which there is no room."""
    free = shutil.disk_usage(path.parent).free if path.parent.is_dir() else 0
    told = next(iter(str(error).strip().splitlines()), type(error).__name__)
    return StoreError(
        f"检查点写不下 cannot write checkpoint {path}: {told} ({free / 1e6:,.0f} MB are free there). The checkpoints "
        "before it are untouched; free space or fix permissions, then start the run again: it goes on from them"
    )


class AtomicCheckpointIO(TorchCheckpointIO):
    """CheckpointIO that streams straight into a temporary file beside the target."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None) -> None:
        """Write the checkpoint; StoreError when the disk is full or read-only, with nothing left behind."""
        target = Path(path)
        temporary = target.with_name(f".{target.name}.tmp")
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            torch.save(checkpoint, temporary)
            replace_durably(temporary, target)
        except (OSError, RuntimeError) as error:
            temporary.unlink(missing_ok=True)
            raise unwritable(target, error) from error


class CheckpointFolder:
    """The checkpoints of one run and their index."""

    def __init__(self, folder: str | Path, kept: int = 1, best_kept: int = 0) -> None:
        self.folder, self.kept, self.best_kept = Path(folder), kept, best_kept

    def path(self, step: int) -> Path:
        """Where the checkpoint of a step lies; sorts by step."""
        return self.folder / f"step-{step:08d}{SUFFIX}"

    def record(self, step: int, losses: Mapping[int, float] | None = None) -> None:
        """Enter a written checkpoint into the index; remove all but the newest `kept` and the best `best_kept`.

        Args:
            losses: on the validation split, of the steps that were validated; on equal ones the earlier is the better.
        """
        newest = self.path(step).name
        entries = {name: files for name, files in self._index().items() if (self.folder / name).exists()}
        if newest not in entries or not losses or step not in losses:  # else it is there and was only rated
            entries[newest] = _hashes(self.path(step))
        there = sorted((n for n in entries if n <= newest), reverse=True)  # what lies ahead of a resumed run is stale
        ranked = sorted((loss, self.path(s).name) for s, loss in (losses or {}).items())
        best = [name for _, name in ranked if name in there][: self.best_kept]
        keep = {*there[: self.kept], *best}
        index = {"newest": newest, "best": best, "checkpoints": {name: entries[name] for name in sorted(keep)}}
        write_durably(self.folder / INDEX, json.dumps(index, indent=1))
        for old in self.folder.glob(f"*{SUFFIX}*"):
            if old.name not in keep:
                shutil.rmtree(old) if old.is_dir() else old.unlink()

    def newest(self) -> Found | None:
        """The newest checkpoint whose bytes are what was written."""
        return next(self.good(), None)

    def good(self) -> Iterator[Found]:
        """Checkpoints whose bytes are what was written, newest first; warns about each damaged one it passes."""
        entries = self._index()
        names = sorted({p.name for p in self.folder.glob(f"step-*{SUFFIX}")} | set(entries), reverse=True)
        for name in names:
            path = self.folder / name
            fault = _fault(path, entries.get(name))
            if fault is None:
                yield Found(int(name.removesuffix(SUFFIX).removeprefix("step-")), path)
                continue
            emit("warning", kind="damaged_checkpoint", message=f"检查点已损坏, 改用更早的 checkpoint {path}: {fault}")

    def _index(self) -> dict[str, dict[str, Any]]:
        try:
            found = json.loads((self.folder / INDEX).read_text(encoding="utf-8"))["checkpoints"]
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, KeyError, TypeError) as error:
            emit("warning", kind="damaged_index", message=f"索引已损坏, 逐个检查 index of {self.folder}: {error}")
            return {}
        return dict(found)


def _hashes(path: Path) -> dict[str, list[Any]]:
    files = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
    hashes: dict[str, list[Any]] = {}
    for file in files:
        with file.open("rb") as handle:
            digest = hashlib.file_digest(handle, "sha256").hexdigest()
        hashes[file.relative_to(path.parent).as_posix()] = [file.stat().st_size, digest]
    return hashes


def _fault(path: Path, recorded: dict[str, Any] | None) -> str | None:
    """What is wrong with a checkpoint, or None. One that the index does not know is judged by whether it loads."""
    try:
        if recorded is not None:
            return None if _hashes(path) == recorded else "its bytes differ from what was written"
        torch.load(path / "meta.pt" if path.is_dir() else path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged archive fails in many ways: zip, pickle, end of file
        return f"{type(error).__name__}: {error}".splitlines()[0]
    return None
