"""What an assessment costs, in CPU-seconds.

    ZILIU_SHARED_DATA=FOLDER python -m pytest -m bench tests/benchmarks/bench_assess.py -s

choices    C3's questions (lengths of the real text, two tokens for three characters) under a Llama of 5 M parameters: all
           choices of a question in one row, against one row for each, both batched by length
verbatim   MB of UTF-8 per CPU-second of corpus that is held against 64 generated and 64 real passages of 300 characters
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from data_contracts.assessment import QuestionSet
from lightning_modules.minimal_pairs import log_likelihoods
from lightning_modules.multiple_choice import Row, choice_nats
from tasks.readers.questions import read_questions
from tasks.transforms.verbatim import Passages
from tests.benchmarks.measured import cpu_seconds, megabytes, real_documents, write

pytestmark = [pytest.mark.bench, pytest.mark.timeout(1800)]
QUESTIONS, CONTEXT, VOCABULARY = 150, 512, 8192


def rows(table: pl.DataFrame) -> list[Row]:
    """Rows as long as the real ones; what stands in them costs the same whatever it is."""
    draw = torch.Generator().manual_seed(0)

    def ids(text: str, most: int) -> list[int]:
        count = max(1, min(most, len(text) * 2 // 3))
        return torch.randint(2, VOCABULARY, (count,), generator=draw).tolist()

    return [
        Row([0, *ids(before, CONTEXT - 64)], [ids(choice, 60) for choice in choices])
        for before, choices in table.select("before", "choices").iter_rows()
    ]


def test_choices_in_one_row(shared_data: Path, tmp_path: Path) -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    sizes: dict[str, Any] = {
        "hidden_size": 256,
        "intermediate_size": 704,
        "num_hidden_layers": 4,
        "num_attention_heads": 4,
    }
    network = LlamaForCausalLM(LlamaConfig(vocab_size=VOCABULARY, max_position_embeddings=CONTEXT, **sizes)).eval()
    files = [(shared_data / "mcq" / "c3" / "dev.jsonl.gz", "dev")]
    given = rows(read_questions(files, QuestionSet(name="c3", path="x"), QUESTIONS, 1).table)
    spent: dict[str, float] = {}
    for _ in range(2):
        with cpu_seconds(spent, "one_row"):
            packed = choice_nats(network, given, 1)
        with cpu_seconds(spent, "row_each"):
            apart = log_likelihoods(network, [row.shared[1:] + choice for row in given for choice in row.choices], 0)
    common = log_likelihoods(network, [row.shared[1:] for row in given], 0)
    flat = [-nats for row in packed for nats in row]
    beside = [common[r] for r, row in enumerate(given) for _ in row.choices]
    assert flat == pytest.approx([a - b for a, b in zip(apart, beside, strict=True)], rel=1e-3, abs=1e-2)
    figures = {"questions": QUESTIONS, **{f"{k}_cpu_seconds": round(v / 2, 2) for k, v in spent.items()}}
    figures["times"] = round(spent["row_each"] / spent["one_row"], 2)
    print("\n", figures, write("assess_choices", figures, tmp_path))


def test_verbatim_runs(shared_data: Path, tmp_path: Path) -> None:
    corpus = real_documents(shared_data, 40)["text"]
    texts = [text for text in corpus.to_list() if len(text) > 600][:128]
    dice = torch.Generator().manual_seed(0)
    made = ["".join(text[int(i)] for i in torch.randint(0, 600, (300,), generator=dice)) for text in texts[64:]]
    asked = Passages([*made, *(text[100:400] for text in texts[:64])])
    asked.read(["先编译"])
    spent: dict[str, float] = {}
    with cpu_seconds(spent, "read"):
        asked.read(corpus.to_list())
    assert min(run.chars for run in asked.runs()[64:]) == 300
    figures = {
        "megabytes": round(megabytes(corpus), 1),
        "mb_per_cpu_second": round(megabytes(corpus) / spent["read"], 1),
    }
    print("\n", figures, write("assess_verbatim", figures, tmp_path))
