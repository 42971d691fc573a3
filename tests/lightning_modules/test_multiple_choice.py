"""Choices by likelihood: packed rows equal separate ones, a model without knowledge is at chance, limits are told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest
import torch
from tokenizers import Tokenizer
from transformers import LlamaConfig, LlamaForCausalLM, Qwen3Config, Qwen3ForCausalLM

from data_contracts.errors import DatasetMissing, SchemaMismatch
from data_contracts.score_file import QUESTION, NamedTable
from lightning_modules import multiple_choice
from lightning_modules.multiple_choice import Row, choice_nats, row_of, score_questions
from tests.lightning_modules.tiny_runs import WORDS, Corpus

SIZES: dict[str, Any] = {"vocab_size": 330, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2, "max_position_embeddings": 64, "initializer_range": 0.3}  # fmt: skip


@pytest.fixture(scope="module")
def random_network() -> LlamaForCausalLM:
    """From random weights, large ones, so that its likelihoods differ."""
    torch.manual_seed(0)
    return LlamaForCausalLM(LlamaConfig(**SIZES)).eval()


def rows(count: int) -> list[Row]:
    draw = torch.Generator().manual_seed(1)

    def ids(low: int, high: int) -> list[int]:
        length = int(torch.randint(low, high, (1,), generator=draw))
        return torch.randint(2, 330, (length,), generator=draw).tolist()

    return [Row([0, *ids(0, 20)], [ids(1, 9) for _ in range(2 + i % 3)]) for i in range(count)]


def alone(network: Any, shared: list[int], choice: list[int]) -> float:
    """Nats of one choice, one row, no mask and no padding."""
    with torch.no_grad():
        chances = torch.log_softmax(network(input_ids=torch.tensor([shared + choice])).logits[0].double(), -1)
    return -sum(float(chances[len(shared) - 1 + i, token]) for i, token in enumerate(choice))


def test_packed_choices_cost_what_each_costs_alone(random_network: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    given = rows(12)
    expected = [[alone(random_network, row.shared, choice) for choice in row.choices] for row in given]
    whole = choice_nats(random_network, given, 1)
    monkeypatch.setattr(multiple_choice, "BATCH_TOKENS", 1)  # every question in a batch of its own
    for found in (whole, choice_nats(random_network, given, 1)):
        for one, want in zip(found, expected, strict=True):
            assert one == pytest.approx(want, rel=1e-5)


def test_another_architecture_sees_the_same_mask() -> None:
    torch.manual_seed(0)
    network = Qwen3ForCausalLM(Qwen3Config(**SIZES, num_key_value_heads=1, head_dim=16)).eval()
    given = rows(4)
    for one, row in zip(choice_nats(network, given, 1), given, strict=True):
        assert one == pytest.approx([alone(network, row.shared, choice) for choice in row.choices], rel=1e-5)


def test_choices_part_where_their_tokens_part() -> None:
    # the second token differs between the text before the choice and the texts with it: it is paid for
    assert row_of([5, 6], [[5, 7, 8], [5, 7, 9]], 0, 64) == (Row([0, 5], [[7, 8], [7, 9]]), False)
    # a choice that is the beginning of another keeps a token to pay for
    assert row_of([5, 6], [[5, 6], [5, 6, 7]], 0, 64) == (Row([0, 5], [[6], [6, 7]]), False)
    assert row_of([], [[7], [8]], 0, 64) == (Row([0], [[7], [8]]), False)


def test_what_is_too_long_loses_its_beginning_and_is_counted() -> None:
    assert row_of([1, 2, 3, 4], [[1, 2, 3, 4, 9]] * 2, 0, 4) == (Row([0, 3, 4], [[9], [9]]), True)
    row, cut = row_of([1], [[1, *range(10, 20)], [1, 30]], 0, 6)
    assert (row, cut) == (Row([0], [[10, 11, 12, 13, 14], [30]]), True)


def table(folder: Path, questions: list[tuple[str, list[str], int]], group: str = "") -> NamedTable:
    frame = pl.DataFrame(
        [
            {"item": str(i), "group": group, "before": before, "after": "", "choices": choices, "answer": answer}
            for i, (before, choices, answer) in enumerate(questions)
        ],
        schema=QUESTION.columns,
    )
    frame.write_parquet(folder / "q.parquet")
    return NamedTable(name="q", path=str(folder / "q.parquet"))


def test_a_model_that_knows_nothing_is_at_chance(random_network: Any, corpus: Corpus, tmp_path: Path) -> None:
    draw = torch.Generator().manual_seed(3)

    def words(count: int) -> str:
        return "".join(WORDS[i] for i in torch.randint(0, len(WORDS), (count,), generator=draw).tolist())

    asked = [(words(4), [f"{words(3)}{letter}" for letter in "ABCD"], i % 4) for i in range(400)]
    tokenizer = Tokenizer.from_file(str(corpus.folder / "tokenizer.json"))
    found = score_questions(random_network, tokenizer, [table(tmp_path, asked, "g")], 0, 1)["q"]
    assert found["chance"] == pytest.approx(0.25)
    assert found["low"] <= 0.25 <= found["high"]
    assert found["by_group"]["g"]["count"] == found["count"] == 400
    assert sum(found["outcomes"]["right"]) == found["right"]


def test_lengths_make_the_difference(random_network: Any, corpus: Corpus, tmp_path: Path, monkeypatch: Any) -> None:
    """Costs of 3, 4 nats: the short choice wins by the sum, the long one by characters; tokens are one and two."""
    monkeypatch.setattr(multiple_choice, "choice_nats", lambda network, rows, pad_id: [[3.0, 4.0] for _ in rows])
    tokenizer = Tokenizer.from_file(str(corpus.folder / "tokenizer.json"))
    asked = [("春", ["花", "今天天气"], 1), ("春", ["花", "今天天气"], 0)]
    found = score_questions(random_network, tokenizer, [table(tmp_path, asked)], 0, 1)["q"]
    assert found["outcomes"]["right"] == [True, False]
    assert (found["accuracy"], found["by_sum"]["right"], found["by_tokens"]["count"]) == (0.5, 1, 2)


def test_a_table_that_is_missing_or_of_another_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetMissing, match=r"q: no file"):
        NamedTable(name="q", path=str(tmp_path / "none.parquet")).read(QUESTION)
    pl.DataFrame({"a": [1]}).write_parquet(tmp_path / "a.parquet")
    with pytest.raises(SchemaMismatch):
        NamedTable(name="q", path=str(tmp_path / "a.parquet")).read(QUESTION)
