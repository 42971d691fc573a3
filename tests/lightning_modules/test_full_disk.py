"""A disk that fills up while a run trains: what is said, what stays whole, and that the run goes on. The disk is real."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from data_contracts.run_file import command
from data_contracts.training import PretrainConfig
from lightning_modules import callbacks
from lightning_modules.checkpointing import CheckpointFolder
from tests.lightning_modules.tiny_runs import Trained, call, events_in, write_run

pytestmark = pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="POSIX only")
MARGIN = 100_000  # bytes that stay free: room for tables and words, not for a checkpoint


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 16 MB of its own."""
    folder = tmp_path / "disk"
    folder.mkdir()
    told = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if told.returncode:
        pytest.skip(f"may not mount a file system: {told.stderr.decode().strip()}")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def at_step(step: int, act: Callable[[], None], monkeypatch: pytest.MonkeyPatch) -> None:
    """Do something once, before what follows a step."""
    whole = callbacks.TrainingRecord.on_train_batch_end

    def acting(self: Any, trainer: Any, *rest: Any) -> None:
        if trainer.global_step == step and self._seen_step == step - 1:
            act()
        whole(self, trainer, *rest)

    monkeypatch.setattr(callbacks.TrainingRecord, "on_train_batch_end", acting)


def fill(folder: Path, leave: int) -> None:
    free = shutil.disk_usage(folder).free
    (folder / "filler").write_bytes(b"x" * (free - leave))


def check_it_goes_on(run: Path, trained: Trained) -> None:
    """After space is there again: on from the checkpoint before, to the same end."""
    assert not list((run.parent / "checkpoints").glob(".*")), "nothing half-written is left"
    ended = call("fit", "--config", str(run))
    assert ended.code == 0
    assert ended.of("resume")[0]["step"] == 6
    assert not ended.of("warning")
    for name in ("metrics.csv", "validation.csv", "export/model.safetensors"):
        assert (run.parent / name).read_bytes() == (trained.folder / name).read_bytes()


def test_a_full_disk_ends_the_run_with_the_place_and_it_goes_on(
    corpus: Any, trained: Trained, small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = write_run(corpus, small_disk / "run")
    with monkeypatch.context() as patch:
        at_step(7, lambda: fill(small_disk, MARGIN), patch)
        ended = call("fit", "--config", str(run))
    assert ended.code == 5
    [error] = ended.of("error")
    assert error["kind"] == "store_error"
    for words in ("step-00000008.ckpt", "0 MB are free", "free space", "goes on from them"):
        assert words in error["message"]
    newest = CheckpointFolder(run.parent / "checkpoints").newest()
    assert newest is not None
    assert newest.step == 6
    (small_disk / "filler").unlink()
    check_it_goes_on(run, trained)


def test_a_disk_without_room_for_a_line_is_told_by_the_exit_code(
    corpus: Any, trained: Trained, small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even metrics.csv can be written, nor would a log beside it."""
    run = write_run(corpus, small_disk / "run")
    with monkeypatch.context() as patch:
        patch.setattr(callbacks, "REPORT_SECONDS", 0.0)
        at_step(7, lambda: fill(small_disk, 0), patch)
        ended = call("fit", "--config", str(run))
    assert ended.code == 5
    assert "free space" in ended.of("error")[0]["message"]
    (small_disk / "filler").unlink()
    check_it_goes_on(run, trained)


def test_a_file_that_may_not_grow_is_a_full_disk(
    corpus: Any, trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where no file system may be mounted: the kernel refuses what is longer than the limit."""
    run = write_run(corpus, tmp_path / "run")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    with monkeypatch.context() as patch:
        at_step(7, lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (MARGIN, before[1])), patch)
        try:
            ended = call("fit", "--config", str(run))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert ended.code == 5
    assert "step-00000008.ckpt" in ended.of("error")[0]["message"]
    check_it_goes_on(run, trained)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_checkpoint_of_shards_that_does_not_fit_is_told_and_leaves_nothing(corpus: Any, tmp_path: Path) -> None:
    run = write_run(corpus, tmp_path / "run", strategy="fsdp")
    words = command(PretrainConfig(strategy="fsdp"), run)
    limited = ["bash", "-c", f'ulimit -f {MARGIN // 1024}; exec "$@"', "bash", *words]
    ended = subprocess.run(limited, capture_output=True, check=False, env={**os.environ, "OMP_NUM_THREADS": "1"})
    told = events_in(ended.stdout.decode())
    assert ended.returncode == 5, ended.stderr.decode()[-2000:]
    [error] = [e for e in told if e["event"] == "error"]
    assert "step-00000004.ckpt" in error["message"]
    assert "goes on from them" in error["message"]
    assert [p.name for p in (run.parent / "checkpoints").iterdir()] == []
