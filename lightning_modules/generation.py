"""成批生成 generation: many continuations at once, the same for the same prompts, seeds and batches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from tokenizers import Tokenizer
from transformers import DynamicCache, PreTrainedModel

from data_contracts.score_file import PROMPT, NamedTable, ScoreConfig
from lightning_modules.events import progress

BATCH_ROWS = 16


def next_tokens(logits: torch.Tensor, temperature: float, top_p: float, draws: Sequence[torch.Generator]) -> list[int]:
    """One id for each row of (B, V) logits, drawn among the most likely whose probabilities first sum to `top_p`.

    Temperature 0 takes the likeliest. Drawn on the CPU in float64, a generator for each row.
    """
    if not temperature:
        return [int(i) for i in logits.argmax(-1)]
    chances = torch.softmax(logits.double().cpu() / temperature, dim=-1)
    ordered, ids = chances.sort(descending=True, stable=True)
    kept = ordered * (ordered.cumsum(-1) - ordered < top_p)
    drawn = [int(torch.multinomial(row, 1, generator=draw)) for row, draw in zip(kept, draws, strict=True)]
    return [int(ids[row, place]) for row, place in enumerate(drawn)]


@torch.inference_mode()
def generate_batch(
    network: PreTrainedModel,
    prompts: Sequence[Sequence[int]],
    new_tokens: int,
    *,
    temperature: float,
    top_p: float,
    seeds: Sequence[int],
    stop_id: int,
) -> list[list[int]]:
    """Up to `new_tokens` ids behind each prompt; all prompts have one length. A row ends before `stop_id`.

    A row that has ended is fed on until the last one has, so that the batch keeps its shape.
    """
    draws = [torch.Generator().manual_seed(seed) for seed in seeds]
    cache = DynamicCache(config=network.config)
    fed = torch.tensor([list(p) for p in prompts], device=network.device)  # (B, P), then (B, 1)
    made: list[list[int]] = [[] for _ in prompts]
    ended = [False] * len(made)
    for _ in range(new_tokens):
        logits = network(input_ids=fed, past_key_values=cache, use_cache=True, logits_to_keep=1).logits[:, -1]
        tokens = next_tokens(logits, temperature, top_p, draws)
        ended = [done or token == stop_id for done, token in zip(ended, tokens, strict=True)]
        if all(ended):
            break
        for row, token in enumerate(tokens):
            if not ended[row]:
                made[row].append(token)
        fed = torch.tensor(tokens, device=network.device)[:, None]
    return made


def free_samples(network: PreTrainedModel, tokenizer: Tokenizer, cfg: ScoreConfig, separator_id: int) -> list[str]:
    """`free_samples` texts that begin with nothing but the start of a document."""
    room = min(cfg.free_tokens, int(network.config.max_position_embeddings) - 1)
    texts: list[str] = []
    for first in range(0, cfg.free_samples, BATCH_ROWS):
        seeds = [cfg.seed + i for i in range(first, min(first + BATCH_ROWS, cfg.free_samples))]
        made = generate_batch(
            network,
            [[separator_id]] * len(seeds),
            room,
            temperature=cfg.temperature,
            top_p=cfg.top_p,
            seeds=seeds,
            stop_id=separator_id,
        )
        texts += tokenizer.decode_batch(made)
        progress(len(texts), cfg.free_samples, phase="samples", unit="samples")
    return texts


def continuations(
    network: PreTrainedModel, tokenizer: Tokenizer, table: NamedTable, cfg: ScoreConfig, separator_id: int
) -> list[dict[str, Any]]:
    """How the model goes on, greedily, behind the first `probe_tokens` tokens of each text of a table of PROMPT.

    `prompt` is the text of those tokens, `text` what follows. Texts that are shorter are left out.
    """
    length = cfg.probe_tokens
    room = min(cfg.free_tokens, int(network.config.max_position_embeddings) - 1 - length)
    texts = table.read(PROMPT)
    ids = [e.ids for e in tokenizer.encode_batch(texts["text"].to_list(), add_special_tokens=False)]
    able = [i for i, found in enumerate(ids) if len(found) > length] if room > 0 else []
    told: list[dict[str, Any]] = []
    for first in range(0, len(able), BATCH_ROWS):
        rows = able[first : first + BATCH_ROWS]
        prompts = [[separator_id, *ids[i][:length]] for i in rows]
        made = generate_batch(
            network, prompts, room, temperature=0.0, top_p=1.0, seeds=[0] * len(rows), stop_id=separator_id
        )
        for i, prompt, new in zip(rows, prompts, made, strict=True):
            # a token may end inside a character, whose first bytes decode to the replacement character
            asked = tokenizer.decode(prompt[1:]).rstrip("\ufffd")
            whole = tokenizer.decode([*prompt[1:], *new])
            told.append({"item": texts["item"][i], "prompt": asked, "text": whole[len(asked) :]})
        progress(len(told), len(able), phase="memorised", unit="texts")
    return told
