"""The training program under the pretrain task: killed, preempted, short of memory. All processes are real."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest
from prefect import flow

from data_contracts.config import Place
from data_contracts.errors import ConfigError, NonFiniteLoss, OutOfMemory, StoreError, TrainingError
from data_contracts.mixture import MixtureConfig
from data_contracts.stages import EncodeConfig, SegmentConfig, VocabConfig
from data_contracts.training import PretrainConfig
from tasks import trainer
from tasks.encode import encode
from tasks.pretrain import pretrain
from tasks.segment import segment
from tasks.store import Store
from tasks.supervised import Ended
from tasks.trainer import failure, halved, kills_for_memory
from tasks.vocab import vocab
from tests.given_documents import deposit, documents, invented, split

ENCODE = EncodeConfig(block_tokens=32, validation_ratio=0.1, test_ratio=0.1)
TINY = {"layers": 2, "heads": 2, "width": 32, "dropout": 0.1}
LONG = {
    "model": TINY,
    "duration": "200 steps",
    "tokens_per_step": 256,
    "blocks_per_device": 4,
    "precision": "32",
    "compile": False,
    "steps_between_checkpoints": 20,
    "steps_between_validations": 100,
}


@pytest.mark.parametrize(
    ("code", "kind", "again"),
    [
        (2, ConfigError, False),
        (5, StoreError, False),
        (8, OutOfMemory, False),
        (1, TrainingError, True),
        (137, TrainingError, True),
        (143, TrainingError, True),
    ],
)
def test_an_exit_code_says_whether_to_try_again(tmp_path, code, kind, again):
    error = failure(Ended(code, "the end of the log", {}), tmp_path)
    assert type(error) is kind
    assert error.transient is again
    assert "the end of the log" in str(error)
    ended = Ended(6, "", {"error": {"event": "error", "kind": "non_finite_loss", "step": 9, "message": "m"}})
    assert isinstance(failure(ended, tmp_path), NonFiniteLoss)
    assert "step 9" in str(failure(ended, tmp_path))


def test_half_the_micro_batch_has_the_same_global_batch(tmp_path):
    cfg = PretrainConfig(blocks_per_device=8)
    assert halved(cfg, tmp_path) == cfg.model_copy(update={"blocks_per_device": 4})
    with pytest.raises(OutOfMemory, match="blocks_per_device 3, which cannot be halved"):
        halved(PretrainConfig(blocks_per_device=3), tmp_path)
    found = PretrainConfig(blocks_per_device="auto")
    with pytest.raises(OutOfMemory, match="blocks_per_device auto, which cannot be halved"):
        halved(found, tmp_path)
    (tmp_path / "plan.json").write_text('{"blocks_per_device": 16}', encoding="utf-8")
    assert halved(found, tmp_path).blocks_per_device == 8


@pytest.fixture(scope="module")
def given(tmp_path_factory):
    """A store with blocks, to be copied: one store has a model of one config once."""
    place = Place(store=str(tmp_path_factory.mktemp("trainer") / "store"), workers=1)
    text, _ = segment.run(deposit(Store(place.store).open(), split(documents(invented()), 2)), SegmentConfig(), place)
    tokenizer, _ = vocab.run(text, VocabConfig(size=500), ENCODE.splits, place)
    return Path(place.store), encode.run(text, tokenizer, ENCODE, MixtureConfig(), place)[0]


def copied(given, folder: Path) -> Place:
    shutil.copytree(given[0], folder, ignore=shutil.ignore_patterns("tmp", "locks"))
    return Place(store=str(folder), workers=1)


@pytest.fixture(autouse=True)
def one_thread(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


def programs(store: str, word: str = "fit") -> list[psutil.Process]:
    """Training programs of a store: the processes that train, or their launcher (the word `launch`)."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            words = process.cmdline()
            trains = "lightning_modules" in words and any(w.startswith(store) for w in words)
            if trains and not any("supervised" in w for w in words) and ("launch" in words) == (word == "launch"):
                found.append(process)
    return found


