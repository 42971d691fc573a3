"""Gold files in every form, and the scores of the real segmenter, through the command too."""

from __future__ import annotations

import gzip
import json

import pytest
from typer.testing import CliRunner

from data_contracts.errors import ConfigError
from data_contracts.stages import SegmentConfig
from deployments.cli import app
from tasks.readers.gold_words import read
from tasks.segmentation_score import score_files

SPACED = "\ufeff我们  来自  北京  。  \n\n　天安门　广场\n"
TAGGED = "19980101-01-001-001/m  我们/r  来自/v  [北京/ns  市/n]ns  。/w  \n\n19980101-01-001-002/m  １/m  ／/w\n"
CONLLU = "# text = 我们来了\n1\t我们\t_\n2-3\t来了\t_\n2\t来\t_\n3\t了\t_\n3.1\t空\t_\n\n# 第二句\n1\t好\t_\n"


@pytest.mark.parametrize(
    ("name", "text", "sentences"),
    [
        ("a.utf8", SPACED, [["我们", "来自", "北京", "。"], ["天安门", "广场"]]),
        ("a.txt", TAGGED, [["我们", "来自", "北京", "市", "。"], ["１", "／"]]),
        ("a.conllu", CONLLU, [["我们", "来了"], ["好"]]),
        ("words.utf8", "研习班\n义演\n1/2\n", [["研习班"], ["义演"], ["1/2"]]),
    ],
)
def test_every_form_is_read(tmp_path, name, text, sentences):
    (tmp_path / name).write_text(text, encoding="utf-8")
    (tmp_path / f"{name}.gz").write_bytes(gzip.compress(text.encode()))
    assert read(tmp_path / name) == read(tmp_path / f"{name}.gz") == sentences


@pytest.mark.parametrize("raw", [b"", b"\n \n", b"\xff\xfe", None])
def test_a_file_without_sentences_is_refused(tmp_path, raw):
    if raw is not None:
        (tmp_path / "a").write_bytes(raw)
    with pytest.raises(ConfigError, match="a: "):
        read(tmp_path / "a")


def test_the_segmenter_is_scored_with_its_dictionaries(tmp_path):
    (tmp_path / "gold.utf8").write_text("他  爱  吃  螺蛳粉\n北京  天安门\n", encoding="utf-8")
    (tmp_path / "train.utf8").write_text("北京  天安门  爱\n", encoding="utf-8")
    mine = tmp_path / "mine.txt"
    mine.write_text("螺蛳粉 1000\n", encoding="utf-8")
    gold, train = [tmp_path / "gold.utf8"], [tmp_path / "train.utf8"]
    without = score_files(gold, train, SegmentConfig())["gold.utf8"]
    made = score_files(gold, train, SegmentConfig(dictionaries=(str(mine),)))["gold.utf8"]
    assert made.unknown_words == without.unknown_words == 3
    assert (made.f1, made.unknown_recall) == (1.0, 1.0)
    assert without.unknown_recall < 1.0
    assert score_files(gold, [], SegmentConfig())["gold.utf8"].unknown_words == 1, "the dictionary does not know 螺蛳粉"
    told = CliRunner().invoke(app, ["segmentation-score", str(gold[0]), "--dictionary", str(mine), "--json"])
    assert told.exit_code == 0
    assert json.loads(told.output)["gold.utf8"]["f1"] == 1.0
    shown = CliRunner().invoke(app, ["--lang", "en", "segmentation-score", str(gold[0]), "--training", str(train[0])])
    assert "OOV recall" in shown.output
    assert "train.utf8" in shown.output
    assert CliRunner().invoke(app, ["segmentation-score", str(tmp_path / "gone")]).exit_code == 2


def test_the_measure_is_that_of_the_bakeoff(shared_data):
    """The origin's own example: 104,372 gold words in the PKU test, of which the training set lacks 5.8 %."""
    folder = shared_data / "segmentation" / "icwb2"
    gold, train = folder / "pku_test_gold.utf8.gz", folder / "pku_training_words.utf8.gz"
    made = score_files([gold], [train], SegmentConfig())[gold.name]
    assert made.gold_words == 104_372
    assert made.unknown_ratio == pytest.approx(0.058, abs=5e-4)
    assert made.f1 > 0.8
