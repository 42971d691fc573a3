"""`ziliu compare`: of two configs that differ in one rule of clean, the one that lets planted garbage through loses."""

from __future__ import annotations

import json
import lzma
import random
import re
from pathlib import Path

import pytest
import yaml

from data_contracts.config_file import load
from deployments.proof import asked
from tasks.compare import read
from tasks.store import Store
from tests.e2e import roads

TEXTS = roads.ROOT / "deployments" / "demo" / "texts"
pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1200)]
SMALL = {
    "ingest": {"shard_bytes": "1MB"},
    "vocab": {"size": 2000},
    "encode": {"block_tokens": 128, "validation_ratio": 0.02, "test_ratio": 0.12},
    "pretrain": {
        "model": {"layers": 2, "heads": 2, "width": 64},
        "optimizer": {"learning_rate": 0.004},
        "tokens_per_step": 2048,
        "blocks_per_device": 16,
        "precision": "32",
    },
    "assess": {"max_pairs": 20, "free_samples": 0, "probes": 0, "sample_tokens": 8, "max_tokens": 20_000},
}


def config(folder: Path, name: str, min_word_chars: float) -> Path:
    content = {
        "name": name,
        "store": str(folder / "store"),
        "workers": 1,
        "sources": [
            {"kind": "jsonl", "name": part, "licence": "mixed, see deployments/demo/attribution.md", "path": f"{part}.jsonl"}
            for part in ("texts", "garbage")
        ],
        "clean": {"profile": "literary", "min_word_chars": min_word_chars},
        **SMALL,
    }  # fmt: skip
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(content, allow_unicode=True), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def configs(tmp_path_factory) -> tuple[Path, Path]:
    """Real prose of the demo site, as many characters of it drawn at random, and two configs over both."""
    folder = tmp_path_factory.mktemp("compared")
    packed = [lzma.decompress((TEXTS / f"{part}.jsonl.xz").read_bytes()) for part in ("novels", "statutes", "recipes")]
    texts = [json.loads(line)["text"] for part in packed for line in part.decode().splitlines()]
    dice, every = random.Random(1), "".join(texts)
    garbage = ["".join(dice.choices(every, k=dice.randrange(300, 3000))) for _ in range(len(every) // 1650)]
    for name, rows in (("texts", texts), ("garbage", garbage)):
        lines = (json.dumps({"text": text}, ensure_ascii=False) for text in rows)
        (folder / f"{name}.jsonl").write_text("\n".join(lines), encoding="utf-8")
    return config(folder, "ruled", 1.07), config(folder, "unruled", 0.0)


def test_the_corpus_with_planted_garbage_loses_and_by_how_much_is_said(configs: tuple[Path, Path]):
    folder = configs[0].parent
    words = ("compare", *configs, "--duration", "80 steps")
    first = roads.ziliu(*words, folder=folder / "first", seconds=1000)
    assert first.code == 0, first
    out = " ".join(first.out.split())
    assert re.search(r"语料 ruled 更好: 在 \d+ 篇双方都没有学过的文档上, 用它训练的模型每字少付 0\.\d+ 比特", out), (
        first
    )
    assert re.search(r"Corpus ruled is better: .*95 % interval .* p < 0\.001", out)
    assert "One training run a side" in out

    store = Store(folder / "store")
    made = roads.newest(folder / "store", "compare")
    found = read(store, made.handle)
    proof, exam = found.proof, roads.newest(folder / "store", "hold_out").measures
    assert proof.better == 0
    assert -2 < proof.low < proof.high < -0.05, "bits per character that garbage costs"
    assert proof.documents == exam["both_texts"] > 20
    assert exam["b_texts"] > 20, "garbage that only the corpus without the rule holds out"
    [own] = found.contest.table("beside")
    assert own.contrasts[0].difference < 0, "the model of the garbage knows garbage better, and does not win by it"
    cfg = asked(load(configs[0]), load(configs[1]), duration="80 steps")
    assert [s.name for s in cfg.sides] == ["ruled-a", "unruled-b"]
    assert set(store.channels()) == {f"{kind}/{n}" for kind in ("corpus", "blocks") for n in ("ruled-a", "unruled-b")} | {f"comparison/{cfg.name}"}  # fmt: skip

    page = folder / "store" / "comparisons" / f"{made.version}.html"
    assert str(page) in first.out
    html = page.read_text(encoding="utf-8")
    for word in ("语料 ruled 更好", "clean.min_word_chars", "只有 unruled 留出", "学习曲线"):
        assert word in html
    assert "://" not in html

    second = roads.ziliu(*words, folder=folder / "second", seconds=300)
    assert second.code == 0, second
    assert {state for each in roads.states(second).values() for state in each} == {"Cached"}, second
    ranked = roads.ziliu("leaderboard", "--store", folder / "store", folder=folder / "ranked", seconds=120)
    assert ranked.code == 0, ranked
    assert "p (Holm)" in ranked.out


def test_nothing_is_started_when_more_than_the_corpus_differs(configs: tuple[Path, Path], tmp_path: Path):
    text = configs[1].read_text(encoding="utf-8").replace("learning_rate: 0.004", "learning_rate: 0.1")
    other = configs[1].with_name("faster.yaml")
    other.write_text(text, encoding="utf-8")
    told = roads.ziliu("compare", configs[0], other, folder=tmp_path / "refused")
    assert told.code == 2, told
    assert "pretrain.optimizer.learning_rate: 0.004 | 0.1" in told.err
    assert "clean.min_word_chars" not in told.err
