# full-width letters are what is tested
from __future__ import annotations

import unicodedata

import numpy as np
import opencc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.transforms.fold import fold, origins

T2S = opencc.OpenCC("t2s")


def keys(texts: list[str], fold_script: bool = True) -> list[str]:
    folded = fold(texts, fold_script)
    whole = folded.codes.astype(np.uint32).tobytes().decode("utf-32-le", "surrogatepass")
    return [whole[a:b] for a, b in zip(folded.offsets[:-1], folded.offsets[1:], strict=True)]


def reference(text: str) -> str:
    """The definition of the key, one character at a time, without opencc."""
    kept = [c for c in unicodedata.normalize("NFKC", text) if unicodedata.category(c)[0] in "LMN"]
    kept = [c for c in kept if not ("\ufe00" <= c <= "\ufe0f" or "\u180b" <= c <= "\u180f")]
    return "".join(c.lower() if len(c.lower()) == 1 else c for c in kept) or text


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("你好，世界！", "你好世界"),
        ("ＡＢＣ１２３ abc", "abc123abc"),
        ("㎡与㈱①", "m2与株1"),  # one character becomes several
        ("cafe\u0301 ﬁn", "caféfin"),  # marks compose, ligatures come apart
        ("省略……——“引”", "省略引"),
        ("裏面與裡麵", "里面与里面"),
        ("乾隆", "干隆"),  # a fold, not a conversion: both scripts of this word have one key
        ("😀\ufe0f 好\u200b\ufeff", "好"),
        ("！！！", "！！！"),  # nothing but punctuation is its own key
        ("", ""),
    ],
)
def test_keys(text, key):
    assert keys([text]) == [key]


def test_script_stays_apart_when_it_is_not_folded():
    assert keys(["臺灣與大陸"], fold_script=False) == ["臺灣與大陸"]


@given(st.lists(st.text(max_size=40), max_size=6))
def test_key_is_what_its_definition_says_and_does_not_depend_on_neighbours(texts):
    assert keys(texts, fold_script=False) == [reference(t) for t in texts]
    assert keys(texts) == [k for t in texts for k in keys([t])]


@given(st.lists(st.text(alphabet="裏面龍龙乾隆後后發发臺台，。ab１", max_size=30), max_size=4))
def test_a_converted_copy_has_the_key_of_its_original(texts):
    assert keys([T2S.convert(t) for t in texts if t]) == keys([t for t in texts if t])


ODD = "cafe\u0301 ﬁ㎡①ｶﾞが\u3099！，\n가\u1161\u11a8가裏面！"


@given(st.one_of(st.text(max_size=30), st.text(alphabet=ODD, max_size=12)))
def test_every_character_of_a_key_comes_from_a_place_of_the_text(text):
    (key,) = keys([text])
    places = origins(text, True).tolist()
    assert len(places) == len(key) + 1
    assert places == sorted(places)
    assert places[-1] == len(text)
    assert all(0 <= place < len(text) for place in places[:-1])


def test_places_lead_back_through_dropped_joined_and_parted_characters():
    text = "，你 好！㎡cafe\u0301。"
    assert keys([text]) == ["你好m2café"]
    assert origins(text, True).tolist() == [1, 3, 5, 5, 6, 7, 8, 9, 12]
    assert origins("！！", True).tolist() == [0, 1, 2]
    assert origins("ｶﾞ\ne\u0301", True).tolist() == [0, 3, 5]  # a line is the smallest piece that adds up
    assert origins("", True).tolist() == [0]
