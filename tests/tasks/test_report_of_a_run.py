"""报告: the facts of a run of real stages over invented documents, collected from its store."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path

import polars as pl
import pytest

from data_contracts.config import Place
from data_contracts.dataset import SIGNALS, Dataset, Shard
from data_contracts.errors import GateFailed
from data_contracts.schemas import DOCUMENT
from data_contracts.stages import CleanConfig, DedupConfig, GateConfig
from data_contracts.training import ReportConfig
from tasks import journal, rows
from tasks.gate import asked, gate
from tasks.report import collect, write_report
from tasks.rows import Room
from tasks.stage import stage
from tasks.store import Store
from tasks.work import Output, Work

sys.path.append(str(Path(__file__).parent))
told_run = importlib.import_module("told_run")
SECTIONS = [
    "funnel",
    "stages",
    "quality",
    "scored",
    "duplicates",
    "contracts",
    "words",
    "mixture",
    "training",
    "scores",
    "refused",
    "lineage",
    "config",
]

FEW = {
    "distributions": (),
    "scored": None,
    "training": None,
    "duplicates": None,
}  # pictures that a test does not look at


# A run of real stages over invented documents.


def mark_short(frame: pl.LazyFrame, cfg: CleanConfig) -> pl.LazyFrame:
    chars = pl.col("text").str.len_chars()
    return frame.with_columns(
        chars=chars, han_ratio=pl.lit(0.9), reason=pl.when(chars < cfg.min_chars).then(pl.lit("too_short"))
    )


@stage(schema=DOCUMENT)
def ingest_files(cfg: ReportConfig, work: Work) -> list[Shard]:
    """读入 ingest_files: -> DOCUMENT."""
    texts = ["春眠不觉晓" * i + " 13800138000" for i in range(1, 31)]
    frame = pl.DataFrame(
        [
            {"doc_id": f"{i:016x}", "url": f"file:a#{i}", "source": "a", "licence": "CC0", "text": t}
            for i, t in enumerate(texts)
        ],
        schema=DOCUMENT.columns,
    ).with_columns(reason=pl.lit(None, pl.String()))
    return [rows.shard(Room(work.store, work.scratch), frame, DOCUMENT, text_bytes=1000)]


@stage(schema=DOCUMENT)
def clean(documents: Dataset, cfg: CleanConfig, work: Work) -> list[Shard]:
    """清洗 clean: DOCUMENT -> DOCUMENT."""
    return work.each_shard(mark_short, documents, cfg)


@stage(schema=DOCUMENT)
def dedup(documents: Dataset, cfg: DedupConfig, work: Work) -> Output:
    """去重 dedup: DOCUMENT -> DOCUMENT."""
    copy = pl.col("doc_id") == f"{29:016x}"
    frame = work.store.scan(documents).collect().with_columns(
        reason=pl.when(copy).then(pl.lit("near_duplicate")),
        duplicate_of=pl.when(copy).then(pl.lit(f"{28:016x}")),
        similarity=pl.when(copy).then(0.97),
    )  # fmt: skip
    return Output(
        [rows.shard(Room(work.store, work.scratch), frame, DOCUMENT)], {"near_duplicate_similarity": {"0.95": 1}}
    )


@stage(schema="model")
def pretrain(documents: Dataset, cfg: ReportConfig, work: Work) -> Output:
    """预训练 pretrain: DOCUMENT -> model."""
    folder = work.store.run_folder("train-1")
    (folder / "metrics.csv").write_text("step,loss\n1,9.0\n2,8.0\n")
    return Output(
        [Shard(content="1", files={"config.json": work.store.put_bytes(b"{}")})], {"run": "train-1", "steps": 2}
    )


@stage(schema="scores")
def assess(model: Dataset, cfg: ReportConfig, work: Work) -> list[Shard]:
    """评测 assess: model -> scores."""
    found = json.dumps({"bits_per_char": 5.0, "baselines": {"unigram": 9.0}}).encode()
    return [Shard(content="2", files={"scores.json": work.store.put_bytes(found)})]


@pytest.fixture
def place(tmp_path) -> Place:
    return Place(name="poems", store=str(tmp_path / "store"), workers=1)


def corpus(place: Place, contract: str = "documents") -> Dataset:
    data, _ = ingest_files.run(ReportConfig(), place)
    data, _ = clean.run(data, CleanConfig(min_chars=50), place)
    data, _ = dedup.run(data, DedupConfig(), place)
    gate.run(data, asked(GateConfig(corpus=contract), "corpus"), place)
    return data


def test_a_whole_run_is_collected(place):
    with journal.keep("everything", place):
        corpus(place)
    with journal.keep("everything", place) as run:
        model, _ = pretrain.run(corpus(place), ReportConfig(), place)
        assess.run(model, ReportConfig(), place)
        report = write_report(run.store, run.run)
    facts = collect(run.store, run.run)
    assert (facts.project, facts.flow) == ("poems", "everything")
    assert [s.stage for s in facts.stages] == ["ingest_files", "clean", "dedup", "gate", "pretrain", "assess"]
    states = {s.stage: s.state for s in facts.stages}
    assert states == {
        "ingest_files": "cached",
        "clean": "cached",
        "dedup": "cached",
        "gate": "cached",
        "pretrain": "made",
        "assess": "made",
    }
    cleaned = facts.stage("clean")
    assert (cleaned.rows_in, cleaned.kept, cleaned.reasons) == (30, 23, {"too_short": 7})
    assert {d.signal: d.low_limit for d in facts.distributions} == {
        "chars": 50,
        "han_ratio": CleanConfig().min_han_ratio,
    }
    assert (facts.duplicates.near, facts.duplicates.groups, facts.duplicates.similarity) == (1, 1, {"0.95": 1})
    (pair,) = facts.duplicates.pairs
    assert (pair.removed, pair.kept) == (f"{29:016x}", f"{28:016x}")
    assert pair.kept_text.startswith("春眠不觉晓")
    assert [v.passed for v in facts.verdicts] == [True]
    short = [r for r in facts.refused if r.reason == "too_short"]
    assert len(short) == ReportConfig().samples_per_stage
    assert short[0].value == "chars 17"
    assert "13800138000" not in facts.model_dump_json()
    assert facts.training.figures["steps"] == 2
    assert facts.scores.baselines == {"unigram": 9.0}
    assert [n.name.split("/")[0] for n in facts.lineage] == ["ingest_files", "clean", "dedup", "pretrain", "assess"]
    assert facts.lineage[1].parents == (facts.lineage[0].name,)
    assert "春眠不觉晓" in report.read_text()
    assert report.with_suffix(".md").read_text().startswith("# 字流 poems")


def test_a_run_that_the_gate_stopped_is_told(place, tmp_path):
    strict = tmp_path / "strict.odcs.yaml"
    builtin = Path(__file__).parents[2] / "data_contracts" / "documents.odcs.yaml"
    strict.write_text(
        builtin.read_text(encoding="utf-8").replace("mustBeGreaterOrEqualTo: 1", "mustBeGreaterOrEqualTo: 1000"),
        encoding="utf-8",
    )
    with journal.keep("corpus", place) as run, pytest.raises(GateFailed) as failed:
        corpus(place, str(strict))
    report = write_report(run.store, run.run, failure=str(failed.value)).read_text()
    assert "运行失败" in report
    assert "✗ 文档 documents 不合格" in report
    assert "enough_rows" in report


def test_a_later_flow_shows_what_lies_behind_it_as_earlier(place):
    with journal.keep("corpus", place):
        data = corpus(place)
    with journal.keep("pretraining", place) as run:
        pretrain.run(data, ReportConfig(), place)
    facts = collect(run.store, run.run, ReportConfig(samples_per_stage=0))
    assert {s.stage: s.state for s in facts.stages} == {
        "ingest_files": "earlier",
        "clean": "earlier",
        "dedup": "earlier",
        "pretrain": "made",
    }
    assert facts.refused == ()
    assert facts.stage("clean").seconds is None
    assert SIGNALS in Store(place.store).manifest(facts.stage("clean").datasets[0]).shards[0].files
