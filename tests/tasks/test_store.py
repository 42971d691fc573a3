"""The store: atomic, verified, explained."""

from __future__ import annotations

import errno
import multiprocessing
import os
import resource
import subprocess
import sys
import time

import polars as pl
import pytest

import tasks.folder
from data_contracts.dataset import Dataset, Manifest, Shard
from data_contracts.errors import DatasetDamaged, DatasetMissing, StoreError
from tasks.folder import Folder, explained
from tasks.store import Store


@pytest.fixture
def store(tmp_path) -> Store:
    return Store(tmp_path / "store").open()


def manifest(version: str, stage: str = "clean", **more) -> Manifest:
    return Manifest(
        stage=stage, version=version, schema_label="DOCUMENT@2", parents=[], config={}, code="c", libraries={}, shards=[],
        **more,
    )  # fmt: skip


def test_objects_are_named_by_their_hash_and_stored_once(store):
    one, two = store.put_bytes("字流".encode()), store.put_bytes("字流".encode())
    assert one == two
    assert store.path(one).name == one.sha256
    assert store.path(one).read_bytes() == "字流".encode()
    assert store.fault(one) is None


def test_a_changed_byte_is_a_fault(store):
    file = store.put_bytes(b"12345678")
    path = store.path(file)
    path.write_bytes(b"12345679")
    assert "does not hash" in store.fault(file)
    path.write_bytes(b"1")
    assert "1 bytes instead of 8" in store.fault(file)
    path.unlink()
    assert "missing" in store.fault(file)


def of(file) -> Manifest:
    return manifest("a1").model_copy(update={"shards": [Shard(content="x", files={"kept.parquet": file})]})


def test_a_dataset_exists_when_its_bytes_are_on_the_disk(store, monkeypatch):
    flushed, sync = [], tasks.folder._sync

    def seen(path):
        flushed.append((path, store.find("clean", "a1") is not None))
        sync(path)

    monkeypatch.setattr(tasks.folder, "_sync", seen)
    file = store.put_bytes(b"data")
    store.commit_job("clean", "k", of(file).shards)
    assert not flushed, "no job waits for the disk"
    store.commit(of(file))
    path = store.path(file)
    assert (path, False) in flushed
    assert (path.parent, False) in flushed


def test_an_object_gives_way_only_to_one_that_is_on_the_disk(store, monkeypatch):
    flushed = []
    first = store.put_bytes(b"data")
    monkeypatch.setattr(
        tasks.folder, "_sync", lambda path: flushed.append(path.read_bytes() if path.is_file() else b"")
    )
    assert store.put_bytes(b"data") == first
    assert b"data" in flushed


def test_bytes_that_do_not_reach_the_disk_make_no_dataset(store, monkeypatch):
    file = store.put_bytes(b"data")

    def full(path):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(tasks.folder, "_sync", full)
    store.flush_soon(of(file).shards)
    with pytest.raises(StoreError, match="disk is full"):
        store.commit(of(file))
    assert store.find("clean", "a1") is None


def test_missing_and_damaged_datasets_say_what_to_do(store):
    with pytest.raises(DatasetMissing, match="run the flow"):
        store.manifest("clean/0000")
    file = store.put_bytes(b"data")
    handle = store.commit(of(file))
    assert store.checked(handle).version == "a1"
    store.path(file).write_bytes(b"dbta")
    with pytest.raises(DatasetDamaged, match="run its flow again"):
        Store(store.root).checked(handle)


def test_channels_keep_their_history_and_resolve(store):
    one, two = store.commit(manifest("a1")), store.commit(manifest("b2"))
    for dataset in (one, one, two):
        store.point("corpus/demo", dataset)
    assert [h["dataset"] for h in store.history("corpus/demo")] == ["clean/a1", "clean/b2"]
    assert store.channels() == {"corpus/demo": "clean/b2"}
    assert store.resolve("latest", "corpus/demo", "corpus") == two
    assert store.resolve("a1", "corpus/demo", "corpus") == one
    assert store.resolve("clean/a1", "corpus/demo", "corpus") == one
    with pytest.raises(DatasetMissing, match="ziliu corpus"):
        store.resolve("latest", "corpus/other", "corpus")
    with pytest.raises(DatasetMissing, match="0 datasets"):
        store.resolve("ffff", "corpus/demo", "corpus")


def test_replace_is_all_or_nothing(store):
    store.folder.replace("channels/x.json", b"old")

    class Full(Exception):
        pass

    for error in (
        OSError(errno.ENOSPC, "no space"),
        pl.exceptions.ComputeError("parquet: underlying IO error: No space left on device (os error 28)"),
    ):
        with pytest.raises(StoreError, match="disk is full"), explained("x"):
            raise error
    assert store.folder.read("channels/x.json") == b"old"


@pytest.mark.parametrize(
    ("number", "words"), [(errno.ENOSPC, "free space"), (errno.EROFS, "read-only"), (errno.EACCES, "no permission")]
)
def test_storage_errors_say_what_to_do(number, words):
    with pytest.raises(StoreError, match=words), explained("there"):
        raise OSError(number, os.strerror(number))


def test_a_file_size_limit_is_a_store_error_and_leaves_no_object(tmp_path):
    """A real limit of the kernel, in a process of its own: no half-written object may appear."""
    code = (
        "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "from tasks.store import Store\n"
        "store = Store(sys.argv[1]).open()\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "try: store.put_bytes(b'x' * 5000)\n"
        "except Exception as error: print(type(error).__name__, error)\n"
    )
    path = os.pathsep.join(p for p in sys.path if p)
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "s")],
        capture_output=True,
        text=True,
        env=dict(os.environ, PYTHONPATH=path),
    )
    assert "StoreError" in done.stdout, done.stderr
    assert not list((tmp_path / "s").glob("objects/*/*"))
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] != 1000


def test_a_store_path_that_is_a_file_is_an_error(tmp_path):
    (tmp_path / "taken").write_text("")
    with pytest.raises(StoreError, match="set `store:` to a folder"):
        Store(tmp_path / "taken").open()


def test_garbage_collection_and_runs_exclude_each_other(store):
    assert Folder(store.root).in_use(exclusive=True) is None
    assert Folder(store.root).in_use() is not None


def _hold(root: str, name: str, ready) -> None:
    with Folder(root if not isinstance(root, str) else __import__("pathlib").Path(root)).lock(name):
        ready.set()
        time.sleep(60)


def test_a_lock_dies_with_its_process(store):
    context = multiprocessing.get_context("fork")
    ready = context.Event()
    holder = context.Process(target=_hold, args=(str(store.root), "clean-x", ready))
    holder.start()
    assert ready.wait(10)
    with pytest.raises(TimeoutError), store.folder.lock("clean-x", seconds=0.2):
        pass
    holder.kill()
    holder.join()
    with store.folder.lock("clean-x", seconds=5):
        assert True


def test_scratch_of_dead_processes_is_swept(store):
    dead = subprocess.Popen(["true"])
    dead.wait()
    left = store.folder.path(f"tmp/{dead.pid}-abc")
    left.mkdir(parents=True)
    (left / "half").write_text("x")
    with store.folder.scratch() as mine:
        assert store.folder.sweep() == 1
        assert mine.exists()
    assert not left.exists()


def test_a_handle_is_small_and_knows_no_path(store):
    handle = store.commit(manifest("a1"))
    assert len(handle.model_dump_json()) < 400
    assert str(store.root) not in handle.model_dump_json()
    assert Dataset.model_validate_json(handle.model_dump_json()) == handle
