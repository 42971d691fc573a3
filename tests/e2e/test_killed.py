"""`kill -9` of the whole process group at five random moments, then the same command: nothing is lost, done twice or left.

The moments are drawn once, by a fixed seed: one in the crawl, two in the data stages, two in the training after its
first checkpoint. Twice the command is given again at once, while the programs of the killed run still save and end.
"""

from __future__ import annotations

import json
import random
import re
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import psutil
import pytest

from data_contracts.dataset import KEPT, QUARANTINED, SIGNALS, File, Manifest
from tasks.store import Store
from tests.e2e import roads
from tests.e2e.conftest import Road

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1800)]

DRAW = random.Random(20260622)
DATA_STAGES = ("ingest_visits", "extract", "boilerplate", "clean", "redact", "dedup", "segment", "vocab", "encode")
LINEAGE = (
    "fetched_at",
    "checked_at",
    "archive",
    "offset",
    "depth",
)  # may differ between two crawls that saw the same bytes
LAST_STEP = 40  # roads.REDUCED
GONE_SECONDS = 60.0


class Moment(NamedTuple):
    """When to kill: a sign in the store, so many seconds after it, and whether to wait for what was left behind."""

    name: str
    come: Callable[[Path], bool]
    seconds: float
    at_once: bool


def crawled(store: Path) -> bool:
    """The crawl has begun to write pages."""
    return any(p.stat().st_size > 20_000 for p in store.glob("crawls/*/*/warc/*"))


def begun(stage: str) -> Callable[[Path], bool]:
    """A job of the stage has finished, or its dataset."""
    return lambda store: any(store.glob(f"shards/{stage}/*")) or any(store.glob(f"datasets/{stage}/*"))


def trained(step: int) -> Callable[[Path], bool]:
    """The metrics hold so many steps."""
    return lambda store: any(len(p.read_text().splitlines()) > step for p in store.glob("runs/train-*/metrics.csv"))


def moments() -> list[Moment]:
    # Far apart: a stage that the run before has begun within its last second would be no moment of the next run.
    first, second = DRAW.choice(DATA_STAGES[:4]), DRAW.choice(DATA_STAGES[-3:])
    early, late = DRAW.randint(6, 18), DRAW.randint(22, 36)
    return [
        Moment("crawl", crawled, DRAW.uniform(0, 1.5), at_once=True),
        Moment(first, begun(first), DRAW.uniform(0, 1), at_once=False),
        Moment(second, begun(second), DRAW.uniform(0, 1), at_once=False),
        Moment(f"training step {early}", trained(early), DRAW.uniform(0, 0.3), at_once=True),
        Moment(f"training step {late}", trained(late), DRAW.uniform(0, 0.3), at_once=False),
    ]


def kill_at(process: subprocess.Popen[bytes], store: Path, moment: Moment, folder: Path) -> list[psutil.Process]:
    """Wait for the moment and kill the group; returns the processes of the store that outlive it."""
    deadline = time.monotonic() + 600
    assert not moment.come(store), f"{moment.name} had come before, so this run would be killed before it did anything"
    while not moment.come(store):
        assert process.poll() is None, f"ended before {moment.name}: {roads.said(process.returncode, folder, 0)}"
        assert time.monotonic() < deadline, f"{moment.name} never came: {roads.said(-1, folder, 600)}"
        time.sleep(0.02)
    time.sleep(moment.seconds)
    assert process.poll() is None, f"ended before {moment.name}: {roads.said(process.returncode, folder, 0)}"
    roads.kill_group(process)
    return roads.processes_of(store)


class Killed(NamedTuple):
    store: Path
    last: roads.Said
    left: dict[str, list[str]]  # by moment: processes that lived on for too long
    done: list[set[str]]  # datasets that were there after each kill


def programs(processes: list[psutil.Process]) -> list[psutil.Process]:
    """Those that must end with their run whoever comes next; server and database may be taken over by the next run."""
    told = [(p, roads.described(p)) for p in processes]
    return [p for p, what in told if "server_keeper" not in what and "postgres" not in what]


