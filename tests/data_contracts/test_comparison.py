"""Two configs may be compared when only their corpus differs; anything else is named with both values."""

from __future__ import annotations

from pathlib import Path

import pytest

from data_contracts.comparison import ComparisonConfig, differing, flat
from data_contracts.config import EverythingConfig
from data_contracts.errors import ConfigError
from data_contracts.training import PretrainConfig
from deployments.proof import asked, compare

SOURCE = {"kind": "jsonl", "name": "good", "licence": "CC0-1.0", "path": "a.jsonl"}


def config(**given: object) -> EverythingConfig:
    return EverythingConfig.model_validate({"name": "one", "store": "/s", "sources": [SOURCE], **given})


OTHER = {"clean": {"min_chars": 7}}


def test_a_rule_a_source_a_mixture_may_differ():
    more = [SOURCE, {**SOURCE, "name": "more"}]
    for given in (OTHER, {"sources": more}, {"dedup": {"bands": 8}}, {"mixture": {"weights": {"good": 1.0}}}):
        assert isinstance(asked(config(), config(**given)), ComparisonConfig)
    assert isinstance(asked(config(workers=1), config(name="two", **OTHER)), ComparisonConfig)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"vocab": {"size": 9000}}, "vocab.size: 16384 | 9000"),
        ({"pretrain": {"optimizer": {"learning_rate": 0.5}}}, "pretrain.optimizer.learning_rate: 0.001 | 0.5"),
        ({"encode": {"test_ratio": 0.3}}, "encode.test_ratio: 0.01 | 0.3"),
        ({"assess": {"max_pairs": 3}}, "assess.max_pairs: 5000 | 3"),
        ({"store": "/t"}, 'store: "/s" | "/t"'),
    ],
)
def test_what_else_differs_is_shown_with_both_values(given: dict, said: str):
    with pytest.raises(ConfigError, match="more than the corpus") as caught:
        asked(config(), config(**OTHER, **given))
    value = said.split(": ")[1].split(" | ")
    line = next(line for line in str(caught.value).splitlines() if line.strip().startswith(said.split(":")[0]))
    assert value[1] in line
    assert "clean.min_chars" not in str(caught.value)


def test_the_same_corpus_twice_is_no_comparison():
    with pytest.raises(ConfigError, match="nothing to compare"):
        asked(config(), config(name="two", workers=3))


def test_epochs_of_two_corpora_are_not_the_same_length():
    epochs = {"pretrain": {"duration": "1 epoch"}}
    with pytest.raises(ConfigError, match="2M tokens"):
        asked(config(**epochs), config(**epochs, **OTHER))
    assert asked(config(**epochs), config(**epochs, **OTHER), duration="3 minutes").runs[0].duration.unit == "minutes"
    with pytest.raises(ConfigError, match="not a duration"):
        asked(config(), config(**OTHER), duration="soon")


def test_both_sides_are_trained_alike_once_for_every_seed():
    early = {"pretrain": {"early_stopping": {"validations": 1}}}
    cfg = asked(config(**early), config(**early, **OTHER), seeds=3, duration="500 steps")
    assert {run.early_stopping for run in cfg.runs} == {None}, "or one side would train for fewer tokens"
    assert [run.seed for run in cfg.runs] == [1, 2, 3]
    assert {str(run.duration) for run in cfg.runs} == {"500 steps"}
    assert cfg.runs[0].model_copy(update={"seed": 2}) == cfg.runs[1]
    assert isinstance(cfg.runs[0], PretrainConfig)
    assert cfg.told.names == ("one-a", "one-b")
    assert cfg.told.seeds == (1, 2, 3)


def test_no_channel_of_the_configs_is_moved():
    cfg = asked(config(), config(name="two", **OTHER))
    assert [one.name for one in cfg.sides] == ["one-a", "two-b"]
    assert cfg.told.names == ("one", "two")


def test_settings_are_told_by_dotted_keys():
    assert flat({"a": [{"b": 1}], "c": [], "d": {}}) == {"a.0.b": "1", "c": "[]", "d": "{}"}
    assert ("clean.min_chars", "100", "7") in differing(config(clean={"min_chars": 100}), config(**OTHER))
    assert ("sources.1.name", "", '"b"') in differing(config(), config(sources=[SOURCE, {**SOURCE, "name": "b"}]))


def test_the_command_starts_nothing_when_the_configs_do_not_fit(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    text = "store: store\nsources: [{kind: jsonl, name: a, licence: CC0-1.0, path: a.jsonl}]\n"
    (tmp_path / "a.yaml").write_text(text)
    (tmp_path / "b.yaml").write_text(text + "vocab: {size: 900}\nclean: {min_chars: 3}\n")
    assert compare(tmp_path / "a.yaml", tmp_path / "b.yaml", [], 1, "", "") == 2
    assert "vocab.size: 16384 | 900" in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "store").exists()
