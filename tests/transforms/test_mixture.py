"""The mixture: shares, caps, budgets and deciles come out as asked, the same for any order of the documents."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from data_contracts.errors import ConfigError
from data_contracts.mixture import MixtureConfig
from tasks.transforms.mixture import UNKNOWN, Training, deciles, filled, mixture
from tasks.transforms.splits import places

NAN = float("nan")


def training(sizes: dict[str, int], tokens: int = 100, quality: list[float] | None = None) -> Training:
    """So many documents of each source, equally long."""
    names = sorted(sizes)
    source = np.repeat(np.arange(len(names)), [sizes[n] for n in names])
    n = len(source)
    place = places([f"{i}" for i in range(n)], "mixture")
    return Training(names, source, np.full(n, tokens), np.array(quality or [NAN] * n, dtype=np.float64), place)


def shares(given: Training, **settings) -> dict[str, tuple[int, int, float]]:
    """(documents, tokens, epochs) of each source."""
    facts = mixture(given, MixtureConfig(**settings)).facts
    return {name: (s["documents"], s["tokens"], s["epochs"]) for name, s in facts["by_source"].items()}


def test_every_document_once_unless_asked_otherwise():
    found = mixture(training({"a": 30, "b": 10}), MixtureConfig())
    assert found.copies.tolist() == [1] * 40
    assert found.facts["by_source"]["a"] == {"documents": 30, "tokens": 3000, "epochs": 1.0, "share": 0.75}
    assert (found.facts["left_out_documents"], found.facts["short_tokens"], found.facts["by_decile"]) == (0, 0, {})


def test_weights_are_shares_of_the_same_number_of_tokens():
    assert shares(training({"a": 60, "b": 20}), weights={"a": 1, "b": 1}) == {
        "a": (40, 4000, 0.6667),
        "b": (20, 4000, 2.0),
    }
    assert shares(training({"a": 60, "b": 20}), weights={"a": 1, "b": 0})["b"] == (0, 0, 0.0)


def test_what_a_cap_holds_back_goes_to_the_others():
    # 10,000 tokens: c may take 3,000 of its 4,000, and 4,667 and 2,333 are left for a and b, to the nearest document
    assert shares(training({"a": 60, "b": 20, "c": 20}), weights={"a": 2, "b": 1, "c": 2}, max_epochs=1.5) == {
        "a": (47, 4700, 0.7833),
        "b": (20, 2300, 1.15),
        "c": (20, 3000, 1.5),
    }


def test_a_cap_of_one_source_and_a_budget_that_cannot_be_met():
    given = training({"a": 10, "b": 10})
    assert shares(given, tokens=10_000, source_max_epochs={"b": 2})["b"] == (10, 2000, 2.0)
    found = mixture(given, MixtureConfig(tokens="10K tokens", source_max_epochs={"b": 2}))
    assert found.facts["tokens"] == 6000
    assert found.facts["short_tokens"] == 4000


def test_a_budget_leaves_documents_out_and_a_source_has_its_own():
    given = training({"a": 30, "b": 10})
    assert shares(given, tokens=2000) == {"a": (15, 1500, 0.5), "b": (5, 500, 0.5)}
    assert shares(given, tokens=2000, source_tokens={"a": 1000}) == {"a": (10, 1000, 0.3333), "b": (10, 1000, 1.0)}
    assert mixture(given, MixtureConfig(tokens=2000)).facts["left_out_documents"] == 20


def test_deciles_are_tenths_of_the_documents_that_have_a_quality():
    quality = np.array([NAN, *np.linspace(0, 1, 20), NAN])
    found = deciles(quality, np.arange(22) / 22)
    assert found[1:-1].tolist() == [d for d in range(10) for _ in range(2)]
    assert found[[0, -1]].tolist() == [UNKNOWN, UNKNOWN]


def test_weights_of_deciles_turn_towards_quality():
    given = training({"a": 40, "b": 10}, quality=[*np.linspace(0, 1, 40), *[NAN] * 10])
    weights = (0, 0, 0, 0, 0, 1, 1, 1, 1, 2)
    facts = mixture(given, MixtureConfig(decile_weights=weights)).facts
    epochs = {name: d["epochs"] for name, d in facts["by_decile"].items()}
    assert [epochs[str(d)] for d in (1, 5, 6, 9)] == [0.0, 0.0, epochs["6"], epochs["6"]]
    assert epochs["10"] == pytest.approx(2 * epochs["6"], abs=0.13)  # a document is a quarter of a decile
    assert epochs["unknown"] == pytest.approx(epochs["6"], abs=0.13)
    assert facts["tokens"] == pytest.approx(5000, abs=200)


def test_a_decile_at_its_cap_leaves_its_tokens_to_the_others():
    given = training({"a": 1000}, quality=list(np.linspace(0, 1, 1000)))
    weights = (*[1.0] * 9, 100.0)
    epochs = [d["epochs"] for d in mixture(given, MixtureConfig(decile_weights=weights)).facts["by_decile"].values()]
    assert epochs[9] == 4.0
    assert sum(epochs[:9]) == pytest.approx(6.0, abs=0.1)


def test_a_source_without_a_weight_is_named():
    with pytest.raises(ConfigError, match=r"no weight for source b, c; write 0"):
        mixture(training({"a": 1, "b": 1, "c": 1}), MixtureConfig(weights={"a": 1}))
    assert shares(training({"a": 10}), weights={"a": 1, "gone": 3})["a"] == (10, 1000, 1.0)


@pytest.mark.parametrize(
    "settings",
    [
        {"decile_weights": (1, 2)},
        {"decile_weights": (0,) * 10},
        {"weights": {"a": 0}},
        {"tokens": "many"},
        {"tokens": 0},
    ],
)
def test_what_makes_no_sense_is_refused(settings):
    with pytest.raises(ValidationError):
        MixtureConfig(**settings)


def test_nothing_to_mix():
    assert mixture(training({}), MixtureConfig()).copies.tolist() == []
    assert mixture(training({}), MixtureConfig(tokens=5)).facts["short_tokens"] == 5


@given(st.lists(st.tuples(st.floats(0, 9), st.floats(0, 50)), min_size=1, max_size=6), st.floats(0.1, 300))
def test_filling_keeps_the_budget_and_every_room(vessels, budget):
    weight, room = (np.array(column) for column in zip(*vessels, strict=True))
    got = filled(budget, weight, room)
    usable = room[weight > 0].sum()
    assert (got <= room * (1 + 1e-9)).all()
    assert got.sum() == pytest.approx(min(budget, usable), rel=1e-6, abs=1e-9)
    assert (got[weight == 0] == 0).all()


@given(st.integers(0, 10**6), st.integers(20, 60), st.floats(0.2, 3.9))
def test_the_order_of_documents_changes_nothing_and_more_only_adds(seed, count, times):
    draw = np.random.default_rng(seed)
    source, tokens = draw.integers(0, 3, count), draw.integers(1, 500, count)
    quality = np.where(draw.random(count) < 0.2, NAN, draw.random(count))
    given = Training(["a", "b", "c"], source, tokens, quality, places([str(i) for i in range(count)], "mixture"))
    budget = int(times * tokens.sum()) or 1
    copies = mixture(given, MixtureConfig(tokens=budget)).copies
    order = draw.permutation(count)
    turned = Training(given.sources, *(column[order] for column in given[1:]))
    assert mixture(turned, MixtureConfig(tokens=budget)).copies.tolist() == copies[order].tolist()
    assert (mixture(given, MixtureConfig(tokens=budget + budget // 10)).copies >= copies).all()
    cells = len(set(zip(source.tolist(), deciles(quality, given.place).tolist(), strict=True)))
    assert abs(int((copies * tokens).sum()) - budget) <= cells * 250 + 1, "half a document a cell"
