"""质量门: what passes is cached, what fails stops the road, says why and leaves its verdict in the run's folder."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import polars as pl
import pytest

from data_contracts.config import Place
from data_contracts.dataset import Dataset, Shard
from data_contracts.errors import ContractError, GateFailed
from data_contracts.model import Model
from data_contracts.schemas import DOCUMENT
from data_contracts.stages import GateConfig
from tasks import executors, journal, rows
from tasks.gate import asked, gate, measures_of, read_verdict
from tasks.rows import Room
from tasks.stage import stage
from tasks.store import Store
from tasks.work import Output, Work

CONTRACT = """
apiVersion: v3.1.0
kind: DataContract
id: notes
name: 笔记 notes
version: 2.0.0
status: active
schema:
  - name: notes
    properties:
      - {name: doc_id, logicalType: string, primaryKey: true, required: true}
      - {name: text, logicalType: string, logicalTypeOptions: {minLength: MIN_LENGTH}}
OTHERS
    quality:
      - name: refused
        type: custom
        engine: polars
        implementation: {measure: write.quarantined_ratio, mustBeLessOrEqualTo: 0.5}
"""
OTHERS = "\n".join(
    f"      - {{name: {name}, logicalType: {'string' if kind == pl.String() else 'number'}}}"
    for name, kind in DOCUMENT.columns.items()
    if name not in ("doc_id", "text")
)


class Notes(Model):
    texts: tuple[str, ...]


def mark_pages(frame: pl.LazyFrame, cfg: Notes) -> pl.LazyFrame:
    return frame.with_columns(reason=pl.lit(None, pl.String()))


@stage(schema=DOCUMENT)
def write(cfg: Notes, work: Work) -> Output:
    """书写 write: -> DOCUMENT."""
    frame = pl.DataFrame(
        [{"doc_id": f"{i:016x}", "source": "toy", "licence": "CC0", "text": text} for i, text in enumerate(cfg.texts)],
        schema=DOCUMENT.columns,
    ).with_columns(reason=pl.when(pl.col("text") == "坏").then(pl.lit("too_short")))
    shard = rows.shard(Room(work.store, work.scratch), frame, DOCUMENT, measures={"lines": 2.0})
    return Output([shard, shard], {"unknown": {"ratio": 0.25}, "name": "toy"})


@stage(schema=DOCUMENT)
def copy(documents: Dataset, cfg: Notes, work: Work) -> list[Shard]:
    """抄写 copy: DOCUMENT -> DOCUMENT."""
    return work.each_shard(mark_pages, documents, cfg)


@pytest.fixture
def place(tmp_path) -> Place:
    return Place(store=str(tmp_path / "store"), workers=1)


@pytest.fixture
def contract(tmp_path):
    path = tmp_path / "notes.odcs.yaml"

    def written(min_length: int = 1, on_failure: str = "block") -> GateConfig:
        path.write_text(CONTRACT.replace("OTHERS", OTHERS).replace("MIN_LENGTH", str(min_length)), encoding="utf-8")
        return GateConfig(corpus=str(path), on_failure=on_failure)

    return written


TEXTS = Notes(texts=("长长的一段文字", "短", "坏", "另一段文字"))


def test_a_good_dataset_passes_and_its_verdict_is_found_the_second_time(place, contract):
    data, _ = write.run(TEXTS, place)
    handle, found = gate.run(data, asked(contract(), "corpus"), place)
    assert not found
    store = Store(place.store)
    verdict = read_verdict(store, handle)
    assert verdict.passed
    assert (verdict.dataset, verdict.rows, verdict.contract) == (data.name, 6, "notes")
    assert store.manifest(handle).parents == [data.name]
    assert store.manifest(handle).measures == {"passed": True, "contract": "notes@2.0.0"}
    assert gate.run(data, asked(contract(), "corpus"), place) == (handle, True)


def test_a_new_shard_alone_is_measured_anew_and_processes_measure_the_same(tmp_path, contract):
    notes = [Notes(texts=(f"第{i}段文字", "短")) for i in range(3)]
    verdicts = []
    try:
        for workers in (1, 2):
            place = Place(store=str(tmp_path / f"{workers}"))
            given = [write.run(some, place.model_copy(update={"workers": 1}))[0] for some in notes]
            for several in (given[:2], given):
                data, _ = gather.run(several, notes[0], place.model_copy(update={"workers": 1}))
                handle, _ = gate.run(data, asked(contract(), "corpus"), place.model_copy(update={"workers": workers}))
                verdicts.append(read_verdict(Store(place.store), handle).results)
            assert len(list(Path(place.store, "shards", "gate").iterdir())) == 3
    finally:
        executors.close_pools()
    assert verdicts[:2] == verdicts[2:]


def test_editing_the_contract_judges_anew(place, contract):
    data, _ = write.run(TEXTS, place)
    first, _ = gate.run(data, asked(contract(), "corpus"), place)
    with pytest.raises(GateFailed):
        gate.run(data, asked(contract(min_length=2), "corpus"), place)
    assert gate.run(data, asked(contract(), "corpus"), place) == (first, True)


def test_a_failure_says_what_where_and_what_to_do_after_its_verdict_is_written(place, contract):
    data, _ = write.run(TEXTS, place)
    with journal.keep("corpus", place) as run, pytest.raises(GateFailed) as failed:
        gate.run(data, asked(contract(min_length=2), "corpus"), place)
    told = str(failed.value)
    assert failed.value.exit_code == 3
    assert not failed.value.transient
    for part in ("notes@2.0.0", data.name, "text.minLength", "2 行 rows", f"{1:016x}", "短", "on_failure"):
        assert part in told
    verdict = json.loads((run.folder / "verdict-notes.json").read_text())
    assert [r["rule"] for r in verdict["results"] if not r["passed"]] == ["text.minLength"]
    report = (run.folder / "verdict-notes.md").read_text()
    assert "不合格" in report
    assert f"- `{1:016x}` · 短" in report
    assert [m.stage for m in Store(place.store).datasets()] == ["write"]  # no verdict that a later run could take


def test_on_failure_warn_goes_on_with_a_warning(place, contract, caplog):
    data, _ = write.run(TEXTS, place)
    with caplog.at_level(logging.WARNING, "ziliu"):
        handle, _ = gate.run(data, asked(contract(2, "warn"), "corpus"), place)
    assert "text.minLength" in caplog.text
    assert not read_verdict(Store(place.store), handle).passed


def test_a_contract_that_changes_during_the_run_is_refused(place, contract):
    data, _ = write.run(TEXTS, place)
    cfg = asked(contract(), "corpus")
    contract(min_length=2)
    with pytest.raises(ContractError, match="edited while the run"):
        gate.run(data, cfg, place)


def test_a_wrong_contract_is_refused_before_anything_runs(tmp_path):
    with pytest.raises(ContractError, match="there are blocks, corpus, documents, pages"):
        asked(GateConfig(corpus="corpse"), "corpus")
    missing = tmp_path / "none.odcs.yaml"
    with pytest.raises(ContractError, match="cannot be read"):
        asked(GateConfig(blocks=str(missing)), "blocks")


def test_a_measure_that_the_dataset_does_not_have_is_named(place, contract, tmp_path):
    data, _ = write.run(TEXTS, place)
    cfg = contract()
    path = Path(cfg.corpus)
    path.write_text(path.read_text().replace("write.quarantined_ratio", "write.grace"), encoding="utf-8")
    copied, _ = copy.run(data, TEXTS, place)
    with pytest.raises(ContractError, match=r"no measure 'write.grace'.*write.quarantined_ratio"):
        gate.run(copied, asked(cfg, "corpus"), place)


def test_measures_come_from_the_dataset_and_from_every_stage_behind_it(place):
    data, _ = write.run(TEXTS, place)
    other, _ = write.run(Notes(texts=("好", "坏")), place)
    store = Store(place.store)
    own = measures_of(store, store.manifest(data))
    assert own["lines"] == 4  # summed over shards
    assert own["unknown.ratio"] == 0.25
    assert (own["rows_in"], own["quarantined"], own["quarantined_ratio"]) == (8, 2, 0.25)
    both, _ = gather.run([data, other], TEXTS, place)
    behind = measures_of(store, store.manifest(both))
    assert behind["write.lines"] == 8
    assert behind["write.quarantined_ratio"] == pytest.approx(4 / 12)
    assert "write.unknown.ratio" not in behind  # ratios of two datasets cannot be added
    assert behind["quarantined_ratio"] == 0


@stage(schema=DOCUMENT)
def gather(documents: list[Dataset], cfg: Notes, work: Work) -> list[Shard]:
    """汇集 gather: DOCUMENT -> DOCUMENT."""
    return work.each_shard(mark_pages, documents, cfg)
