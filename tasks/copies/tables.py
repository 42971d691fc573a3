"""表 tables: sorted rows of 64-bit numbers on disk, the tables of many shards read as one, a part at a time.

A table is an array (rows, columns) of u64, sorted by its columns from the first; on disk the number of columns, then
the rows, in the byte order of the machine. Where the first column is a hash, `Part(i, n)` is one of n equal ranges of
it, and every file gives its share of a part with two binary searches: no file is written again for another n, and a job
holds one part. Files are mapped one after the other, so that what was read of one does not stay in memory.
"""

from __future__ import annotations

import bisect
import itertools
import json
import mmap
from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from data_contracts.dataset import File, Shard
from data_contracts.model import Model
from tasks.folder import explained
from tasks.rows import Room
from tasks.store import Store
from tasks.transforms.clusters import Table
from tasks.work import Work

Places = npt.NDArray[np.uint64]  # number of the file << 32 | row in it

# Rows of one part, so that no job needs more than signing a shard does, about 60 MB. Wide rows count as several.
PART_ROWS = 1 << 18
WIDE = 4  # of 50 bytes and more, copied when they are put in order


class Part(NamedTuple):
    """The `number`-th of `of` equal ranges of 64-bit hashes."""

    number: int
    of: int

    @property
    def ends(self) -> tuple[int, int]:
        """The first hash of the part and of the next."""
        return (self.number << 64) // self.of, ((self.number + 1) << 64) // self.of


def parts(rows: int) -> list[Part]:
    """Parts of about PART_ROWS rows each; one for none."""
    count = max(1, -(-rows // PART_ROWS))
    return [Part(i, count) for i in range(count)]


def each_part(
    work: Work, function: Callable[..., list[Shard]], rows: int, lists: tuple[File, ...], *more: Model
) -> list[Shard]:
    """Run `function(room, part, *lists, *more)` for every part of `rows` rows; one cached job each."""
    names = "\0".join(f.sha256 for f in lists)
    jobs = [(f"{names}\0{part}", (part, *lists, *more)) for part in parts(rows)]
    return [shard for made in work.each(function, jobs) for shard in made]


def put(room: Room, table: Table) -> File:
    """Store a table."""
    path = room.scratch / "table"
    with explained(path), path.open("wb") as file:
        np.array(table.shape[1], dtype=np.uint64).tofile(file)
        np.ascontiguousarray(table, dtype=np.uint64).tofile(file)
    return room.put(path)


def load(store: Store, file: File) -> Table:
    """A whole table in memory."""
    return np.array(_mapped(store, file).rows)


def put_list(store: Store, files: Iterable[File]) -> File:
    """The names of many files as one object, so that a job's arguments stay small whatever their number."""
    return store.put_bytes(json.dumps([[f.sha256, f.bytes] for f in files]).encode())


def between(store: Store, files: File, part: Part) -> tuple[Table, Places]:
    """The rows of one part, file after file, and the place of each. `files` is a list of tables."""
    rows, places = [], []
    for number, file in enumerate(_listed(store, files)):
        table = _mapped(store, file)
        start, stop = (table.first_from(end) for end in part.ends)
        rows.append(np.array(table.rows[start:stop]))
        places.append(np.arange(start, stop, dtype=np.uint64) + np.uint64(number << 32))
    at = np.concatenate(places)
    del places
    return np.concatenate(rows), at


def keyed(store: Store, files: File, key: int) -> Table:
    """The rows whose first column is `key`."""
    found = []
    for file in _listed(store, files):
        table = _mapped(store, file)
        found.append(np.array(table.rows[table.first_from(key) : table.first_from(key + 1)]))
    return np.concatenate(found)


def own_rows(work: Work, files: File, number: int) -> File | None:
    """What tables sorted by shard say of one shard, as a table without that column; None for nothing."""
    found = keyed(work.store, files, number)
    return put(Room(work.store, work.scratch), found[:, 1:]) if len(found) else None


def gathered(store: Store, files: File, places: Places) -> Table:
    """The rows at sorted places, in their order."""
    owners = (places >> np.uint64(32)).astype(np.int64)
    rows = (places & np.uint64(0xFFFFFFFF)).astype(np.int64)
    listed = _listed(store, files)
    found = [np.array(_mapped(store, listed[0]).rows[:0])]
    numbers, starts = np.unique(owners, return_index=True)
    for number, (start, stop) in zip(numbers, itertools.pairwise([*starts, len(places)]), strict=True):
        found.append(_mapped(store, listed[number]).rows[rows[start:stop]])
    return np.concatenate(found)


def _listed(store: Store, files: File) -> list[File]:
    return [File(sha256=sha256, bytes=size) for sha256, size in json.loads(store.path(files).read_bytes())]


class _Mapped(NamedTuple):
    """A table on disk. A few microseconds to open and to search, where a .npy file takes hundreds."""

    numbers: memoryview
    rows: Table

    def first_from(self, value: int) -> int:
        """The first row whose first column is not below a value."""
        numbers, columns = self.numbers, self.rows.shape[1]
        return bisect.bisect_left(range(len(self.rows)), value, key=lambda row: numbers[1 + row * columns])


def _mapped(store: Store, file: File) -> _Mapped:
    with store.path(file).open("rb") as source:
        mapped = mmap.mmap(source.fileno(), 0, access=mmap.ACCESS_READ)
    flat = np.frombuffer(mapped, dtype=np.uint64)
    return _Mapped(memoryview(mapped).cast("Q"), flat[1:].reshape(-1, int(flat[0])))