@pytest.fixture(scope="module")
def killed(road: Road, tmp_path_factory: pytest.TempPathFactory) -> Killed:
    folder = tmp_path_factory.mktemp("killed")
    store = folder / "store"
    arguments = roads.reduced(store, road.site.port)
    left: dict[str, list[str]] = {}
    done: list[set[str]] = []
    before: Moment | None = None
    outliving: list[psutil.Process] = []
    for number, moment in enumerate(moments()):
        process = roads.start("run", roads.DEMO, *arguments, folder=folder / f"{number}")
        if before and before.at_once:
            left[before.name] = roads.alive_after(programs(outliving), GONE_SECONDS)
        outliving = kill_at(process, store, moment, folder / f"{number}")
        assert outliving, "the kill left nothing behind, so this test shows nothing about orphans"
        if not moment.at_once:
            left[moment.name] = roads.left_after(store, GONE_SECONDS)
        done.append({f"{m.stage}/{m.version}" for m in Store(store).datasets()})
        before = moment
    last = roads.ziliu("run", roads.DEMO, *arguments, folder=folder / "last", seconds=900)
    left["the end"] = roads.left_after(store, GONE_SECONDS)
    return Killed(store, last, left, done)


def test_the_last_run_ends_well(killed: Killed):
    assert killed.last.code == 0, killed.last
    assert killed.last.err == ""


def test_no_process_outlives_its_run_by_a_minute(killed: Killed):
    assert {moment: who for moment, who in killed.left.items() if who} == {}


def test_finished_stages_are_found_and_only_the_rest_is_made(killed: Killed):
    store = Store(killed.store)
    (run,) = [p for p in killed.store.glob("runs/*/stages.json") if json.loads(p.read_text())["state"] == "completed"]
    told = json.loads(run.read_text(encoding="utf-8"))["stages"]
    for entry in told:
        assert entry["cached"] == (entry["dataset"] in killed.done[-1]), entry
    assert {e["stage"] for e in told if e["cached"]} >= {"crawl", *DATA_STAGES}
    assert killed.done == sorted(killed.done, key=len), "a dataset that was there has gone"
    for before, after in zip(killed.done, killed.done[1:], strict=False):
        assert before <= after
    everything = {f"{m.stage}/{m.version}" for m in store.datasets()}
    assert killed.done[-1] <= everything


def test_training_went_on_from_its_checkpoints(killed: Killed):
    (log,) = killed.store.glob("runs/train-*/train.log")
    events = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines() if line.startswith("{")]
    resumed = [e["step"] for e in events if e["event"] == "resume"]
    assert len(resumed) >= 2, f"resumed at {resumed}"
    assert all(step >= 5 for step in resumed)
    assert resumed == sorted(resumed)
    written = {e["step"] for e in events if e["event"] == "checkpoint"}
    assert set(resumed) <= written


def made_of(manifest: Manifest) -> list[dict[str, File]]:
    """Every file of every shard, but those in which lineage columns stand beside the rest."""
    return [{n: f for n, f in s.files.items() if n not in (QUARANTINED, SIGNALS)} for s in manifest.shards]


def test_the_same_versions_and_the_same_rows_came_out(road: Road, killed: Killed):
    ours, theirs = roads.versions(killed.store), roads.versions(road.store)
    # A trainer whose run was killed saves where it stands: the step of an earlier checkpoint differs, not that of the last.
    assert ours.pop("checkpoint") & theirs.pop("checkpoint")
    assert ours == theirs
    one, other = Store(road.store), Store(killed.store)
    for manifest in one.datasets():
        name = f"{manifest.stage}/{manifest.version}"
        if manifest.stage == "checkpoint" and other.find(manifest.stage, manifest.version) is None:
            continue
        again = other.manifest(name)
        assert [s.content for s in again.shards] == [s.content for s in manifest.shards], name
        assert (again.reasons, again.total("rows_in")) == (manifest.reasons, manifest.total("rows_in")), name
        if manifest.stage not in (
            "crawl",
            "ingest_visits",
            "gate",
            "pretrain",
            "checkpoint",
        ):  # these name places and times
            assert made_of(again) == made_of(manifest), name
        if "@" in manifest.schema_label:
            for which in (KEPT, QUARANTINED):
                rows = [s.scan(name, which).drop(LINEAGE, strict=False).collect() for s in (one, other)]
                assert rows[0].equals(rows[1]), (name, which)


def test_the_loss_curve_is_bit_identical(road: Road, killed: Killed):
    curves = []
    for store in (road.store, killed.store):
        (table,) = store.glob("runs/train-*/metrics.csv")
        curves.append(table.read_text(encoding="utf-8"))
    assert len(curves[0].splitlines()) == LAST_STEP + 1
    assert curves[0] == curves[1]
    model = [roads.newest(s, "pretrain").shards[0].files["model.safetensors"] for s in (road.store, killed.store)]
    assert model[0] == model[1], "the weights differ"


def test_the_store_is_whole_after_all_this(killed: Killed):
    told = roads.ziliu("verify", "--store", killed.store, folder=killed.store.parent / "verify")
    assert told.code == 0, told
    assert not re.search(r"✗", told.out)
