"""Assess as a stage: every part beside what it is held against; the same bytes every time; what was learnt by heart is found."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from data_contracts.assessment import AssessConfig
from data_contracts.config import Place
from data_contracts.dataset import Dataset, Shard
from data_contracts.mixture import MixtureConfig
from data_contracts.stages import EncodeConfig, SegmentConfig, VocabConfig
from data_contracts.training import PretrainConfig, ReportConfig
from deployments import display
from tasks import pretrain as pretrain_module
from tasks import yardsticks
from tasks.assess import DOCUMENTS, OUTCOMES, SCORES, assess, held_out_split
from tasks.encode import encode
from tasks.segment import segment
from tasks.stage import stage
from tasks.store import Store
from tasks.transforms import witten_bell
from tasks.vocab import vocab
from tasks.work import Work
from tests.given_documents import deposit, documents, invented, split

ENCODE = EncodeConfig(block_tokens=64, validation_ratio=0.1, test_ratio=0.1)
QUICK: dict[str, Any] = {"max_pairs": 20, "free_samples": 6, "free_tokens": 12, "probes": 5, "probe_tokens": 8, "sample_tokens": 4, "prompts": ("春",)}  # fmt: skip


@pytest.fixture(autouse=True)
def one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two threads on a busy machine wait for each other at every tiny product; programs take this over."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


@stage(schema="model")
def pretrain(blocks: Dataset, cfg: ReportConfig, work: Work) -> list[Shard]:
    """预训练 pretrain: BLOCKS -> model. From random weights, as they are."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    made = work.store.manifest(blocks)
    ids = {name: int(made.measures[name]) for name in ("vocab_size", "separator_id", "pad_id")}
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=ids["vocab_size"], hidden_size=16, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2,
        max_position_embeddings=64, eos_token_id=ids["separator_id"], bos_token_id=ids["separator_id"], pad_token_id=ids["pad_id"],
    )  # fmt: skip
    LlamaForCausalLM(config).save_pretrained(work.scratch)
    tokenizer = work.store.manifest(made.parents[1]).shards[0].files["tokenizer.json"]
    special = {"bos_token": "<|endoftext|>", "eos_token": "<|endoftext|>", "pad_token": "<|pad|>"}
    tokenizer_config = {**special, "tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": 64}
    (work.scratch / "tokenizer_config.json").write_text(json.dumps(tokenizer_config), encoding="utf-8")
    files = {p.name: work.store.put_file(p) for p in sorted(work.scratch.iterdir())}
    return [Shard(content="random", files=files | {"tokenizer.json": tokenizer})]


def blocks_of(place: Place, texts: list[str], block_tokens: int = 64) -> Dataset:
    sources = [documents(texts[0::2], "poems"), documents(texts[1::2], "laws")]
    frame = pl.concat(sources).sort("doc_id")
    given, _ = segment.run(deposit(Store(place.store).open(), split(frame, 2)), SegmentConfig(), place)
    tokenizer, _ = vocab.run(given, VocabConfig(size=400), ENCODE.splits, place)
    cfg = ENCODE.model_copy(update={"block_tokens": block_tokens})
    return encode.run(given, tokenizer, cfg, MixtureConfig(), place)[0]


@pytest.fixture(scope="module")
def road(tmp_path_factory: pytest.TempPathFactory) -> tuple[Place, Dataset]:
    place = Place(store=str(tmp_path_factory.mktemp("assess") / "store"), workers=1)
    model, _ = pretrain.run(blocks_of(place, invented(120)), ReportConfig(), place)
    return place, model


def quiz(folder: Path) -> dict[str, Any]:
    rows = [{"question": f"{i}加{i}等于", "choices": [str(2 * i), str(2 * i + 1)], "answer": 0} for i in range(12)]
    path = folder / "quiz.jsonl"
    path.write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in rows), encoding="utf-8")
    return {"name": "quiz", "path": str(path)}


def scores_of(place: Place, made: Dataset) -> dict[str, Any]:
    store = Store(place.store)
    return dict(json.loads(store.path(store.manifest(made).shards[0].files[SCORES]).read_bytes()))


