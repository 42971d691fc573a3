"""选择题 multiple choice: the choice of a question that a model finds likeliest, and how often it is the right one.

A choice's score is the log-probability of everything that follows what all choices of its question share: the choice
and the text behind it. Text is encoded whole, as the model saw it in training, so a token may hold the last character
of the question and the first of a choice; choices are then compared from the token on where they part.

The sum of a longer choice is lower for being longer. So it is divided by its characters (the headline: the same unit
for every tokenizer, and lm-eval's `acc_norm`), by its tokens, or not at all (lm-eval's `acc`); all three are told.

All choices of a question lie in one row behind their common beginning, which is computed once:

    [padding] beginning | choice 1 | choice 2 | ... [padding]

Positions restart behind the beginning, and a mask lets a choice see the beginning and itself, nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import polars as pl
import torch
from tokenizers import Tokenizer
from transformers import PreTrainedModel

from data_contracts.score_file import QUESTION, NamedTable
from lightning_modules.events import progress
from lightning_modules.intervals import proportion

BATCH_TOKENS = 4096  # padded tokens of one forward pass
BATCH_PAIRS = 4 << 20  # pairs of tokens in the mask of one forward pass: 4 MB
BATCH_LOGITS = 1 << 28  # outputs of one forward pass: 1 GB


class Row(NamedTuple):
    """The tokens of one question: what all choices share (never empty), and what follows for each."""

    shared: list[int]
    choices: list[list[int]]

    @property
    def inputs(self) -> int:
        """Tokens that the network reads behind the shared ones; the last of each choice predicts nothing."""
        return sum(len(ids) - 1 for ids in self.choices)

    @property
    def length(self) -> int:
        """Tokens that the network reads."""
        return len(self.shared) + self.inputs


def row_of(before: Sequence[int], whole: Sequence[Sequence[int]], separator_id: int, context: int) -> tuple[Row, bool]:
    """The row of one question, and whether it had to be cut to `context` tokens.

    `before` are the ids of the text before the choice, `whole` those of the text with each choice filled in. What is
    too long loses its beginning; choices that are too long by themselves lose their ends.
    """
    common = min(len(before), *(len(ids) - 1 for ids in whole))
    at = next((i for i in range(common) if any(ids[i] != before[i] for ids in whole)), common)
    rests = [list(ids[at:])[: context - 1] for ids in whole]
    room = context - max(map(len, rests))  # of the separator and the shared tokens
    shared = list(before[:at])[-(room - 1) :] if room > 1 else []
    cut = len(shared) < at or any(len(r) < len(ids) - at for r, ids in zip(rests, whole, strict=True))
    return Row([separator_id, *shared], rests), cut


@torch.inference_mode()
def choice_nats(network: PreTrainedModel, rows: Sequence[Row], pad_id: int) -> list[list[float]]:
    """Negative log-probability (nats) of each choice of each row, behind what the row's choices share."""
    nats: list[list[float]] = [[] for _ in rows]
    done = 0
    for group in _batches(rows, int(network.config.vocab_size)):
        for i, found in zip(group, _batch_nats(network, [rows[i] for i in group], pad_id), strict=True):
            nats[i] = found
        done += len(group)
        progress(done, len(rows), phase="questions", unit="questions")
    return nats


def _batches(rows: Sequence[Row], vocab_size: int) -> Iterator[list[int]]:
    """Indices of rows of similar length, so many that neither tokens, mask nor outputs of a batch become too large."""
    group: list[int] = []
    for i in sorted(range(len(rows)), key=lambda i: (rows[i].length, i)):
        size, asked = len(group) + 1, max(rows[j].inputs for j in (*group, i))
        width = max(len(rows[j].shared) for j in (*group, i)) + asked  # both parts are padded to the longest
        outputs = size * (asked + 1) * vocab_size
        if group and (size * width > BATCH_TOKENS or size * width**2 > BATCH_PAIRS or outputs > BATCH_LOGITS):
            yield group
            group = []
        group.append(i)
    if group:
        yield group


