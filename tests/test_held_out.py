"""The benchmark that scores a site by settings which never saw it (tests/benchmarks/held_out.py)."""

from __future__ import annotations

from tasks.transforms import content_root, main_text, prose_root
from tasks.transforms.page_text import Page, page_text
from tests.benchmarks.held_out import THRESHOLDS, Checked, draws, held_out, names_of_one_site, thresholds, without_names

PROSE = "天地玄黄，宇宙洪荒。日月盈昃，辰宿列张。寒来暑往，秋收冬藏。闰余成岁，律吕调阳。" * 5


def page(site: str, mark: str, kind: str = "gold") -> Checked:
    body = f"<html><body><div>页首，导航。</div><{mark}><p>{PROSE}</p></{mark.split()[0]}></body></html>"
    return Checked(body.encode(), PROSE, site, kind)


PAGES = [page("甲", "div id='artibody'"), page("乙", "article"), page("丙", "article"), page("丁", "b", "silver")]


def found(body: bytes) -> str:
    return page_text(Page(body, None, ""))["text"]


def exactly(wanted: str, text: str) -> float:
    return float(wanted == text)


def test_names_that_one_site_alone_uses_are_found_and_taken_away() -> None:
    alone = names_of_one_site(PAGES)
    assert alone == {"甲": {"#artibody"}}
    with without_names(alone["甲"]):
        assert "#artibody" not in content_root._ROOTS.selectors
        assert "article" in content_root._ROOTS.selectors
    assert "#artibody" in content_root._ROOTS.selectors


def test_settings_are_drawn_set_and_put_back() -> None:
    drawn = draws()
    assert drawn == draws()
    assert all(value in values for s in drawn for value, values in zip(s, THRESHOLDS.values(), strict=True))
    before = [getattr(module, name) for module, name in THRESHOLDS]
    with thresholds(drawn[0]):
        assert tuple(getattr(module, name) for module, name in THRESHOLDS) == drawn[0]
    assert [getattr(module, name) for module, name in THRESHOLDS] == before


def test_a_site_is_scored_by_what_was_best_on_the_others(monkeypatch) -> None:
    """One setting is right for the first site, the other for the other two.

    The first gets what was right for the others, 0; each of the others sees one vote for either: a tie, half.
    """
    monkeypatch.setattr("tests.benchmarks.held_out.THRESHOLDS", {(prose_root, "MIN_MARKS"): (3, 9)})

    def extract(body: bytes) -> str:
        return PROSE if (prose_root.MIN_MARKS > 5) == (body == PAGES[0].body) else ""

    assert held_out(PAGES[:3], extract, exactly) == {"gold": 0.333}
    assert held_out(PAGES, found, exactly).keys() == {"gold", "silver"}
    assert main_text.MIN_MARKS == prose_root.MIN_MARKS == 5