class Attack(threading.Thread):
    """Sends a signal to one training process once the run has a checkpoint, and sees how long the others live."""

    def __init__(self, store: str, number: int, word: str = "fit") -> None:
        super().__init__(daemon=True)
        self.store, self.number, self.word = store, number, word
        self.seconds: float | None = None  # from the signal to the end of the last process of that start
        self.start()

    def run(self) -> None:
        deadline = time.monotonic() + 300
        while time.monotonic() < deadline:
            logs = list(Path(self.store).glob("runs/train-*/train.log"))
            if logs and '"event": "checkpoint"' in logs[0].read_text(encoding="utf-8", errors="replace"):
                break
            time.sleep(0.01)
        there = programs(self.store) + programs(self.store, "launch")
        programs(self.store, self.word)[-1].send_signal(self.number)
        began = time.monotonic()
        psutil.wait_procs(there, timeout=120)
        self.seconds = time.monotonic() - began


def run_folder(place: Place) -> Path:
    [folder] = Path(place.store).glob("runs/train-*")
    return folder


def events(place: Place) -> list[dict]:
    lines = (run_folder(place) / "train.log").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines if line.startswith('{"event"')]


def undisturbed(given, tmp_path, cfg):
    whole = copied(given, tmp_path / "whole")
    return pretrain.run(given[1], cfg, whole)[0], whole


def as_a_flow(blocks, cfg, place):
    @flow
    def trains():
        return pretrain(blocks, cfg, place)

    return trains()


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_preempted_program_is_tried_again_from_its_checkpoint(given, tmp_path, prefect_harness):
    cfg, place = PretrainConfig(**LONG), copied(given, tmp_path / "cut")
    attack = Attack(place.store, signal.SIGTERM)
    model = as_a_flow(given[1], cfg, place)
    attack.join(10)
    told = events(place)
    stopped = next(e for e in told if e["event"] == "end" and not e["finished"])
    assert [e["step"] for e in told if e["event"] == "resume"] == [stopped["step"]], "one checkpoint, and on from it"
    expected, whole = undisturbed(given, tmp_path, cfg)
    assert model == expected
    assert (run_folder(place) / "metrics.csv").read_bytes() == (run_folder(whole) / "metrics.csv").read_bytes()
    stores = Store(place.store), Store(whole.store)
    contents = [store.manifest(model).shards[0].content for store in stores]
    assert contents[0] == contents[1], "the model is the same to the bit"


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("word", ["fit", "launch"])
def test_kill_9_of_one_process_ends_the_others_and_the_task_goes_on(given, tmp_path, prefect_harness, word):
    cfg = PretrainConfig(**{**LONG, "devices": 2, "strategy": "ddp"})
    place = copied(given, tmp_path / "cut")
    attack = Attack(place.store, signal.SIGKILL, word)
    model = as_a_flow(given[1], cfg, place)
    attack.join(10)
    assert attack.seconds is not None
    assert attack.seconds < 30, "the others end, and within the time that torch's launcher gives them"
    assert next(e["step"] for e in events(place) if e["event"] == "resume") >= 20
    if word == "fit":
        expected, whole = undisturbed(given, tmp_path, cfg)
        assert model == expected
        assert (run_folder(place) / "metrics.csv").read_bytes() == (run_folder(whole) / "metrics.csv").read_bytes()


# Runs the program in a process that may have so much address space, and writes down how much it had at most.
LIMITED = """
import atexit, re, resource, runpy, sys
limit, peak, *words = sys.argv[1:]
resource.setrlimit(resource.RLIMIT_AS, (int(limit), int(limit)))
status = lambda: re.search(r"VmPeak:\\s+(\\d+) kB", open("/proc/self/status").read())[1]
atexit.register(lambda: open(peak, "w").write(status()))
sys.argv = ["lightning_modules", *words]
runpy.run_module("lightning_modules", run_name="__main__", alter_sys=True)
"""


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.skipif(sys.platform != "linux", reason="limits of address space, and /proc")
def test_too_little_memory_halves_the_micro_batch_once(given, tmp_path, monkeypatch):
    """The real allocator fails: the program may have somewhat more than half the micro-batch needs."""
    shape = {"layers": 4, "heads": 2, "width": 128, "ffn_width": 4096, "dropout": 0.0}
    small = PretrainConfig(
        **{**LONG, "model": shape, "duration": "2 steps", "tokens_per_step": 4096, "blocks_per_device": 64}
    )
    plain, peak, limit = trainer.command, tmp_path / "peak", [1 << 46]

    def limited(*a):
        python, _, _, *words = plain(*a)
        return [python, "-c", LIMITED, str(limit[0]), str(peak), *words]

    monkeypatch.setattr(trainer, "command", limited)
    whole, place = copied(given, tmp_path / "whole"), copied(given, tmp_path / "short")
    pretrain.run(given[1], small, whole)
    limit[0] = int(peak.read_text()) * 1024 + (300 << 20)
    model, _ = pretrain.run(given[1], small.model_copy(update={"blocks_per_device": 128}), place)
    [short] = [e for e in events(place) if e["event"] == "error"]
    assert short["kind"] == "out_of_memory"
    assert "lower pretrain.blocks_per_device" in short["message"]
    assert Store(place.store).manifest(model).measures["blocks_per_device"] == 64
    assert (run_folder(place) / "metrics.csv").read_bytes() == (run_folder(whole) / "metrics.csv").read_bytes()

    limit[0] -= 600 << 20
    again = copied(given, tmp_path / "shorter")
    with pytest.raises(OutOfMemory, match="training ended with code 8"):
        pretrain.run(given[1], small.model_copy(update={"blocks_per_device": 128, "seed": 2}), again)
    assert len([e for e in events(again) if e["event"] == "error"]) == 2, "halved once, not again and again"


