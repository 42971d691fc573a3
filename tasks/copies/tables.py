"""表 tables: sorted rows of 64-bit numbers on disk, the tables of many shards read as one, a part at a time.

A table is an array (rows, columns) of u64 in a .npy file, sorted by its columns from the first. Where the first column
is a hash, `Part(i, n)` is the i-th of n equal ranges of it, and every file gives its share of a part with two binary
searches: no file is written again for another n, and a job holds one part. Files are mapped one after the other, so
that what was read of one does not stay in memory.
"""

from __future__ import annotations

import bisect
import itertools
import json
from collections.abc import Callable, Iterable, Iterator
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

# Rows of one part. The largest job holds about 300 bytes for each: its rows, and a signature where all have a copy.
PART_ROWS = 1 << 18


class Part(NamedTuple):
    """The `number`-th of `of` equal ranges of 64-bit hashes."""

    number: int
    of: int

    def span(self, sorted_hashes: npt.NDArray[np.uint64]) -> slice:
        """Where the part lies in a sorted column."""
        ends = [(n << 64) // self.of for n in (self.number, self.number + 1)]
        start, stop = (_first_from(sorted_hashes, end) for end in ends)
        return slice(start, stop)


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
    path = room.scratch / "table.npy"
    with explained(path), path.open("wb") as file:
        np.save(file, table)
    return room.put(path)


def load(store: Store, file: File) -> Table:
    """A whole table in memory."""
    table: Table = np.load(store.path(file))
    return table


def put_list(store: Store, files: Iterable[File]) -> File:
    """The names of many files as one object, so that a job's arguments stay small whatever their number."""
    return store.put_bytes(json.dumps([[f.sha256, f.bytes] for f in files]).encode())


def between(store: Store, files: File, part: Part) -> tuple[Table, Places]:
    """The rows of one part, file after file, and the place of each. `files` is a list of tables."""
    rows, places = [], []
    for number, table in _mapped(store, files):
        span = part.span(table[:, 0])
        rows.append(np.array(table[span]))
        places.append(np.arange(span.start, span.stop, dtype=np.uint64) + np.uint64(number << 32))
    return np.concatenate(rows), np.concatenate(places)


def keyed(store: Store, files: File, key: int) -> Table:
    """The rows whose first column is `key`."""
    found = []
    for _, table in _mapped(store, files):
        start, stop = (_first_from(table[:, 0], k) for k in (key, key + 1))
        found.append(np.array(table[start:stop]))
    return np.concatenate(found)


def gathered(store: Store, files: File, places: Places) -> Table:
    """The rows at sorted places, in their order."""
    owners = (places >> np.uint64(32)).astype(np.int64)
    rows = (places & np.uint64(0xFFFFFFFF)).astype(np.int64)
    listed = _listed(store, files)
    found = [np.array(_map(store, listed[0])[:0])]
    numbers, starts = np.unique(owners, return_index=True)
    for number, (start, stop) in zip(numbers, itertools.pairwise([*starts, len(places)]), strict=True):
        found.append(_map(store, listed[number])[rows[start:stop]])
    return np.concatenate(found)


def _first_from(sorted_hashes: npt.NDArray[np.uint64], value: int) -> int:
    return len(sorted_hashes) if value >> 64 else bisect.bisect_left(sorted_hashes, value)


def _listed(store: Store, files: File) -> list[File]:
    return [File(sha256=sha256, bytes=size) for sha256, size in json.loads(store.path(files).read_bytes())]


def _mapped(store: Store, files: File) -> Iterator[tuple[int, Table]]:
    for number, file in enumerate(_listed(store, files)):
        yield number, _map(store, file)


def _map(store: Store, file: File) -> Table:
    table: Table = np.load(store.path(file), mmap_mode="r")
    return table
