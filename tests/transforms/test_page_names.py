"""A selector is left out only where it cannot match, however the page writes its names."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from resiliparse.parse.html import HTMLTree

from tasks.transforms.content_root import ROOTS
from tasks.transforms.page_names import Names, Selectors, page_names

ASKED = (
    "article", ".post-body", "#zoom", ".lemma-summary, .J-lemma-content", '[itemprop="articleBody"]', ".topic .words",
    '[class*="comment"]', '[id*="comment"]', ".Post-body",
)  # fmt: skip
NAMES = ("post-body", "Post-body", "zoom", "J-lemma-content", "topic", "words", "hot-comments", "commentBox", "x")
VALUES = st.lists(st.sampled_from(NAMES), min_size=1, max_size=3)
ATTRIBUTE = st.builds(
    lambda key, equals, quote, names: f"{key}{equals}{quote}{' '.join(names) if quote else names[0]}{quote}",
    st.sampled_from(["class", "id", "CLASS"]),
    st.sampled_from(["=", " = ", "=\n"]),
    st.sampled_from(['"', "'", ""]),
    VALUES,
)
ELEMENT = st.builds(
    lambda tag, attributes, text: f"<{tag} title='a>b' {' '.join(attributes)}>{text}",
    st.sampled_from(["div", "article", "p", "section"]),
    st.lists(ATTRIBUTE, max_size=3),
    st.sampled_from(["文", "class='", "</div>", ""]),
)


@given(st.lists(ELEMENT, max_size=6).map("".join), st.sampled_from(["", "<!DOCTYPE html>"]))
def test_whatever_matches_is_possible(body: str, doctype: str) -> None:
    html = f"{doctype}<html><body>{body}"
    document = HTMLTree.parse(html).document
    matching = [s for s in ASKED if document.query_selector(s)]
    possible = Selectors(*ASKED).possible(page_names(html))
    assert set(matching) <= set(possible)
    assert possible == [s for s in ASKED if s in possible]


def test_what_a_page_does_not_name_is_not_asked_for() -> None:
    plain = Selectors(*ROOTS).possible(page_names("<html><body class='page'><div id='wrap'>文</div>"))
    assert plain == ['[itemprop="articleBody"]', "article", "main", '[role="main"]']
    assert Selectors(*ASKED).possible(page_names("")) == ["article", '[itemprop="articleBody"]']


def test_names_are_read_however_they_are_written() -> None:
    names = page_names("""<p class="a>b 文 c"><p ID = d><p class='e"f'><p class="g&amp;h"><p class=>""")
    assert {"a>b", "文", "c", "d", "ef", "g&h"} <= names.words
    assert page_names("") == Names(frozenset(), "")
