from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from data_contracts.dataset import document_id
from tasks.transforms.splits import TEST, TRAIN, VALIDATION, cuts, places, split_of

IDS = [document_id("s", str(i)) for i in range(20_000)]


def counts(ids, validation, test):
    where = places(ids)
    names, numbers = np.unique(split_of(where, cuts(where, validation, test)), return_counts=True)
    return dict(zip(names.tolist(), numbers.tolist(), strict=True))


def test_shares_are_what_was_asked_for():
    found = counts(IDS, 0.05, 0.02)
    assert abs(found[VALIDATION] - 1000) < 130
    assert abs(found[TEST] - 400) < 80
    assert sum(found.values()) == len(IDS)


def test_a_place_is_for_life():
    assert places(["0123456789abcdef"]).tolist() == places([*IDS[:5], "0123456789abcdef"])[5:].tolist()
    assert places(["0123456789abcdef"])[0] == 0.27870537384292016  # changing this moves documents of every user


def test_raising_a_ratio_only_takes_from_training():
    where = places(IDS)
    before, after = (split_of(where, cuts(where, *r)) for r in ((0.01, 0.02), (0.1, 0.3)))
    assert set(before[after == TRAIN]) == {TRAIN}
    assert set(after[before == VALIDATION]) == {VALIDATION}
    assert set(after[before == TEST]) == {TEST}


@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=12, unique=True), st.sampled_from([0.0, 0.01, 0.3]))
def test_a_small_corpus_has_every_split_that_it_can_have(numbers, ratio):
    where = places([document_id("s", str(n)) for n in numbers])
    found = cuts(where, ratio, ratio)
    names = set(split_of(where, found).tolist())
    assert TRAIN in names
    if ratio == 0:
        assert names == {TRAIN}
    elif len(numbers) >= 3 and found.forced != (TRAIN,):
        assert names == {TRAIN, VALIDATION, TEST}


def test_a_forced_end_is_named_and_takes_one_document():
    where = np.array([0.4, 0.2, 0.6, 0.5])
    found = cuts(where, 0.01, 0.01)
    assert found.forced == (VALIDATION, TEST)
    assert split_of(where, found).tolist() == [TRAIN, VALIDATION, TEST, TRAIN]
    assert cuts(where, 0.3, 0.5).forced == ()
