from __future__ import annotations

import logging
import sys
import warnings
from math import log

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.transforms.dictionary import FIRST, LAST, NEVER, model, of_words, standard

HAN = st.characters(min_codepoint=FIRST, max_codepoint=LAST)


@pytest.fixture(scope="module")
def jieba():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import jieba

        jieba.setLogLevel(logging.ERROR)
        jieba.initialize()
    return jieba


def test_every_word_is_there_as_often_as_in_jieba(jieba):
    known = {word: count for word, count in jieba.dt.FREQ.items() if all(FIRST <= ord(c) <= LAST for c in word)}
    ours = standard()
    assert ours.total == jieba.dt.total == 60_101_967
    assert ours.frequencies(list(known), missing=-1).tolist() == list(known.values())
    assert np.count_nonzero(ours.keys) == len(known), "nothing else is there"
    there = ours.counts > 0
    assert ours.logs[there].tolist() == [log(n) for n in ours.counts[there].tolist()]
    assert (ours.logs[~there] == -1).all()


def test_the_model_is_jiebas(jieba):
    ours, theirs = model(), jieba.finalseg
    for i, state in enumerate("BMES"):
        assert ours.start[i] == theirs.start_P[state]
        assert ours.transition[i].tolist() == [theirs.trans_P[state].get(to, NEVER) for to in "BMES"]
        assert ours.emission[:, i].tolist() == [
            theirs.emit_P[state].get(chr(code), NEVER) for code in range(FIRST, LAST + 1)
        ]


@given(st.dictionaries(st.text(HAN, min_size=1, max_size=5), st.integers(1, 9), min_size=1, max_size=300), st.text())
def test_words_are_found_and_nothing_else_is(counts, other):
    made = of_words(list(counts), np.array(list(counts.values())), sum(counts.values()))
    assert made.frequencies(list(counts)).tolist() == list(counts.values())
    beginnings = {word[:n] for word in counts for n in range(1, len(word) + 1)}
    assert made.frequencies([other, *beginnings], missing=-1).tolist() == [
        counts.get(w, 0 if w in beginnings else -1) for w in [other, *beginnings]
    ]
    assert made.has([other]).tolist() == [other in counts]
    singles = [w for w in beginnings if len(w) == 1]
    assert (made.first >= 0).sum() == len(singles)
    assert made.first[[ord(w) - FIRST for w in singles]].tolist() == made.places(singles).tolist()


def test_jieba_is_read_and_not_imported():
    import subprocess

    code = "import sys; from tasks.transforms.words import words; words(['北京']); print('jieba' in sys.modules)"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert told.strip() == "False"