def test_every_part_stands_beside_what_it_is_held_against(road: Any, tmp_path: Path) -> None:
    place, model = road
    cfg = AssessConfig.model_validate({**QUICK, "questions": [quiz(tmp_path)]})
    made, found = assess.run(model, cfg, place)
    assert not found
    scores, store = scores_of(place, made), Store(place.store)
    manifest = store.manifest(made)

    bits = scores["bits_per_char"]
    assert set(bits["by_source"]) == {"laws", "poems"}
    for one in bits["by_source"].values():
        assert one["perplexity_per_token"] == pytest.approx(2 ** (one["bits"] / one["tokens"]))
    beside = scores["baselines"]["models"]
    assert list(beside) == ["unigram", "bigram", "fourgram"]
    assert max(beside[n]["bits_per_char"] for n in ("bigram", "fourgram")) < beside["unigram"]["bits_per_char"]
    assert all(set(one["by_source"]) == {"laws", "poems"} for one in beside.values())
    assert manifest.measures["better_than_baselines"] is False, "random weights"

    assert scores["minimal_pairs"]["sets"]["embedded"]["count"] == 20
    asked = scores["questions"]["quiz"]
    assert (asked["items"], asked["count"], asked["chance"], asked["unscored"]) == (12, 12, 0.5, {})
    assert scores["generated"]["model"]["texts"] == 6
    assert scores["generated"]["held_out"]["verbatim"]["longest"] > 0
    assert scores["remembered"]["texts"] == 5
    assert scores["remembered"]["share"] == 0

    outcomes = pl.read_parquet(store.path(manifest.shards[0].files[OUTCOMES]))
    assert outcomes.group_by("set").len().sort("set").rows() == [("embedded", 20), ("quiz", 12)]
    told = pl.read_parquet(store.path(manifest.shards[0].files[DOCUMENTS]))
    assert told["bits"].sum() == pytest.approx(bits["bits"])
    assert told["digest"].n_unique() == told.height, "every text is another"
    assert told["digest"].null_count() == outcomes["digest"].null_count() == 0

    assert "speed" not in scores
    assert manifest.measures["speed"]["read_tokens_per_second"] > 0
    assert assess.run(model, cfg, place) == (made, True)
    quiz(tmp_path)  # the same bytes again
    assert assess.run(model, cfg, place) == (made, True)


def test_baselines_are_those_of_the_formula(road: Any) -> None:
    place, model = road
    store = Store(place.store)
    blocks = store.manifest(store.manifest(model).parents[0])
    corpus = yardsticks.Corpus(store, blocks)
    table = store.scan(f"{blocks.stage}/{blocks.version}").collect()
    held = table.filter(pl.col("split") == held_out_split(blocks))["doc_id"]
    found = yardsticks.baselines(corpus, held, 10**9)
    texts = pl.concat(corpus.documents(table["doc_id"]))
    train = texts.filter(pl.col("doc_id").is_in(corpus.train.implode()))["text"].to_list()
    asked = texts.filter(pl.col("doc_id").is_in(held.implode()))["text"].to_list()
    expected = witten_bell.train(train, 4).bits(asked).sum() / sum(map(len, asked))
    assert found["models"]["fourgram"]["bits_per_char"] == pytest.approx(expected, rel=1e-12)
    assert found["learned_chars"] == found["training_chars"] == sum(map(len, train))
    part = yardsticks.baselines(corpus, held, 2000)
    assert 1000 < part["learned_chars"] <= 2000
    assert part["models"]["fourgram"]["bits_per_char"] > expected


def test_passages_are_the_beginnings_first() -> None:
    assert yardsticks.passages(["一二三四", "五六", "七八九十"], 4, 2) == ["一二", "五六", "七八", "三四"]
    assert yardsticks.passages(["一"], 3, 2) == []
    assert yardsticks.passages([], 3, 0) == []


