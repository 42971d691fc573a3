from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from tokenizers import Tokenizer

from data_contracts.schemas import BLOCKS
from data_contracts.score_file import PAIR, ScoreConfig
from lightning_modules.intervals import wilson
from lightning_modules.minimal_pairs import log_likelihoods
from lightning_modules.sampling import generate, next_token
from lightning_modules.score import load_exported, score
from lightning_modules.stream_bits import score_streams
from tests.lightning_modules.slow_reference import document_bits
from tests.lightning_modules.tiny_runs import Trained, call


@pytest.fixture(scope="module")
def network(trained: Trained) -> Any:
    return load_exported(trained.folder / "export")


@pytest.fixture(scope="module")
def tables(corpus: Any, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """documents.parquet of each shard; the two shards are two sources."""
    tokenizer = Tokenizer.from_file(str(corpus.folder / "tokenizer.json"))
    paths = []
    for number, shard in enumerate(corpus.documents):
        rows: list[dict[str, Any]] = []
        for split, texts in shard.items():
            at = 0
            for i, text in enumerate(texts):
                tokens = len(tokenizer.encode(text).ids) + 1
                row = {"doc_id": f"{number}{split}{i}", "source": f"source{number}", "split": split}
                rows.append({**row, "start": at, "tokens": tokens, "chars": len(text), "copies": 1})
                at += tokens
        path = tmp_path_factory.mktemp("tables") / f"{number}.parquet"
        pl.DataFrame(rows, schema=BLOCKS.columns).write_parquet(path)
        paths.append(str(path))
    return paths


def config(trained: Trained, corpus: Any, tables: list[str], tmp_path: Path, **changes: Any) -> ScoreConfig:
    streams = [
        {"path": s.test.path, "documents": t, "split": "test"} for s, t in zip(corpus.shards, tables, strict=True)
    ]
    values = {"model": str(trained.folder / "export"), "result": str(tmp_path / "result.json"), "streams": streams}
    return ScoreConfig(**{**values, **changes})


def test_bits_are_those_of_a_slow_reference(
    trained: Trained, corpus: Any, tables: list[str], network: Any, tmp_path: Path
) -> None:
    found = score(config(trained, corpus, tables, tmp_path))["bits_per_char"]
    expected = document_bits(network, corpus, "test")
    assert [d["bits"] for d in found["documents"]] == pytest.approx([b for s in expected for b in s], rel=1e-5)
    chars = [sum(map(len, s["test"])) for s in corpus.documents]
    assert found["chars"] == sum(chars)
    assert found["bits_per_char"] == pytest.approx(sum(map(sum, expected)) / sum(chars), rel=1e-6)
    for number in (0, 1):
        by_source = found["by_source"][f"source{number}"]
        assert by_source["bits_per_char"] == pytest.approx(sum(expected[number]) / chars[number], rel=1e-6)
        assert by_source["documents_scored"] == 10
    assert found["documents_scored"] == 20
    tokens = sum(d["tokens"] for d in found["documents"])
    assert found["perplexity_per_token"] == pytest.approx(2 ** (sum(map(sum, expected)) / tokens), rel=1e-5)


def test_the_width_of_ids_is_of_the_tokenizer_and_not_of_the_rows_of_the_model(
    trained: Trained, corpus: Any, tables: list[str], tmp_path: Path
) -> None:
    """A folder of somebody else may have more rows than its tokenizer has tokens, beyond what two bytes hold."""
    narrow = config(trained, corpus, tables, tmp_path)
    expected = score(narrow)["bits_per_char"]
    wide = []
    for i, stream in enumerate(narrow.streams):
        path = tmp_path / f"{i}.bin"
        np.fromfile(stream.path, dtype="<u2").astype("<u4").tofile(path)
        wide.append(stream.model_copy(update={"path": str(path)}))
    told = score(narrow.model_copy(update={"streams": tuple(wide), "vocab_size": 70_000}))["bits_per_char"]
    assert told == expected
    network = load_exported(trained.folder / "export")
    network.resize_token_embeddings(66_000)
    streams = narrow.model_copy(update={"vocab_size": corpus.vocab_size})
    padded = score_streams(network, streams, separator_id=0, pad_id=1)
    assert [d["tokens"] for d in padded["documents"]] == [d["tokens"] for d in expected["documents"]]


def test_the_size_of_batches_changes_nothing(trained: Trained, corpus: Any, tables: list[str], tmp_path: Path) -> None:
    bits = [
        score(config(trained, corpus, tables, tmp_path, blocks_per_batch=n))["bits_per_char"]["bits"]
        for n in (1, 3, 64)
    ]
    assert bits[0] == pytest.approx(bits[1], rel=1e-6) == pytest.approx(bits[2], rel=1e-6)


def test_a_limit_takes_whole_documents(trained: Trained, corpus: Any, tables: list[str], tmp_path: Path) -> None:
    whole = score(config(trained, corpus, tables, tmp_path))["bits_per_char"]["documents"]
    limit = sum(d["tokens"] for d in whole[:3]) + 1
    part = score(config(trained, corpus, tables, tmp_path, max_tokens=limit))["bits_per_char"]
    assert [d["doc_id"] for d in part["documents"]] == [d["doc_id"] for d in whole[:3]]
    assert [d["bits"] for d in part["documents"]] == pytest.approx([d["bits"] for d in whole[:3]], rel=1e-5)


def test_without_a_table_the_whole_stream_is_scored(
    trained: Trained, corpus: Any, tables: list[str], tmp_path: Path
) -> None:
    exact = score(config(trained, corpus, tables, tmp_path))["bits_per_char"]
    streams = [{"path": s.test.path, "chars": s.test.chars} for s in corpus.shards]
    found = score(config(trained, corpus, tables, tmp_path, streams=streams))["bits_per_char"]
    assert found["bits_per_char"] == pytest.approx(exact["bits_per_char"], rel=1e-6)


def test_sentence_likelihoods_in_batches_are_those_of_one_by_one(network: Any) -> None:
    draw = torch.Generator().manual_seed(0)
    sentences = [torch.randint(2, 300, (n,), generator=draw).tolist() for n in (1, 7, 3, 0, 12, 7)]
    found = log_likelihoods(network, sentences, 0)
    for ids, value in zip(sentences, found, strict=True):
        with torch.no_grad():
            chances = torch.log_softmax(network(input_ids=torch.tensor([[0, *ids]])).logits[0].double(), -1)
        assert value == pytest.approx(sum(float(chances[i, t]) for i, t in enumerate(ids)), abs=1e-4)


def test_wilson_intervals() -> None:
    assert wilson(8, 10) == pytest.approx((0.4902, 0.9433), abs=1e-4)  # Newcombe 1998, table I
    assert wilson(0, 10) == pytest.approx((0.0, 0.2775), abs=1e-4)
    assert wilson(7, 10) == pytest.approx((0.397, 0.892), abs=5e-4)
    assert wilson(10, 10)[1] == pytest.approx(1.0)
    assert wilson(0, 0) == (0.0, 1.0)


def test_the_program_writes_its_result(trained: Trained, corpus: Any, tables: list[str], tmp_path: Path) -> None:
    good, bad = "春眠不觉晓。", "眠春晓不觉。"
    rows = [{"item": str(i), "phenomenon": p, "good": good, "bad": bad} for i, p in enumerate("aab")]
    pl.DataFrame(rows, schema=PAIR.columns).write_parquet(tmp_path / "pairs.parquet")
    asked = [{"name": name, "path": str(tmp_path / "pairs.parquet")} for name in ("one", "two")]
    cfg = config(trained, corpus, tables, tmp_path, pairs=asked, prompts=("春", "今天"), sample_tokens=8)
    (tmp_path / "score.json").write_text(cfg.model_dump_json(), encoding="utf-8")
    results = []
    for _ in range(2):
        ended = call("score", str(tmp_path / "score.json"))
        assert ended.code == 0
        assert {e["phase"] for e in ended.of("progress")} == {"bits_per_char", "minimal_pairs"}
        results.append(json.loads((tmp_path / "result.json").read_text(encoding="utf-8")))
        results[-1].pop("seconds")
    assert results[0] == results[1]
    pairs = results[0]["minimal_pairs"]
    assert pairs["count"] == 6
    assert pairs["sets"]["one"] == pairs["sets"]["two"]
    assert pairs["sets"]["one"]["by_phenomenon"]["a"]["count"] == 2
    assert len(set(pairs["sets"]["one"]["outcomes"]["right"])) == 1, "three times the same pair"
    assert [s["prompt"] for s in results[0]["samples"]] == ["春", "今天"]
    assert all(s["text"].startswith(s["prompt"]) for s in results[0]["samples"])


@pytest.mark.parametrize(
    ("text", "told"), [("{", "score config"), ('{"model": "x", "result": "y", "modle": 1}', "modle")]
)
def test_a_bad_config_is_refused(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "score.json").write_text(text, encoding="utf-8")
    ended = call("score", str(tmp_path / "score.json"))
    assert ended.code == 2
    assert told in ended.of("error")[0]["message"]


def test_generation_with_a_cache_equals_generation_without(network: Any) -> None:
    options = {"temperature": 0.9, "top_p": 0.9, "seed": 4, "stop_id": 0}
    made = generate(network, [0, 40], 12, **options)
    draw, ids = torch.Generator().manual_seed(4), [0, 40]
    with torch.no_grad():
        for token in made:
            logits = network(input_ids=torch.tensor([ids])).logits[0, -1]
            assert next_token(logits, 0.9, 0.9, draw) == token
            ids.append(token)
    assert generate(network, [0, 40], 12, **options) == made


def test_top_p_keeps_only_the_likely() -> None:
    logits = torch.log(torch.tensor([0.5, 0.3, 0.15, 0.05]))
    draw = torch.Generator().manual_seed(0)
    assert {next_token(logits, 1.0, 0.79, draw) for _ in range(200)} == {0, 1}
    assert {next_token(logits, 1.0, 0.01, draw) for _ in range(20)} == {0}
    assert {next_token(logits, 1.0, 1.0, draw) for _ in range(400)} == {0, 1, 2, 3}
