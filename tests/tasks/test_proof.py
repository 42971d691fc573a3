"""Which corpus is better is said with figure, interval, documents, and what the interval holds."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest

from data_contracts.comparison import CompareConfig
from tasks.proof import Proof, noise, prove, sentences

sys.path.append(str(Path(__file__).parent))
told = importlib.import_module("told_contest")


def proof(*better: float, seeds: int = 1, count: int = 240, names: tuple[str, str] = ("甲", "乙")) -> Proof:
    """The proof of models that are better than a common one by so much."""
    answers = [told.documents(b, count=count, seed=20 + i) for i, b in enumerate(better)]
    return prove(answers, CompareConfig(names=names, seeds=tuple(range(1, seeds + 1)), resamples=2000))


def test_the_better_corpus_is_named_with_figure_interval_and_documents():
    found = proof(0.0, 0.2)
    assert found.better == 1
    assert found.difference == pytest.approx(0.2, abs=0.05)
    zh, en = sentences(found)
    assert zh.startswith("语料 乙 更好: 在 240 篇双方都没有学过的文档上")
    assert en.startswith("Corpus 乙 is better: on 240 documents that neither has seen")
    for text in (zh, en):
        assert f"{found.difference:.3f}" in text
        assert f"{found.low:.3f} … {found.high:.3f}" in text
        assert "p < 0.001" in text
    assert "--seeds 3" in noise(found)
    assert proof(0.2, 0.0).better == 0
    turned = sentences(proof(0.2, 0.0))[1]
    assert turned.startswith("Corpus 甲 is better")
    assert "-0." not in turned, "a difference is told without its sign, its interval from near to far"


def test_what_is_no_difference_is_not_called_one():
    found = proof(0.1, 0.1)
    assert found.better is None
    assert sentences(found)[0].startswith("分不出高下")
    assert "Not told apart" in sentences(found)[1]


def test_noise_between_seeds_can_take_a_verdict_back():
    once = proof(0.0, 0.2)
    assert once.better == 1
    calm = proof(0.0, 0.001, 0.2, 0.201, seeds=2)
    wild = proof(-0.15, 0.15, 0.05, 0.35, seeds=2)
    assert calm.better == 1
    assert wild.better is None
    assert wild.difference == pytest.approx(calm.difference, abs=0.001)
    assert wild.seed_deviation > 0.15 > 0.02 > calm.seed_deviation
    assert "2 training runs a side" in noise(wild)
    assert f"{wild.seed_deviation:.4f}" in noise(wild)


def test_sides_that_were_not_trained_for_the_same_tokens_are_said():
    answers = [told.documents(b, seed=30 + i) for i, b in enumerate((0.0, 0.2))]
    cfg = CompareConfig(names=("甲", "乙"), seeds=(1,), resamples=500)
    assert "252K and 520K tokens" in noise(prove(answers, cfg, [251_904, 520_192]))
    assert "tokens:" not in noise(prove(answers, cfg, [500_000, 501_000]))
    assert prove(answers, cfg).tokens is None


def test_few_documents_are_said_and_a_handful_decides_nothing():
    assert "interval is too narrow" in noise(proof(0.0, 0.5, count=20))
    assert proof(0.0, 0.5, count=20).better == 1
    assert proof(0.0, 0.5, count=5).better is None
