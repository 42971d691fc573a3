"""The reference run beside the same model on raw text, with nanoGPT's policy, and beside a character 4-gram.

    ZILIU_SHARED_DATA=FOLDER ZILIU_BENCH_STORE=FOLDER python -m pytest -m bench tests/benchmarks/bench_reference.py -s

ours      deployments/configs/laptop.yaml: its corpus, vocabulary, model and scores
raw       the same sources as they come, neither cleaned nor redacted nor deduplicated, with a vocabulary of their own
nanogpt   raw, and as nanoGPT's train.bin is read: one stream in which a block goes on into the next document, all of
          which attention sees

Network, optimizer, steps and seed are the same, so all get the same time but for what the masks cost; seconds of
training stand beside the figures. Asked are texts that neither corpus trains on (tasks/hold_out.py), each from its own
beginning, and the minimal pairs of the config; intervals are of the paired bootstrap over texts. The 4-gram (Witten and
Bell 1991) learns the training texts of `ours` and is asked about its test split.

All is kept in ZILIU_BENCH_STORE and found there again, also what `ziliu run` has left there; each of the three models
takes half an hour on two cores. ZILIU_BENCH_STEPS takes so few steps instead.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import yaml

from data_contracts.comparison import CompareConfig, ExamConfig
from data_contracts.config import EverythingConfig
from data_contracts.config_file import load
from data_contracts.dataset import Dataset, Shard, digest_of
from tasks.assess import SCORES, assess
from tasks.encode import encode
from tasks.examine import ANSWERS, examine
from tasks.hold_out import BOTH, hold_out
from tasks.ingest import ingest_files
from tasks.pretrain import pretrain
from tasks.proof import prove
from tasks.reporting.curves import table
from tasks.segment import segment
from tasks.stage import Stage
from tasks.store import Store
from tasks.vocab import vocab
from tests.benchmarks.measured import write

pytestmark = [pytest.mark.bench, pytest.mark.timeout(4 * 3600)]
ROOT = Path(__file__).parents[2]
CONFIG = ROOT / "deployments" / "configs" / "laptop.yaml"
PAIRS_ALONE = {"baseline_chars": 1_000_000, "free_samples": 0, "probes": 0, "max_tokens": 20_000, "speed": False}
POINTS = 20  # of a curve
NOWHERE = -1  # no token: what resets positions, and with them attention, where documents begin


def made(stage: Stage, *arguments: Any) -> Dataset:
    return stage.run(*arguments)[0]


def blocks_of(documents: list[Dataset], cfg: EverythingConfig) -> Dataset:
    """Blocks of documents, with a vocabulary of their own."""
    cut = made(segment, documents, cfg.segment, cfg.place)
    tokenizer = made(vocab, cut, cfg.vocab, cfg.encode.splits, cfg.place)
    return made(encode, cut, tokenizer, cfg.encode, cfg.mixture, cfg.place)


def across_documents(store: Store, model: Dataset) -> Dataset:
    """The model again, trained on the same batches with attention across the documents of a block."""
    known = store.manifest(model)
    version = digest_of([model.name, "across documents"])[:16]
    found = store.find(known.stage, version)
    if found is not None:
        return found.handle
    old, new = store.run_folder(known.measures["run"]), store.run_folder(f"train-{version}")
    run: dict[str, Any] = yaml.safe_load((old / "run.yaml").read_text(encoding="utf-8").replace(str(old), str(new)))
    run["data"]["init_args"]["separator_id"] = NOWHERE
    new.mkdir(parents=True, exist_ok=True)
    subprocess.run(["cp", "-r", str(old / "tokenizer"), *map(str, old.glob("held_out")), str(new)], check=True)
    (new / "run.yaml").write_text(yaml.safe_dump(run, allow_unicode=True), encoding="utf-8")
    fit = [sys.executable, "-m", "lightning_modules", "fit", "--config", str(new / "run.yaml")]
    start = time.monotonic()
    with (new / "train.log").open("ab") as log:
        subprocess.run(fit, check=True, cwd=ROOT, stdout=log)
    took = {"seconds": time.monotonic() - start}
    files = {path.name: store.keep_file(path) for path in sorted((new / "export").iterdir())}
    shard = Shard(content=digest_of({name: file.sha256 for name, file in files.items()}), files=files)
    measures = {"run": f"train-{version}", **json.loads((new / "result.json").read_text(encoding="utf-8"))}
    return store.commit(known.model_copy(update=took | {"version": version, "shards": [shard], "measures": measures}))


def test_reference(shared_data: Path, tmp_path: Path) -> None:
    folder = os.environ.get("ZILIU_BENCH_STORE") or str(tmp_path / "store")
    given = [f"store={folder}"]
    if steps := os.environ.get("ZILIU_BENCH_STEPS"):
        given.append(f"pretrain.duration={steps} steps")
    cfg = load(CONFIG, given)
    overrides = [part for one in given for part in ("--set", one)]
    subprocess.run([sys.executable, "-m", "deployments.cli", "run", str(CONFIG), *overrides], check=True, cwd=ROOT)
    store, place = Store(folder).open(), cfg.place
    ours, model, scored = (store.resolve("latest", f"{kind}/{cfg.name}", "") for kind in ("blocks", "model", "scores"))
    raw = blocks_of([made(ingest_files, source, cfg.ingest, place) for source in cfg.files], cfg)
    models = {"ours": model, "raw": made(pretrain, [raw], cfg.pretrain, place)}
    models["nanogpt"] = across_documents(store, models["raw"])
    exam = made(hold_out, ours, raw, [], ExamConfig(), place)
    asked = {name: answers(store, made(examine, one, exam, place)) for name, one in models.items()}
    pairs_alone = cfg.assess.model_copy(update=PAIRS_ALONE)
    scores = {n: scored if n == "ours" else made(assess, one, pairs_alone, place) for n, one in models.items()}
    tests = store.manifest(scored).measures
    figures: dict[str, Any] = {
        "texts": asked["ours"].height,
        "chars": int(asked["ours"]["chars"].sum()),
        "bits_per_char": {n: round(a["bits"].sum() / a["chars"].sum(), 4) for n, a in asked.items()},
        "less_than": {name: apart(asked["ours"], asked[name], name) for name in ("raw", "nanogpt")},
        "minimal_pairs": {name: pairs(store, one) for name, one in scores.items()},
        "test_split": {k: v for k, v in tests.items() if k.endswith("bits_per_char")},
        "training": {name: trained(store, one) for name, one in models.items()},
    }
    print(write("reference", figures, tmp_path).read_text(encoding="utf-8"))
    if steps:
        return  # nothing is learnt in so few
    assert all(one["low"] > 0.5 for one in figures["minimal_pairs"]["ours"].values())
    assert figures["test_split"]["bits_per_char"] < figures["test_split"]["fourgram_bits_per_char"]


def answers(store: Store, dataset: Dataset) -> pl.DataFrame:
    """What was paid for the texts that both corpora hold out."""
    [shard] = store.checked(dataset).shards
    return pl.read_parquet(store.path(shard.files[ANSWERS])).filter(pl.col("side") == BOTH)


def pairs(store: Store, scored: Dataset) -> dict[str, dict[str, float]]:
    """By set: the share of minimal pairs that a model judges rightly, and its 95 % interval."""
    [shard] = store.checked(scored).shards
    sets = json.loads(store.path(shard.files[SCORES]).read_text(encoding="utf-8"))["minimal_pairs"]["sets"]
    return {
        name: {what: round(one[what], 4) for what in ("accuracy", "low", "high", "count")} for name, one in sets.items()
    }


def apart(ours: pl.DataFrame, other: pl.DataFrame, name: str) -> dict[str, Any]:
    """Bits per character of the first less those of the other, with their interval."""
    found = prove([ours, other], CompareConfig(names=("ours", name), seeds=(1,)))
    return found.model_dump(include={"difference", "low", "high", "p"})


def trained(store: Store, model: Dataset) -> dict[str, Any]:
    """How long a model was trained, and how the loss of its training batches fell."""
    manifest = store.manifest(model)
    told: dict[str, Any] = {"seconds": round(manifest.seconds, 1)}
    told |= {name: manifest.measures.get(name) for name in ("step", "parameters", "tokens_per_second")}
    rows = table(store.run_folder(manifest.measures["run"]) / "metrics.csv")
    paid = [row["bits_per_char"] for row in rows]
    parts = np.array_split(paid, min(POINTS, len(paid)))
    return told | {"bits_per_char_of_each_part_of_the_run": [round(float(part.mean()), 3) for part in parts]}
