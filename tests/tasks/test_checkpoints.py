"""Checkpoints of a training run as datasets: whose they are, that no byte is twice, who may remove them, what they know."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from data_contracts.assessment import AssessConfig
from data_contracts.config import Place
from data_contracts.errors import NonFiniteLoss
from data_contracts.mixture import MixtureConfig
from data_contracts.stages import EncodeConfig, SegmentConfig, VocabConfig
from data_contracts.training import PretrainConfig
from tasks import checkpoints, garbage, lineage
from tasks.assess import assess
from tasks.encode import encode
from tasks.pretrain import pretrain
from tasks.segment import segment
from tasks.store import Store, find_input
from tasks.vocab import vocab
from tests.given_documents import deposit, documents, invented

ENCODE = EncodeConfig(block_tokens=32, validation_ratio=0.1, test_ratio=0.1)
CONFIG = {
    "model": {"layers": 2, "heads": 2, "width": 32},
    "duration": "6 steps",
    "tokens_per_step": 256,
    "blocks_per_device": 4,
    "precision": "32",
    "steps_between_checkpoints": 2,
    "steps_between_validations": 2,
    "checkpoints_kept": 2,
    "best_checkpoints_kept": 1,
}


@pytest.fixture
def written(store, tmp_path):
    """The folder of a run as the trainer leaves it: two checkpoints, one of one file and one of shards."""
    folder = store.run_folder("train-0123456789abcdef")
    place = folder / "checkpoints"
    for name in ("step-00000002.ckpt", "step-00000004.ckpt/0.distcp", "step-00000004.ckpt/meta.pt"):
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_bytes(name.encode() * 1000)
    index(place)
    (folder / "validation.csv").write_text("step,loss,bits_per_char,tokens\n2,5.5,,10\n4,5.25,,10\n", encoding="utf-8")
    return folder


def index(place: Path) -> None:
    import hashlib

    entries: dict = {}
    for path in sorted(p for p in place.rglob("*") if p.is_file() and p.name != "index.json"):
        name = path.relative_to(place).as_posix()
        entry = [path.stat().st_size, hashlib.sha256(path.read_bytes()).hexdigest()]
        entries.setdefault(name.split("/")[0], {})[name] = entry
    told = {"newest": max(entries), "best": ["step-00000004.ckpt"], "checkpoints": entries}
    (place / "index.json").write_text(json.dumps(told), encoding="utf-8")


SETTINGS = {"model": {"init_args": {"separator_id": 0, "pad_id": 1}}, "run": {"mask_id": None}}
TOLD = {"parents": [], "config": {"PretrainConfig": {}}, "code": "c", "libraries": {"torch": "2"}}


def published(store, folder) -> list[str]:
    return checkpoints.publish(store, folder, "pretrain/0123456789abcdef", SETTINGS, TOLD)


def test_every_kept_checkpoint_is_a_dataset_that_shares_its_bytes(store, written):
    names = published(store, written)
    first, second = (store.checked(name) for name in names)
    assert [(m.measures["step"], m.measures["validation_loss"], m.measures["best"]) for m in (first, second)] == [
        (2, 5.5, False),
        (4, 5.25, True),
    ]
    assert sorted(second.shards[0].files) == ["step-00000004.ckpt/0.distcp", "step-00000004.ckpt/meta.pt"]
    for manifest in (first, second):
        for name, file in manifest.shards[0].files.items():
            assert store.path(file).samefile(written / "checkpoints" / name), "a second name, not a second copy"
    assert published(store, written) == names, "the same again is the same dataset"
    path = written / "checkpoints" / "step-00000002.ckpt"
    path.unlink()
    path.write_bytes(b"trained again elsewhere: the same weights beside other seconds")
    index(written / "checkpoints")
    assert published(store, written) == names
    assert store.manifest(names[0]) == first, "the first sight stands"
    store.path(first.shards[0].files[path.name]).unlink()
    published(store, written)
    assert store.faults(store.manifest(names[0])) == [], "and what is lost comes back"
    assert len([m for m in store.datasets() if m.stage == "checkpoint"]) == 2


def test_a_damaged_checkpoint_is_not_published(store, written):
    path = written / "checkpoints" / "step-00000002.ckpt"
    path.write_bytes(path.read_bytes()[:-1])
    [name] = published(store, written)
    assert store.manifest(name).measures["step"] == 4
    (written / "checkpoints" / "index.json").write_text("{", encoding="utf-8")
    assert published(store, written) == []


def test_garbage_collection_keeps_those_of_a_kept_model_and_others_for_a_while(tmp_path):
    """Whoever opened the store holds it, so the store is only read here."""
    store = Store(tmp_path / "store")
    folder = store.run_folder("train-0123456789abcdef")
    (folder / "checkpoints").mkdir()
    for step in (2, 4):
        (folder / "checkpoints" / f"step-{step:08d}.ckpt").write_bytes(bytes([step]) * 100)
    index(folder / "checkpoints")
    old, new = published(store, folder)
    from data_contracts.dataset import Manifest

    model = Manifest(
        stage="pretrain", version="0123456789abcdef", schema_label="model", shards=[], created_at="2026-01-01",
        measures={"run": folder.name, "checkpoints": [new]}, **TOLD,
    )  # fmt: skip
    store.point("model/x", store.commit(model))
    assert garbage.collect(store, dry_run=True).names == [], "both are young"
    then = time.time() - 40 * 86_400
    for name in (old, new):
        os.utime(store.folder.path(f"datasets/{name}.json"), (then, then))
    gone = garbage.collect(store, dry_run=False).names
    assert f"datasets/{old}.json" in gone
    assert not any(name.startswith("runs/") or new in name for name in gone), "the model's run and checkpoint stay"
    assert store.faults(store.manifest(new)) == []
    assert (folder / "checkpoints" / "step-00000002.ckpt").exists(), "an object's end is not that of its other name"


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_run_publishes_its_checkpoints_and_they_are_assessed_as_models(tmp_path):
    place = Place(store=str(tmp_path / "store"), workers=1, name="x")
    store = Store(place.store).open()
    text, _ = segment.run(deposit(store, [documents(invented())]), SegmentConfig(), place)
    tokenizer, _ = vocab.run(text, VocabConfig(size=500), ENCODE.splits, place)
    blocks, _ = encode.run(text, tokenizer, ENCODE, MixtureConfig(), place)
    model, _ = pretrain.run(blocks, PretrainConfig(**CONFIG), place)
    manifest = store.manifest(model)
    made = [store.checked(name) for name in manifest.measures["checkpoints"]]
    assert [m.measures["step"] for m in made][-2:] == [4, 6]
    last = made[-1]
    assert (last.parents, last.config, last.code, last.libraries) == (
        manifest.parents,
        manifest.config,
        manifest.code,
        manifest.libraries,
    )
    behind = {m.stage for m in lineage.ancestors(store, last)}
    assert behind == {"encode", "vocab", "segment", "given"}
    assert lineage.find(store, last.handle.name) == [last]

    asked = AssessConfig(max_tokens=1000, max_pairs=5, sample_tokens=4)
    as_model, as_checkpoint = (
        store.manifest(assess.run(find_input(name, "model", place), asked, place)[0])
        for name in (model.name, last.handle.name)
    )
    scores = [m.measures for m in (as_model, as_checkpoint)]
    assert scores[0]["bits_per_char"] == scores[1]["bits_per_char"], "the last checkpoint is the model"
    earlier, _ = assess.run(made[-2].handle, asked, place)
    assert store.manifest(earlier).measures["bits_per_char"] != scores[0]["bits_per_char"]

    wild = {**CONFIG, "optimizer": {"learning_rate": 1e30, "warmup_ratio": 0}, "steps_between_checkpoints": 1}
    before = {m.version for m in store.datasets()}
    with pytest.raises(NonFiniteLoss):
        pretrain.run(blocks, PretrainConfig(**wild), place)
    [left] = [m for m in store.datasets() if m.version not in before]
    assert left.stage == "checkpoint", "what a failed run leaves can be looked at"
    assert store.faults(left) == []
