"""What stops a road before or in training: a broken contract, and a loss that is not finite. On a copy of the road's store."""

from __future__ import annotations

import json
import re
import shutil
import signal
import time
from pathlib import Path

import pytest

from tests.e2e import roads
from tests.e2e.conftest import Road

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1200)]


@pytest.fixture
def store(road: Road, tmp_path: Path) -> Path:
    """The finished store, so that everything above what goes wrong is found."""
    copied = tmp_path / "store"
    shutil.copytree(road.store, copied, ignore=shutil.ignore_patterns("server", "tmp", "locks"))
    return copied


def test_a_loss_that_is_not_finite_stops_training_and_keeps_the_last_good_checkpoint(
    road: Road, store: Path, tmp_path: Path, prefect_url: str
):
    wild = {
        "pretrain__optimizer": "{learning_rate: 1.0e+30, warmup_ratio: 0}",
        "pretrain__steps_between_checkpoints": 1,
    }
    told = roads.ziliu(
        "run", roads.DEMO, *roads.reduced(store, road.site.port, **wild), folder=tmp_path / "run", PREFECT_API_URL=prefect_url
    )  # fmt: skip
    assert told.code == 6, told
    named = re.search(r"the loss became \S+ at step (\d+)", told.err.replace("\n", " "))
    assert named, told
    assert "Lower pretrain.optimizer.learning_rate" in told.err.replace("\n", " ")
    assert "Traceback" not in told.err
    trained = {m.measures["run"] for m in roads.Store(store).datasets() if m.stage == "pretrain"}
    (run,) = [p for p in store.glob("runs/train-*") if p.name not in trained]
    index = json.loads((run / "checkpoints" / "index.json").read_text(encoding="utf-8"))
    assert index["newest"] == f"step-{int(named[1]) - 1:08d}.ckpt"
    assert (run / "checkpoints" / index["newest"]).stat().st_size > 100_000
    assert not (run / "result.json").exists()
    assert (run / "train.log").read_text(encoding="utf-8").count('"event": "error"') == 1, "it was tried again in vain"


@pytest.fixture
def strict_contract(tmp_path: Path) -> Path:
    """The corpus contract, with an upper limit of characters that most documents break."""
    text = (roads.ROOT / "data_contracts" / "corpus.odcs.yaml").read_text(encoding="utf-8")
    assert "maxLength: 1000000" in text
    path = tmp_path / "strict.odcs.yaml"
    path.write_text(text.replace("maxLength: 1000000", "maxLength: 500"), encoding="utf-8")
    return path


def test_a_broken_contract_stops_the_road_and_is_reported(
    road: Road, store: Path, tmp_path: Path, prefect_url: str, strict_contract: Path
):
    told = roads.ziliu(
        "run", roads.DEMO, *roads.reduced(store, road.site.port, gate__corpus=strict_contract, pretrain__seed=7),
        folder=tmp_path / "run", PREFECT_API_URL=prefect_url,
    )  # fmt: skip
    assert told.code == 3, told
    assert "质量门不合格 gate failed" in told.err
    assert "Traceback" not in told.err
    states = roads.states(told)
    assert not {"vocab", "encode", "pretrain", "assess"} & set(states), "something ran after the gate"
    assert {p.name for p in store.glob("runs/train-*")} == {p.name for p in road.store.glob("runs/train-*")}
    run = max(store.glob("runs/*-everything-*"))
    verdict = json.loads((run / "verdict-corpus.json").read_text(encoding="utf-8"))
    (failed,) = [r for r in verdict["results"] if r.get("severity", "error") == "error" and not r["passed"]]
    assert len(failed["samples"]) == 5
    long = roads.Store(store).scan(f"segment/{roads.newest(store, 'segment').version}").collect()
    over = long.filter(long["text"].str.len_chars() > 500)
    assert failed["found"] == over.height
    assert {s["id"] for s in failed["samples"]} <= set(over["doc_id"])
    html = (run / "report.html").read_text(encoding="utf-8")
    for word in (failed["rule"], f"{over.height:,}", *(s["id"] for s in failed["samples"])):
        assert word in html, f"the report does not say {word}"
        assert word in (run / "verdict-corpus.md").read_text(encoding="utf-8"), word


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "SIGTERM"])
def test_an_interrupted_run_saves_its_checkpoint_and_leaves_no_process(
    road: Road, store: Path, tmp_path: Path, prefect_url: str, number: int
):
    there = set(store.glob("runs/train-*"))
    process = roads.start(
        "run", roads.DEMO, *roads.reduced(store, road.site.port, pretrain__seed=int(number), pretrain__duration="900 steps"),
        folder=tmp_path / "run", PREFECT_API_URL=prefect_url,
    )  # fmt: skip
    deadline = time.monotonic() + 240
    while not (tables := [p for p in store.glob("runs/train-*/metrics.csv") if p.parent not in there]) or (
        len(tables[0].read_text().splitlines()) < 8
    ):
        assert process.poll() is None, roads.said(process.returncode, tmp_path / "run", 0)
        assert time.monotonic() < deadline, roads.said(-1, tmp_path / "run", 240)
        time.sleep(0.05)
    process.send_signal(number)
    told = roads.ended(process, tmp_path / "run", 120)
    assert told.code == 130, told
    assert "the same command goes on from here" in told.err
    assert "Traceback" not in told.err
    assert roads.left_after(store, 5) == []
    (run,) = [p.parent for p in tables]
    assert (run / "train.log").read_text(encoding="utf-8").count('"train_start"') == 1, "a cancel was tried again"
    last = int((run / "metrics.csv").read_text(encoding="utf-8").splitlines()[-1].split(",")[0])
    index = json.loads((run / "checkpoints" / "index.json").read_text(encoding="utf-8"))
    assert index["newest"] == f"step-{last:08d}.ckpt", "steps after the last checkpoint were lost"
    state = json.loads(max(store.glob("runs/*-everything-*/stages.json")).read_text(encoding="utf-8"))["state"]
    assert state.split(": ")[1] in ("KeyboardInterrupt", "TerminationSignal"), state
