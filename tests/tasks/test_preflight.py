"""What a config names outside the store is looked for before anything starts."""

from __future__ import annotations

import pytest

from data_contracts.assessment import AssessConfig
from data_contracts.config import (
    AssessmentConfig,
    CorpusConfig,
    EverythingConfig,
    PretrainingConfig,
    VocabularyConfig,
)
from data_contracts.decontamination import Benchmark
from data_contracts.errors import ConfigError, ContractError, DatasetMissing
from data_contracts.mixture import MixtureConfig
from data_contracts.sources import JsonLinesSource, WarcSource
from data_contracts.stages import GateConfig
from tasks import preflight


def test_every_missing_source_is_named_at_once(tmp_path):
    (tmp_path / "there.jsonl").write_text("{}")
    sources = (
        JsonLinesSource(name="there", licence="x", path=str(tmp_path / "*.jsonl")),
        JsonLinesSource(name="gone", licence="x", path=str(tmp_path / "gone" / "a.jsonl")),
        WarcSource(name="empty", licence="x", path=str(tmp_path)),
    )
    with pytest.raises(ConfigError) as caught:
        preflight.check(CorpusConfig(sources=sources))
    told = str(caught.value)
    assert "source gone" in told
    assert "source empty: no file *.warc *.warc.gz" in told
    assert "there:" not in told
    assert "nothing was started" in told
    preflight.check(CorpusConfig(sources=sources[:1]))


def test_processes_that_cannot_share_a_training_are_refused_before_a_corpus_is_made(tmp_path, monkeypatch):
    (tmp_path / "there.jsonl").write_text("{}")
    sources = (JsonLinesSource(name="there", licence="x", path=str(tmp_path / "*.jsonl")),)
    monkeypatch.setattr("data_contracts.layout.find_spec", lambda _: None)
    training = {"strategy": "deepspeed", "devices": 3, "tokens_per_step": 4096, "blocks_per_device": 4}
    with pytest.raises(ConfigError) as caught:
        preflight.check(EverythingConfig(sources=sources, pretrain=training, encode={"block_tokens": 256}))
    assert "nothing was started" in str(caught.value)
    assert "needs DeepSpeed, which is not installed" in str(caught.value)
    assert "tokens_per_step 4096 is not a multiple of 3072" in str(caught.value)
    training |= {"strategy": "ddp", "tokens_per_step": 6144}
    preflight.check(EverythingConfig(sources=sources, pretrain=training, encode={"block_tokens": 256}))


def test_a_missing_benchmark_is_named_before_anything_starts(tmp_path):
    (tmp_path / "a.jsonl").write_text("{}")
    source = JsonLinesSource(name="s", licence="x", path=str(tmp_path / "a.jsonl"))
    quiz = Benchmark(name="quiz", path=str(tmp_path / "quiz" / "*.jsonl"), fields=("question",))
    with pytest.raises(ConfigError, match=r"quiz: .* does not exist"):
        preflight.check(CorpusConfig(sources=(source,), benchmarks=(quiz,)))


def test_minimal_pairs_that_are_not_there_are_named_before_training(tmp_path):
    missing = str(tmp_path / "pairs.jsonl")
    with pytest.raises(ConfigError, match=r"assess.minimal_pairs: .*pairs\.jsonl"):
        preflight.check(AssessmentConfig(assess=AssessConfig(minimal_pairs=missing)))
    preflight.check(AssessmentConfig(assess=AssessConfig(minimal_pairs=missing, max_pairs=0)))
    preflight.check(AssessmentConfig())
    preflight.check(PretrainingConfig())


def test_the_folder_of_a_model_that_is_not_there_is_named_before_anything_starts(tmp_path):
    with pytest.raises(ConfigError, match=r"vocab\.folder: .*tokenizer\.json"):
        preflight.check(VocabularyConfig(vocab={"folder": str(tmp_path)}))
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(ConfigError, match=r"pretrain\.model\.folder .*: no tokenizer\.json there"):
        preflight.check(PretrainingConfig(pretrain={"model": {"folder": str(tmp_path)}}))
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(ConfigError, match=r"no \*\.safetensors there"):
        preflight.check(PretrainingConfig(pretrain={"model": {"folder": str(tmp_path)}}))
    (tmp_path / "tokenizer_config.json").write_text("{}")
    with pytest.raises(ConfigError, match=r"tokenizer\.json is no tokenizer"):
        preflight.check(VocabularyConfig(vocab={"folder": str(tmp_path)}))


def test_a_contract_that_is_wrong_is_found_before_the_crawl(tmp_path):
    source = JsonLinesSource(name="s", licence="x", path=str(tmp_path / "a.jsonl"))
    (tmp_path / "a.jsonl").write_text("{}")
    with pytest.raises(ContractError, match=r"none\.odcs\.yaml"):
        preflight.check(CorpusConfig(sources=(source,), gate=GateConfig(corpus=str(tmp_path / "none.odcs.yaml"))))


def test_examples_that_are_not_there_are_named_before_the_crawl(tmp_path):
    (tmp_path / "a.jsonl").write_text("{}")
    source = {"kind": "jsonl", "name": "s", "licence": "x", "path": str(tmp_path / "a.jsonl")}
    gone = source | {"name": "gone", "path": str(tmp_path / "gone.jsonl")}
    base = {"sources": [source], "store": str(tmp_path / "store")}
    quality = {"wanted": [source], "unwanted": [gone]}
    with pytest.raises(ConfigError, match="source gone"):
        preflight.check(CorpusConfig.model_validate(base | {"score": {"quality": quality}}))
    quality = {"wanted": [source], "unwanted": [{"kind": "dataset", "dataset": "corpus/gone"}]}
    with pytest.raises(DatasetMissing, match="corpus/gone"):
        preflight.check(CorpusConfig.model_validate(base | {"score": {"quality": quality}}))
    preflight.check(CorpusConfig.model_validate(base | {"score": {"bits_per_char": {"trusted": [source]}}}))


def test_a_mixture_speaks_of_the_sources_of_the_config(tmp_path):
    (tmp_path / "a.jsonl").write_text("{}")
    sources = [JsonLinesSource(name=n, licence="x", path=str(tmp_path / "a.jsonl")) for n in ("poems", "news")]
    wrong = MixtureConfig(weights={"poems": 1, "nwes": 1}, source_max_epochs={"laws": 2})
    with pytest.raises(ConfigError) as caught:
        preflight.check(EverythingConfig(sources=sources, mixture=wrong))
    for told in (
        "mixture.weights: nwes",
        "mixture.source_max_epochs: laws",
        "sources are poems, news",
        "news 没有权重",
    ):
        assert told in str(caught.value)
    preflight.check(EverythingConfig(sources=sources, mixture=MixtureConfig(weights={"poems": 1, "news": 0})))
