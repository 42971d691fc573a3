"""Scores of an invented assessment, as its JSON."""

from __future__ import annotations

import random
from typing import Any


def scores_json(quoted: str = "床前明月光") -> dict[str, Any]:
    """An assessment's JSON as tasks/assess.py writes it, with the figures of invented sources and sets."""
    dice = random.Random(5)
    names = ("laws_cn", "poetry", "novels", "javaguide", "wiki_paragraphs", "subtitles")
    bits = {name: 4.2 + 3 * dice.random() for name in names}
    models = {
        name: {"bits_per_char": total, "by_source": {s: b + more for s, b in bits.items()}}
        for name, total, more in (("unigram", 9.604, 4.1), ("bigram", 6.981, 1.5), ("fourgram", 6.1, 0.6))
    }
    sources = {s: {"bits_per_char": b, "perplexity_per_token": 2 ** (1.6 * b), "chars": 9000 * n} for n, (s, b) in enumerate(bits.items(), 1)}  # fmt: skip
    ways = {"by_tokens": {"accuracy": 0.28}, "by_sum": {"accuracy": 0.25}}
    questions = {
        "c3": {"accuracy": 0.381, "low": 0.351, "high": 0.412, "chance": 0.27, "count": 1000, "cut": 12, "unscored": {"no answer": 3}, **ways},
        "cmmlu": {"accuracy": 0.262, "low": 0.236, "high": 0.29, "chance": 0.25, "count": 1000, "cut": 0, "unscored": {}, **ways},
        "chid": {"accuracy": 0.089, "low": 0.057, "high": 0.136, "chance": 0.143, "count": 202, "cut": 0, "unscored": {}, **ways},
    }  # fmt: skip
    real = {"texts": 32, "chars": 7000, "distinct_1": 0.21, "distinct_2": 0.74, "distinct_3": 0.95, "repeated_4": 0.004, "self_bleu": 0.02, "longest_repeat": 9, "longest_repeat_mean": 4.1, "verbatim": {"longest": 24, "median": 9.0, "at_least": 30, "share": 0.0}}  # fmt: skip
    model = {**real, "distinct_2": 0.52, "repeated_4": 0.081, "self_bleu": 0.11, "verbatim": {"longest": 61, "median": 14.0, "at_least": 30, "share": 0.125}}  # fmt: skip
    quote = {"chars": 61, "text": quoted[:61], "doc_id": f"{random.Random('laws').getrandbits(64):016x}"}
    return {
        "model": {"parameters": 5_310_720},
        "not_scored": None,
        "bits_per_char": {"bits_per_char": 5.412, "perplexity_per_token": 402.7, "by_source": sources},
        "baselines": {"learned_chars": 1, "training_chars": 1, "models": models},
        "questions": questions,
        "lm_eval": {"version": "0.4.13", "tasks": {"mine": {"items": 200, "acc": 0.27, "acc_stderr": 0.031}}},
        "generated": {"model": model, "held_out": real, "longest_runs": [quote]},
        "remembered": {"texts": 32, "longest": 44, "median": 3.0, "at_least": 30, "share": 0.0625},
    }


SPEED = {"device": "cpu", "threads": 2, "read_tokens_per_second": 9120.5, "written_tokens_per_second": 1210.0, "first_token_ms": 21.4, "token_ms": 7.9, "peak_memory_bytes": 812_000_000}  # fmt: skip