def _batch_nats(network: PreTrainedModel, rows: list[Row], pad_id: int) -> list[list[float]]:
    """One forward pass. B rows, S tokens of the longest beginning, T columns in all."""
    start = max(len(row.shared) for row in rows)
    width = start + max(row.inputs for row in rows)
    inputs = torch.full((len(rows), width), pad_id)
    positions = torch.zeros((len(rows), width), dtype=torch.long)
    part = torch.full((len(rows), width), -1)  # -1 padding, 0 what is shared, n the n-th choice
    asked: list[tuple[int, int, int, int]] = []  # row, column whose output predicts, token, number of the choice
    number = 0
    for r, row in enumerate(rows):
        own = len(row.shared)
        inputs[r, start - own : start] = torch.tensor(row.shared)
        positions[r, start - own : start] = torch.arange(own)
        part[r, start - own : start] = 0
        at = start
        for n, ids in enumerate(row.choices, 1):
            end = at + len(ids) - 1
            inputs[r, at:end] = torch.tensor(ids[:-1], dtype=torch.long)
            positions[r, at:end] = own + torch.arange(len(ids) - 1)
            part[r, at:end] = n
            columns = [start - 1, *range(at, end)]
            asked += [(r, column, token, number) for column, token in zip(columns, ids, strict=True)]
            at, number = end, number + 1
    device = network.device
    causal = torch.arange(width)[:, None] >= torch.arange(width)  # (T, T)
    sees = causal & ((part[:, None, :] == 0) | (part[:, None, :] == part[:, :, None]))  # (B, T, T)
    logits = network(
        input_ids=inputs.to(device),
        attention_mask=sees[:, None].to(device),
        position_ids=positions.to(device),
        use_cache=False,
        logits_to_keep=width - start + 1,
    ).logits  # (B, T - S + 1, V)
    row_of_each, column, token, choice = torch.tensor(asked).T.to(device)  # (4, M)
    chosen = logits[row_of_each, column - (start - 1)].float()  # (M, V)
    nats = torch.nn.functional.cross_entropy(chosen, token, reduction="none").double().cpu()
    sums = torch.zeros(number, dtype=torch.double).index_add_(0, choice.cpu(), nats).tolist()
    ends = torch.tensor([len(row.choices) for row in rows]).cumsum(0).tolist()
    return [sums[end - len(row.choices) : end] for row, end in zip(rows, ends, strict=True)]


def score_questions(
    network: PreTrainedModel, tokenizer: Tokenizer, tables: Sequence[NamedTable], separator_id: int, pad_id: int
) -> dict[str, dict[str, Any]]:
    """For each set: accuracy (by characters) with its Wilson interval, chance, the other two ways, groups, outcomes."""
    return {one.name: _score(network, tokenizer, one, separator_id, pad_id) for one in tables}


def _score(
    network: PreTrainedModel, tokenizer: Tokenizer, table: NamedTable, separator_id: int, pad_id: int
) -> dict[str, Any]:
    items = table.read(QUESTION)
    context = int(network.config.max_position_embeddings)
    laid, chars = [], []
    for before, after, choices in items.select("before", "after", "choices").iter_rows():
        texts = [before, *(before + choice + after for choice in choices)]
        first, *whole = (e.ids for e in tokenizer.encode_batch(texts, add_special_tokens=False))
        laid.append(row_of(first, whole, separator_id, context))
        chars.append([len(choice) + len(after) for choice in choices])
    rows = [row for row, _ in laid]
    nats = choice_nats(network, rows, pad_id)
    tokens = [[len(ids) for ids in row.choices] for row in rows]
    ones = [[1] * len(found) for found in nats]
    answers = items["answer"].to_list()
    by_chars, by_tokens, by_sum = (_right(nats, sizes, answers) for sizes in (chars, tokens, ones))
    outcomes = items.select("item", "group").with_columns(right=pl.Series(by_chars, dtype=pl.Boolean))
    groups = outcomes.filter(pl.col("group") != "").group_by("group").agg(pl.col("right").sum(), n=pl.len())
    return {
        **proportion(sum(by_chars), len(by_chars)),
        "chance": sum(1 / len(found) for found in nats) / len(nats),
        "by_tokens": proportion(sum(by_tokens), len(by_tokens)),
        "by_sum": proportion(sum(by_sum), len(by_sum)),
        "cut": sum(cut for _, cut in laid),
        "by_group": {name: proportion(right, n) for name, right, n in groups.sort("group").iter_rows()},
        "outcomes": outcomes.to_dict(as_series=False),
    }


def _right(nats: list[list[float]], sizes: list[list[int]], answers: list[int]) -> list[bool]:
    """Whether the right choice costs least for its size; one that costs as little as another counts as wrong."""
    found = []
    for costs, size, answer in zip(nats, sizes, answers, strict=True):
        each = [cost / max(1, n) for cost, n in zip(costs, size, strict=True)]
        found.append(all(each[answer] < other for i, other in enumerate(each) if i != answer))
    return found
