"""找到的文件 found files: what a source's path stands for right now, with hashes and without the machine's own path.

A file's name is its path below the fixed part of the pattern: `/data/2024/**/*.jsonl` finds `05/a.jsonl`. Moving or
renaming the folder therefore changes nothing, and a file is known by its name and its bytes.
"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from pydantic import Field

from data_contracts.dataset import digest_of
from data_contracts.errors import ConfigError
from data_contracts.model import Model
from data_contracts.sources import FileSource
from tasks.folder import sha256_of

ENDINGS = {
    "warc": (".warc", ".warc.gz"),
    "jsonl": (".jsonl", ".jsonl.gz", ".jsonl.zst", ".ndjson", ".ndjson.gz", ".ndjson.zst"),
    "parquet": (".parquet",),
    "text": (".txt", ".text", ".md"),
}
_GLOB = "*?["


class Files(Protocol):
    """What names files outside the store: a source, or a benchmark."""

    @property
    def name(self) -> str:
        """The name by which messages call it."""
        ...

    @property
    def kind(self) -> str:
        """Which of ENDINGS its files have."""
        ...

    @property
    def path(self) -> str:
        """A file, a folder or a pattern."""
        ...


class FoundFile(Model):
    """One file: its name below the source's folder, the hash of its bytes, its size."""

    name: str
    sha256: str
    bytes: int


class FoundSet(Model):
    """The files of one evaluation set, in order of name, and the folder where they lie."""

    name: str
    folder: str
    files: tuple[FoundFile, ...]

    @property
    def paths(self) -> list[tuple[Path, str]]:
        """Where each file lies, and its name."""
        return [(Path(self.folder) / f.name, f.name) for f in self.files]


class FoundSource(Model):
    """A source and its files, in order of name. Only the source, without its path, is part of a stage's key."""

    source: FileSource = Field(discriminator="kind")
    files: tuple[FoundFile, ...] = Field((), exclude=True)
    folder: str = Field("", exclude=True, repr=False)

    def path(self, file: FoundFile) -> Path:
        """Where a file lies on this machine."""
        return Path(self.folder) / file.name

    @property
    def listing(self) -> list[list[str]]:
        """Names and hashes of the files: with the key, all that a dataset made of them depends on."""
        return [[f.name, f.sha256] for f in self.files]

    @property
    def digest(self) -> str:
        """Hash of the source's settings without its path: part of every job's key."""
        return digest_of(self.source)


def find(source: FileSource) -> FoundSource:
    """List and hash a source's files, 0.9 GB/s. ConfigError when the path is missing or nothing matches."""
    folder, pattern, files = located(source)
    return FoundSource(source=source.model_copy(update={"path": pattern}), files=files, folder=str(folder.absolute()))


def located(source: Files) -> tuple[Path, str, tuple[FoundFile, ...]]:
    """Folder, pattern, and hashed files of a source. ConfigError when the path is missing or nothing matches."""
    folder, pattern, paths = _listed(source)
    return folder, pattern, tuple(_described(source, folder, path) for path in paths)


def missing(source: Files) -> str | None:
    """What is wrong with a source's path, None when it stands for at least one file. Reads no file."""
    try:
        _listed(source)
    except ConfigError as error:
        return str(error)
    return None


def _listed(source: Files) -> tuple[Path, str, list[Path]]:
    """Folder, pattern and files of a source, in order of name."""
    folder, pattern = _split(Path(source.path).expanduser())
    if not folder.exists():
        raise ConfigError(f"source {source.name}: {folder} does not exist; correct `path` (now {source.path})")
    found = sorted(_matching(source, folder, pattern))
    if not found:
        wanted = " ".join(f"*{e}" for e in ENDINGS[source.kind]) if pattern == "." else pattern
        raise ConfigError(f"source {source.name}: no file {wanted} in {folder}; correct `path` (now {source.path})")
    return folder, pattern, found


def _split(path: Path) -> tuple[Path, str]:
    """The folder that is no pattern, and the rest: a pattern, a file's name, or `.` for a whole folder."""
    parts = path.parts
    for i, part in enumerate(parts):
        if any(c in part for c in _GLOB) and not Path(*parts[: i + 1]).exists():
            return Path(*parts[:i]), "/".join(parts[i:])
    return (path, ".") if path.is_dir() else (path.parent, path.name)


def _matching(source: Files, folder: Path, pattern: str) -> list[Path]:
    if (folder / pattern).is_file():
        return [folder / pattern]
    if pattern != ".":
        return [p for p in folder.glob(pattern) if p.is_file()]
    endings = ENDINGS[source.kind]
    return [p for p in folder.rglob("*") if p.is_file() and p.name.lower().endswith(endings)]


def _described(source: Files, folder: Path, path: Path) -> FoundFile:
    name = path.relative_to(folder).as_posix()
    try:
        return FoundFile(name=name, sha256=sha256_of(path), bytes=path.stat().st_size)
    except OSError as error:
        raise ConfigError(f"source {source.name}: cannot read {path}: {error.strerror}; make it readable") from error