GROUP = Path("/sys/fs/cgroup/memory")  # cgroup v1: in v2 only a process of its own subtree may enter a group
# Is the program; with the larger micro-batch it first enters a group whose memory ends soon.
CONFINED = """
import os, runpy, sys
_, group, *words = sys.argv
text = open(words[words.index("--config") + 1]).read()
if "blocks_per_device: 256" in text:
    open(group + "/cgroup.procs", "w").write(str(os.getpid()))
sys.argv = ["lightning_modules", *words]
runpy.run_module("lightning_modules", run_name="__main__", alter_sys=True)
"""


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.skipif(not os.access(GROUP / "cgroup.procs", os.W_OK), reason="needs a memory group of cgroup v1, as root")
def test_a_program_that_the_kernel_kills_for_memory_gets_half_the_micro_batch(given, tmp_path, monkeypatch):
    group = GROUP / f"ziliu-test-{os.getpid()}"
    group.mkdir()
    try:
        (group / "memory.limit_in_bytes").write_text(str(450 << 20))
        with contextlib.suppress(OSError):  # where swap is counted too
            (group / "memory.memsw.limit_in_bytes").write_text(str(450 << 20))
        plain = trainer.command
        monkeypatch.setattr(trainer, "command", lambda *a: [plain(*a)[0], "-c", CONFINED, str(group), *plain(*a)[3:]])
        shape = {"layers": 4, "heads": 2, "width": 128, "ffn_width": 2048, "dropout": 0.0}
        told = {"model": shape, "duration": "2 steps", "tokens_per_step": 8192, "blocks_per_device": 256}
        place, before = copied(given, tmp_path / "run"), kills_for_memory()
        model, _ = pretrain.run(given[1], PretrainConfig(**{**LONG, **told}), place)
        assert kills_for_memory() > before
        assert Store(place.store).manifest(model).measures["blocks_per_device"] == 128
    finally:
        group.rmdir()


def test_kills_of_the_kernel_are_counted(tmp_path):
    assert kills_for_memory() >= 0
    (tmp_path / "vmstat").write_text("pgfault 7\noom_kill 3\noom_kill_other 9\n", encoding="ascii")
    assert kills_for_memory(tmp_path / "vmstat") == 3
    assert kills_for_memory(tmp_path / "none") == 0


@pytest.mark.parametrize(("kills", "expected"), [([4, 5, 5, 6], OutOfMemory), ([4, 4], TrainingError)])
def test_what_was_killed_is_short_of_memory_only_where_the_kernel_killed(tmp_path, monkeypatch, kills, expected):
    counts, blocks = iter(kills), []
    monkeypatch.setattr(trainer, "kills_for_memory", lambda: next(counts))
    monkeypatch.setattr(
        trainer,
        "command",
        lambda cfg, run: (
            blocks.append(cfg.blocks_per_device)
            or [sys.executable, "-c", "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"]
        ),
    )
    with pytest.raises(expected, match="training ended with code 137"):
        trainer.train(PretrainConfig(blocks_per_device=8), lambda cfg: {}, tmp_path)
    assert blocks == ([8, 4] if expected is OutOfMemory else [8])
