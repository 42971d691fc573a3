"""The proposal of a budget on real blocks: small runs are trained, found again, and the proposal can be trained."""

from __future__ import annotations

import pytest
import yaml

from data_contracts.config import Place
from data_contracts.mixture import MixtureConfig
from data_contracts.sources import JsonLinesSource
from data_contracts.stages import EncodeConfig, IngestConfig, SegmentConfig, VocabConfig
from data_contracts.training import PretrainConfig
from deployments.budgeting import propose
from tasks.encode import encode
from tasks.ingest import ingest_files
from tasks.segment import segment
from tasks.store import Store, publish
from tasks.vocab import vocab

pytestmark = pytest.mark.slow


@pytest.fixture
def config(tmp_path):
    """A config whose store holds blocks of some thousand short made-up sentences."""
    texts = tmp_path / "texts.jsonl"
    line = '{{"id": "{0}", "text": "第{0}天，老王在村口数到{0}只羊，又走了{1}里路回家。"}}\n'
    texts.write_text("".join(line.format(i, i * 7 % 100) for i in range(3000)), encoding="utf-8")
    place = Place(name="small", store=str(tmp_path / "store"), workers=1)
    cut = EncodeConfig(block_tokens=64, validation_ratio=0.1, test_ratio=0.1)
    documents, _ = ingest_files.run(
        JsonLinesSource(name="made", licence="CC0-1.0", path=str(texts), id_field="id"), IngestConfig(), place
    )
    documents, _ = segment.run(documents, SegmentConfig(), place)
    tokenizer, _ = vocab.run(documents, VocabConfig(size=500), cut.splits, place)
    blocks, _ = encode.run(documents, tokenizer, cut, MixtureConfig(), place)
    publish(blocks, "blocks", place)
    written = tmp_path / "small.yaml"
    said = {
        "name": "small",
        "store": place.store,
        "workers": 1,
        "sources": [{"kind": "jsonl", "name": "made", "licence": "CC0-1.0", "path": str(texts), "id_field": "id"}],
        "pretrain": {"precision": "32", "compile": False},
    }
    written.write_text(yaml.safe_dump(said), encoding="utf-8")
    return written


def test_a_budget_proposes_a_network_whose_speed_was_measured(config, capsys):
    assert propose(config, [], "1m", accept=False) == 0
    told = capsys.readouterr().out
    section = yaml.safe_load(told[told.index("pretrain:") : told.index("blocks_per_device")] + "blocks_per_device: 1")
    PretrainConfig.model_validate_json(PretrainConfig(**section["pretrain"]).model_dump_json())
    store = Store(yaml.safe_load(config.read_text("utf-8"))["store"])
    trained = [m for m in store.datasets() if m.stage == "pretrain"]
    assert trained, "the expectation comes from runs, not from a table alone"
    page = next(store.root.glob("runs/budget-*/budget-1m.html")).read_text("utf-8")
    assert "★" in page

    assert propose(config, [], "1m", accept=False) == 0
    assert len([m for m in store.datasets() if m.stage == "pretrain"]) == len(trained), "the small runs are found again"


def test_a_time_that_is_none_trains_nothing(config, capsys):
    assert propose(config, [], "soon", accept=False) == 2
    assert "write" in capsys.readouterr().err
