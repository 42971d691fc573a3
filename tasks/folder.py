"""存储后端 a local folder as storage: immutable objects, atomic small files, locks that die with their process.

The store knows only the seven verbs of `Folder`, so that object storage can take its place: there the same names are
keys, `publish` is a put with `If-None-Match`, and `replace` one with `If-Match`.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
import re
import uuid
from collections.abc import Iterator
from pathlib import Path

import polars as pl
from filelock import FileLock

from data_contracts.errors import StoreError

_ADVICE = {
    errno.ENOSPC: "the disk is full; free space or run `ziliu gc`, then run the same command again",
    errno.EDQUOT: "the disk quota is used up; free space or run `ziliu gc`, then run the same command again",
    errno.EROFS: "the file system is read-only; set `store:` to a folder that can be written",
    errno.EACCES: "no permission; set `store:` to a folder that you may write",
    errno.EPERM: "no permission; set `store:` to a folder that you may write",
    errno.EEXIST: "a file stands where a folder must be; set `store:` to a folder",
    errno.ENOTDIR: "a file stands where a folder must be; set `store:` to a folder",
    errno.EFBIG: "the file size limit of this process was reached; raise it (`ulimit -f`) and run again",
}


@contextlib.contextmanager
def explained(where: object) -> Iterator[None]:
    """Turn an operating-system error about storage into a StoreError that says what to do."""
    try:
        yield
    except (OSError, pl.exceptions.ComputeError) as error:
        number = error.errno if isinstance(error, OSError) else _wrapped_number(error)
        if number in _ADVICE:
            raise StoreError(f"cannot write {where}: {_ADVICE[number]}") from error
        raise


def _wrapped_number(error: pl.exceptions.ComputeError) -> int | None:
    """The number of an operating-system error inside one of polars, whose writers pass some on as text only."""
    found = re.search(r"\(os error (\d+)\)", str(error))
    return int(found[1]) if found else None


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's bytes, hex; about 0.9 GB/s."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


class Folder:
    """A local folder. Names are relative paths with `/`."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def path(self, name: str) -> Path:
        """Where a name lies; it may not exist."""
        return self.root / name

    def publish(self, source: Path, name: str, *, durable: bool = True) -> None:
        """Move a finished file to its name: whole when it appears and, if `durable`, flushed to the disk before.

        What is published without may be lost or torn when the machine loses power, until `flush` has returned.
        """
        target = self.path(name)
        with explained(target):
            target.parent.mkdir(parents=True, exist_ok=True)
            if durable:
                _sync(source)
            source.replace(target)
            if durable:
                _sync(target.parent)

    def replace(self, name: str, content: bytes, *, durable: bool = True) -> None:
        """Write a small file at once: readers see the old bytes or the new ones."""
        with self.scratch() as folder:
            source = folder / "content"
            with explained(source):
                source.write_bytes(content)
            self.publish(source, name, durable=durable)

    def flush(self, name: str) -> None:
        """Wait until a published file and its name are on the disk."""
        path = self.path(name)
        with explained(path):
            _sync(path)
            _sync(path.parent)

    def read(self, name: str) -> bytes | None:
        """A small file's bytes, None when there is none."""
        try:
            return self.path(name).read_bytes()
        except FileNotFoundError:
            return None

    def names(self, prefix: str) -> list[str]:
        """All names below a prefix folder, sorted."""
        top = self.path(prefix)
        return sorted(str(p.relative_to(self.root)) for p in top.rglob("*") if p.is_file()) if top.is_dir() else []

    def delete(self, name: str) -> None:
        """Remove a name; nothing happens when it is gone already."""
        self.path(name).unlink(missing_ok=True)

    @contextlib.contextmanager
    def lock(self, name: str, seconds: float = -1) -> Iterator[None]:
        """An exclusive lock that the kernel releases when its process dies. Waits for ever by default."""
        path = self.path(f"locks/{name}.lock")
        with explained(path):
            path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(path, timeout=seconds):
            yield

    @contextlib.contextmanager
    def scratch(self) -> Iterator[Path]:
        """A temporary folder on the same file system, removed afterwards. `sweep` removes those of killed processes."""
        folder = self.path(f"tmp/{os.getpid()}-{uuid.uuid4().hex[:8]}")
        with explained(folder):
            folder.mkdir(parents=True)
        try:
            yield folder
        finally:
            remove_tree(folder)

    def sweep(self) -> int:
        """Remove the temporary folders of processes that are gone; returns how many."""
        gone = 0
        top = self.path("tmp")
        for folder in top.iterdir() if top.is_dir() else ():
            pid = folder.name.split("-")[0]
            if pid.isdigit() and not Path(f"/proc/{pid}").exists():
                remove_tree(folder)
                gone += 1
        return gone

    def in_use(self, exclusive: bool = False) -> int | None:
        """Mark the folder as used by this process until it ends; None when that clashes with another process.

        Runs hold a shared mark for as long as they live, garbage collection needs the exclusive one.
        """
        path = self.path("locks/use.lock")
        with explained(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(handle, (fcntl.LOCK_EX | fcntl.LOCK_NB) if exclusive else (fcntl.LOCK_SH | fcntl.LOCK_NB))
        except BlockingIOError:
            os.close(handle)
            return None
        return handle


def remove_tree(folder: Path) -> None:
    """Remove a folder and what is in it; what cannot be removed stays."""
    for path in sorted(folder.rglob("*"), reverse=True):
        with contextlib.suppress(OSError):
            path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()
    with contextlib.suppress(OSError):
        folder.rmdir()
