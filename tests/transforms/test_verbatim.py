"""The longest common run of passages and a corpus equals a slow search, however the corpus is cut into pieces."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tasks.transforms.verbatim import Passages, Run

LETTERS = st.text("春眠不觉晓", max_size=24)


def slow(passage: str, corpus: list[str]) -> int:
    runs = (passage[a:b] for a in range(len(passage)) for b in range(a + 1, len(passage) + 1))
    return max((len(run) for run in runs if any(run in text for text in corpus)), default=0)


def found(passages: list[str], corpus: list[str], pieces: int = 1) -> list[Run]:
    asked = Passages(passages)
    for first in range(pieces):
        asked.read(corpus[first::pieces])
    return asked.runs()


@given(st.lists(LETTERS, max_size=4), st.lists(LETTERS, max_size=4), st.integers(1, 3))
def test_runs_are_those_of_a_slow_search(passages, corpus, pieces):
    runs = found(passages, corpus, pieces)
    assert [run.chars for run in runs] == [slow(passage, corpus) for passage in passages]
    for run, passage in zip(runs, passages, strict=True):
        assert any(passage[run.start : run.stop] in text for text in [*corpus, ""])


def test_a_planted_run_is_found_at_its_place():
    corpus = ["人之初，性本善。" * 50 + "床前明月光，疑是地上霜。" + "性相近，习相远。" * 50]
    assert found(["我说：床前明月光，疑是地下霜。", "一二三四"], corpus) == [Run(3, 12), Run(0, 0)]


def test_no_run_leads_from_one_text_into_the_next():
    assert [r.chars for r in found(["春眠不觉晓", "觉晓春眠"], ["春眠不", "觉晓"])] == [3, 2]


def test_characters_of_every_plane_and_none_at_all():
    assert [r.chars for r in found(["𠀀𠀁a", "", "x\0y"], ["z𠀀𠀁a", "x\0y"])] == [3, 0, 1]
    assert found([], ["春"]) == []
    assert [r.chars for r in found(["春"], [])] == [0]
