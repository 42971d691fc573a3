from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tasks.transforms.paragraphs import ID, ROW, listed, long_lines, repeated, without

FORMULA = "本法自公布之日起施行，此前有关规定与本法不一致的，以本法为准。"
texts_of_lines = st.lists(
    st.lists(st.sampled_from(["天地玄黄", "宇宙洪荒", "短", ""]), min_size=1, max_size=5), max_size=6
)


def test_long_lines_are_counted_without_punctuation_and_known_by_their_key():
    lines = long_lines(["短\n一二三四五\n\n一二，三四！", "壹\n ，一二三四五。 "], 5, True)
    assert list(zip(lines.text.tolist(), lines.line.tolist(), strict=True)) == [(0, 1), (1, 1)]
    assert lines.digest[0].tolist() == lines.digest[1].tolist()


@given(texts_of_lines)
def test_long_lines_are_those_that_reach_the_length(made):
    lines = long_lines(["\n".join(t) for t in made], 4, True)
    expected = [(i, j) for i, t in enumerate(made) for j, line in enumerate(t) if len(line) >= 4]
    assert list(zip(lines.text.tolist(), lines.line.tolist(), strict=True)) == expected


def table(texts):
    rank = np.array([[0, 0, i] for i in range(len(texts))], dtype=np.uint64).reshape(-1, 3)
    return listed(long_lines(texts, 10, True), rank, np.arange(len(texts)))


def gone(texts, max_documents):
    """row -> (row that keeps the paragraph, documents)."""
    made = table(texts)
    found = repeated(made, max_documents)
    rows = zip(made[found.gone, ROW], made[found.kept, ID], found.documents, strict=True)
    return {int(row): (int(kept), int(count)) for row, kept, count in rows}


def test_a_paragraph_of_many_documents_stays_in_the_best():
    texts = [f"第{i}条\n{FORMULA}" for i in range(4)]
    assert gone(texts, 3) == {1: (0, 4), 2: (0, 4), 3: (0, 4)}
    assert gone(texts, 4) == {}
    assert gone([], 1) == {}


def test_a_refrain_within_a_document_is_one():
    refrain = "我等候你，我望着户外的昏黄如同望着将来。"
    assert gone(["\n".join([refrain] * 9), "别的\n" + refrain], 2) == {}
    assert gone(["\n".join([refrain] * 9), "别的\n" + refrain], 1) == {1: (0, 2)}


@given(texts_of_lines, st.sets(st.integers(0, 6)))
def test_a_text_without_lines_is_the_rest(made, lines):
    for text in made:
        left = without("\n".join(text), lines)
        assert left == "\n".join(line for i, line in enumerate(text) if i not in lines)
