"""A store that is full, read-only, damaged or shared: a clear error or correct waiting, never a wrong dataset."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from data_contracts.dataset import KEPT
from data_contracts.errors import StoreError
from tasks.store import Store
from tests.e2e import roads, small_sources
from tests.e2e.plain_road import walk

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]


@pytest.fixture
def files(tmp_path: Path) -> Path:
    folder = tmp_path / "files"
    folder.mkdir()
    for number in range(4):
        documents = small_sources.some(8, 8 * number, 900)
        (folder / f"{number}.jsonl").write_bytes(
            b"".join(
                line.replace(b'{"text"', f'{{"id": "{number}-{i}", "text"'.encode(), 1)
                for i, line in enumerate(small_sources.lines(documents).splitlines(keepends=True))
            )
        )
    return folder


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own that can be made full or read-only: `disk(options)` mounts it anew."""
    point = tmp_path / "disk"
    point.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", str(point)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True).returncode:
        pytest.skip("mounting a small file system needs root")
    try:
        yield point
    finally:
        subprocess.run(["umount", "-l", str(point)], check=True)


def remount(point: Path, options: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{options}", str(point)], check=True)


def test_a_full_disk_is_said_and_the_next_run_on_a_larger_one_is_right(files: Path, disk: Path, tmp_path: Path):
    store = disk / "store"
    with pytest.raises(StoreError, match="the disk is full; free space"):
        walk(files, store)
    assert not list(store.glob("datasets/encode/*")), "the disk was large enough, so this test shows nothing"
    opened = Store(store)
    assert all(opened.faults(m) == [] for m in opened.datasets()), "a dataset was published that is not whole"
    remount(disk, "size=200m")
    told = walk(files, store)
    elsewhere = walk(files, tmp_path / "elsewhere")
    assert {s: v for s, (v, _) in told.items()} == {s: v for s, (v, _) in elsewhere.items()}
    assert contents(store) == contents(tmp_path / "elsewhere")


def contents(store: Path) -> dict[str, list[str]]:
    opened = Store(store)
    return {f"{m.stage}/{m.version}": [s.content for s in m.shards] for m in opened.datasets()}


def test_a_full_disk_by_the_command_line(disk: Path, tmp_path: Path, prefect_url: str):
    path = small_sources.plain(tmp_path)
    (disk / "others").write_bytes(bytes(280_000))
    told = roads.ziliu(
        "corpus", path, "--set", f"store={disk}/store", folder=tmp_path / "run", PREFECT_API_URL=prefect_url
    )
    if told.code == 0:
        pytest.fail(f"the disk was large enough, so this test shows nothing: {told}")
    assert told.code == 5, told
    assert "the disk is full" in told.err
    assert "Traceback" not in told.err


def test_a_read_only_store_is_said_before_anything_starts(disk: Path, tmp_path: Path):
    remount(disk, "ro")
    told = roads.ziliu("corpus", small_sources.plain(tmp_path), "--set", f"store={disk}/store", folder=tmp_path / "run")
    assert told.code == 5, told
    assert "read-only" in told.err
    assert "Traceback" not in told.err
    assert roads.processes_of(disk / "store") == []


def test_damaged_and_deleted_objects_are_made_again(files: Path, tmp_path: Path):
    store = tmp_path / "store"
    first = walk(files, store)
    opened = Store(store)
    flipped = opened.path(opened.manifest(f"clean/{first['clean'][0]}").shards[1].files[KEPT])
    deleted = opened.path(opened.manifest(f"segment/{first['segment'][0]}").shards[2].files[KEPT])
    before = {path: path.read_bytes() for path in (flipped, deleted)}
    flipped.chmod(0o644)
    flipped.write_bytes(before[flipped][:-40] + bytes([before[flipped][-40] ^ 1]) + before[flipped][-39:])
    deleted.unlink()
    second = walk(files, store)
    assert {s for s, (_, found) in second.items() if not found} >= {"clean", "segment"}
    assert {s: v for s, (v, _) in second.items()} == {s: v for s, (v, _) in first.items()}
    assert {path: path.read_bytes() for path in before} == before
    assert all(Store(store).faults(m) == [] for m in Store(store).datasets())


def test_two_runs_at_once_share_server_and_work(tmp_path: Path):
    """Both start a run on an empty store without a server: one of them starts it, each stage is made once."""
    path = small_sources.plain(tmp_path)
    running = [roads.start("corpus", path, folder=tmp_path / name) for name in ("one", "other")]
    told = [roads.ended(p, tmp_path / n, 240) for p, n in zip(running, ("one", "other"), strict=True)]
    assert [t.code for t in told] == [0, 0], "\n".join(map(str, told))
    tables = [roads.states(t) for t in told]
    assert tables[0].keys() == tables[1].keys()
    for stage in tables[0]:
        made = [state for table in tables for state in table[stage]]
        assert sorted(made) == ["Cached", "made"], f"{stage} was made by both, or by none: {made}"
    assert {len(v) for v in roads.versions(tmp_path / "store").values()} == {1}
    assert roads.ziliu("verify", "--store", tmp_path / "store", folder=tmp_path / "verify").code == 0
    assert roads.left_after(tmp_path / "store", 30) == []
