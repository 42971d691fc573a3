"""`ziliu why`, `lineage` and `diff` on a store of 180,000 generated documents in six stages: seconds, as a program."""

from __future__ import annotations

import os
import random
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from data_contracts.config import Place
from data_contracts.dataset import Manifest
from data_contracts.schemas import DOCUMENT
from tasks import journal, rows
from tasks.rows import Room
from tasks.store import Store, now, publish
from tests.benchmarks.measured import write
from tests.given_documents import documents

DOCUMENTS, SHARDS, SIGNALS, RUNS = 180_000, 24, 20, 5
STAGES = {
    "ingest_files": "",
    "clean": "too_short",
    "redact": "",
    "dedup": "near_duplicate",
    "decontaminate": "",
    "segment": "",
}
COMMON = (
    "的一是了我不人在他有这个上们来到时大地为子中你说生国年着就那和要她出也得里后自以会家可下而过天去能对小多然于心学"
)


@pytest.mark.bench
@pytest.mark.timeout(1800)
def test_questions(tmp_path):
    place = Place(store=str(tmp_path / "store"), name="bench")
    made = generated(place)
    last = Store(place.store).manifest(publish(made[-1].handle, "corpus", place))
    assert last.total("rows_kept") > 0.8 * DOCUMENTS
    dice = random.Random(5)
    urls = [f"file:given#{dice.randrange(DOCUMENTS)}" for _ in range(RUNS)]
    asked = {
        "why a url": [("why", url) for url in urls],
        "lineage of a url": [("lineage", url) for url in urls],
        "lineage of the corpus": [("lineage", "corpus/bench")] * RUNS,
        "diff of two stages": [("diff", "redact", "segment")] * RUNS,
    }
    figures = {name: ask(commands, place.store) for name, commands in asked.items()}
    size = sum(f.bytes for m in made for s in m.shards for f in s.files.values())
    path = write(
        "questions", {"documents": DOCUMENTS, "stages": len(STAGES), "store_mb": size / 1e6} | figures, tmp_path
    )
    print(path.read_text(encoding="utf-8"))


def ask(commands: list[tuple[str, ...]], store: str) -> dict[str, float]:
    """Median seconds of a program from its start to its end, by the clock and by the processor."""
    walls, cpus = [], []
    for command in commands:
        before, begun = os.times(), time.monotonic()
        ended = subprocess.run(
            [sys.executable, "-m", "deployments.cli", *command, "--store", store],
            capture_output=True,
            text=True,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
            cwd=Path(store).parent,
        )
        walls.append(time.monotonic() - begun)
        after = os.times()
        cpus.append(after.children_user + after.children_system - before.children_user - before.children_system)
        assert ended.returncode == 0, ended.stderr
        assert len(ended.stdout.splitlines()) > 3
    return {"wall_seconds": round(statistics.median(walls), 3), "cpu_seconds": round(statistics.median(cpus), 3)}


def generated(place: Place) -> list[Manifest]:
    """A road of six stages over invented documents of 60 to 900 characters, written as stages write them."""
    store = Store(place.store).open()
    dice = random.Random(3)
    pool = "".join(dice.choice(COMMON) for _ in range(200_000))
    texts = [pool[(a := dice.randrange(199_000)) : a + dice.randrange(60, 900)] for _ in range(DOCUMENTS)]
    whole = documents(texts).with_columns(reason=pl.lit(None, pl.String()))
    frames = [whole[i::SHARDS] for i in range(SHARDS)]
    made: list[Manifest] = []
    with journal.keep("corpus", place), store.folder.scratch() as scratch:
        for stage, reason in STAGES.items():
            shards = []
            for i, frame in enumerate(frames):
                refused = pl.Series(np.random.default_rng(i).random(frame.height) < (0.05 if reason else 0))
                marked = frame.with_columns(reason=pl.when(refused).then(pl.lit(reason)))
                if stage == "clean":
                    values = np.random.default_rng(i).random((SIGNALS, frame.height))
                    marked = marked.with_columns(**{f"signal_{n}": pl.Series(v) for n, v in enumerate(values)})
                shards.append(rows.shard(Room(store, scratch), marked, DOCUMENT))
                frames[i] = frame.filter(~refused)
            parents = [f"{made[-1].stage}/{made[-1].version}"] if made else []
            manifest = Manifest(
                stage=stage, version=f"{len(made):016x}", schema_label=DOCUMENT.label, parents=parents, config={}, code="",
                libraries={}, shards=shards, created_at=now(),
            )  # fmt: skip
            store.commit(manifest)
            journal.note(stage, stage, manifest, False)
            made.append(manifest)
    return made
