"""`ziliu find-lr` on blocks of a store, with the program in a process of its own."""

from __future__ import annotations

import csv
import json

import pytest
from typer.testing import CliRunner

from data_contracts.config import Place
from data_contracts.mixture import MixtureConfig
from data_contracts.stages import EncodeConfig, SegmentConfig, VocabConfig
from deployments.cli import app
from tasks.encode import encode
from tasks.segment import segment
from tasks.store import Store
from tasks.vocab import vocab
from tests.given_documents import deposit, documents, invented, split

CONFIG = """
name: rates
store: {store}
sources: [{{kind: jsonl, name: a, licence: CC0-1.0, path: {store}/a.jsonl}}]
pretrain:
  model: {{layers: 2, heads: 2, width: 32}}
  tokens_per_step: 256
  blocks_per_device: 4
  precision: "32"
  devices: 2
  strategy: tp
"""


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_rate_is_suggested_with_a_picture(tmp_path):
    place = Place(name="rates", store=str(tmp_path / "store"), workers=1)
    store = Store(place.store).open()
    text, _ = segment.run(deposit(store, split(documents(invented()), 2)), SegmentConfig(), place)
    ratios = EncodeConfig(block_tokens=32, validation_ratio=0.1, test_ratio=0.1)
    tokenizer, _ = vocab.run(text, VocabConfig(size=500), ratios.splits, place)
    blocks, _ = encode.run(text, tokenizer, ratios, MixtureConfig(), place)
    config = tmp_path / "rates.yaml"
    config.write_text(CONFIG.format(store=place.store), encoding="utf-8")
    refused = CliRunner().invoke(app, ["find-lr", str(config)])
    assert refused.exit_code == 5, "nothing was published"
    store.point("blocks/rates", blocks)
    ended = CliRunner().invoke(app, ["find-lr", str(config), "--steps", "40"])
    assert ended.exit_code == 0, ended.output
    [folder] = (tmp_path / "store/runs").glob("rates-*")
    told = json.loads((folder / "learning_rates.json").read_text(encoding="utf-8"))
    assert f"pretrain.optimizer.learning_rate={told['suggested']:.2g}" in ended.output
    picture = (folder / "learning_rates.svg").read_text(encoding="utf-8")
    assert picture.startswith("<svg")
    assert "学习率" in picture
    with (folder / "learning_rates.csv").open(encoding="utf-8", newline="") as file:
        assert len(list(csv.DictReader(file))) == told["steps"]
    assert not list((tmp_path / "store/runs").glob("train-*"))