def test_what_is_remembered_is_counted_in_characters() -> None:
    given = pl.DataFrame({"item": ["a", "b", "c"], "text": ["春眠不觉晓处处", "床前明月光", "白日依山尽"]})
    told = [
        {"item": "a", "prompt": "春眠", "text": "不觉晓，处处"},
        {"item": "b", "prompt": "床前", "text": "明月光疑是"},
        {"item": "c", "prompt": "白日", "text": "不"},
    ]
    found = yardsticks.remembered(told, given, 3)
    assert (found["texts"], found["longest"], found["median"], found["share"]) == (3, 3, 3.0, pytest.approx(2 / 3))


@stage(schema="model")
def masked(blocks: Dataset, cfg: ReportConfig, work: Work) -> list[Shard]:
    """掩码 masked: BLOCKS -> model. A masked model from random weights."""
    from transformers import BertConfig, BertForMaskedLM

    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    BertForMaskedLM(BertConfig(vocab_size=400, max_position_embeddings=64, **sizes)).save_pretrained(work.scratch)
    return [Shard(content="m", files={p.name: work.store.put_file(p) for p in sorted(work.scratch.iterdir())})]


@pytest.mark.slow
def test_a_masked_model_is_said_to_have_no_scores_and_shown_so(road: Any) -> None:
    place, model = road
    store = Store(place.store)
    bert, _ = masked.run(store.manifest(store.manifest(model).parents[0]).handle, ReportConfig(), place)
    made, _ = assess.run(bert, AssessConfig.model_validate(QUICK), place)
    scores, measures = scores_of(place, made), store.manifest(made).measures
    assert "no left-to-right likelihood" in scores["not_scored"]
    assert list(measures) == ["not_scored"]
    assert list(store.manifest(made).shards[0].files) == [SCORES]
    assert display.figures(scores).row_count == 1
    assert list(display.samples(scores)) == []


@pytest.mark.slow
def test_the_same_model_has_the_same_scores_in_another_store(road: Any, tmp_path: Path) -> None:
    place, model = road
    cfg = AssessConfig.model_validate({**QUICK, "questions": [quiz(tmp_path)]})
    made, _ = assess.run(model, cfg, place)
    again = Place(store=str(tmp_path / "store"), workers=1)
    other, _ = pretrain.run(blocks_of(again, invented(120)), ReportConfig(), again)
    second, found = assess.run(other, cfg, again)
    assert not found
    first, store = Store(place.store).manifest(made), Store(again.store)
    assert first.shards[0].files == store.manifest(second).shards[0].files, "the same bytes"


@pytest.mark.slow
def test_what_a_model_learnt_by_heart_is_found(tmp_path: Path) -> None:
    place = Place(store=str(tmp_path / "store"), workers=1)
    texts = [line * 2 for line in invented(30)]
    blocks = blocks_of(place, texts, 128)
    settings = {
        "model": {"layers": 2, "heads": 4, "width": 64}, "optimizer": {"learning_rate": 5e-3}, "duration": "300 steps",
        "tokens_per_step": 512, "blocks_per_device": 4, "precision": "32", "steps_between_checkpoints": 300,
        "steps_between_validations": 1000,
    }  # fmt: skip
    model, _ = pretrain_module.pretrain.run(blocks, PretrainConfig.model_validate(settings), place)
    asked = {**QUICK, "free_samples": 16, "free_tokens": 60, "probes": 16, "temperature": 0.5, "min_verbatim_chars": 15}
    made, _ = assess.run(model, AssessConfig.model_validate(asked), place)
    scores = scores_of(place, made)
    assert scores["remembered"]["share"] > 0.5, scores["remembered"]
    own, real = (scores["generated"][side]["verbatim"] for side in ("model", "held_out"))
    assert own["share"] > 0.5, own
    assert own["median"] > real["median"]
    [quote, *_] = scores["generated"]["longest_runs"]
    store = Store(place.store)
    text = store.scan(store.manifest(blocks).parents[0]).filter(pl.col("doc_id") == quote["doc_id"]).collect()["text"]
    assert quote["text"] in text[0]
