"""Two datasets compared: every document is in one move, moves add up, what made the difference is named."""

from __future__ import annotations

import pytest

from data_contracts.config import Place
from data_contracts.errors import DatasetMissing
from data_contracts.stages import DedupConfig, RedactConfig
from deployments import comparing
from deployments.display import screen
from deployments.wording import speak
from tasks import lineage
from tasks.dedup import dedup
from tasks.difference import difference
from tasks.redact import redact
from tasks.store import Store, publish
from tests.given_documents import deposit, documents, split

TEXTS = [f"第{n}篇文章，讲的是{n * 7919}号山上的{n * 104729}棵树，各有各的样子，谁也不像谁。" * 3 for n in range(1, 9)]
PHONED = TEXTS[0][:30] + "联系电话13812345609，欢迎来电。"  # begins like another text and is no near copy of it


@pytest.fixture
def place(tmp_path) -> Place:
    return Place(store=str(tmp_path / "store"), workers=1, name="toy")


def road(place: Place, texts: list[str], redacted: RedactConfig, start: int = 0):
    """given -> redact -> dedup, published as corpus/toy."""
    store = Store(place.store).open()
    given = deposit(store, split(documents(texts, start=start), 2))
    clean, _ = redact.run(given, redacted, place)
    made, _ = dedup.run(clean, DedupConfig(), place)
    return publish(made, "corpus", place)


@pytest.fixture
def two(place) -> Store:
    """Before: a phone number is tagged, one exact copy goes. After: two more texts, one less, the number takes its text."""
    road(place, [*TEXTS[:6], PHONED, TEXTS[1]], RedactConfig())
    road(place, [*TEXTS[1:6], PHONED, TEXTS[1], *TEXTS[6:]], RedactConfig(mode="drop"), start=1)
    return Store(place.store)


def moves(told) -> dict[tuple[str, str, bool], int]:
    counted: dict[tuple[str, str, bool], int] = {}
    for m in told.moves:
        counted[m.before, m.after, m.changed] = counted.get((m.before, m.after, m.changed), 0) + m.documents
    return counted


def test_every_document_has_one_fate_before_and_one_after(two):
    told = difference(two, "corpus/toy~1", "corpus/toy")
    gone = moves(told)
    assert gone[("absent", "kept", False)] == 2
    assert gone[("kept", "absent", False)] == 1
    assert gone[("kept", "redact:personal_data", False)] == 1
    assert sum(n for (before, _, _), n in gone.items() if before == "dedup:exact_duplicate") == 1
    assert sum(gone.values()) == 10
    kept = [sum(n for k, n in gone.items() if k[i] == "kept") for i in (0, 1)]
    assert kept == [told.before.total("rows_kept"), told.after.total("rows_kept")]
    assert sum(m.kept_chars for m in told.moves) == told.after.total("chars") - told.before.total("chars")
    assert told.documents(before="absent") == 2


def test_samples_show_a_document_of_every_move_that_differs(two):
    told = difference(two, "corpus/toy~1", "corpus/toy", samples=1)
    differs = {key for key in moves(told) if key[0] != key[1] or key[2]}
    assert {(s.before, s.after, s.changed) for s in told.samples} == differs
    dropped = next(s for s in told.samples if s.after == "redact:personal_data")
    assert dropped.url == "file:given#6"
    assert dropped.shown.startswith(TEXTS[0][:20])


def test_a_changed_text_shows_where_it_changed(two):
    given, tagged = (lineage.ancestors(two, two.manifest(two.channels()["corpus/toy"]))[i] for i in (1, 0))
    first = lineage.find(two, "redact~1")[0]
    told = difference(two, first.parents[0], f"redact/{first.version}")
    assert moves(told) == {("kept", "kept", False): 7, ("kept", "kept", True): 1}
    (sample,) = told.samples
    assert "[-13812345609-]{+<MOBILE>+}" in sample.shown
    assert given.stage == "given"
    assert tagged.stage == "redact"


def test_what_made_the_difference_is_named(two):
    told = difference(two, "redact~1", "redact")
    assert ("redact", "RedactConfig.mode", "tag", "drop") in {
        (s.stage, s.key, s.before, s.after) for s in told.settings
    }
    assert ("given", "files") in {(s.stage, s.key) for s in told.settings}, "the same code and config read other text"
    assert all(s.stage != "dedup" for s in told.settings)
    same = difference(two, "redact", "redact")
    assert same.settings == ()
    assert all(m.before == m.after and not m.changed for m in same.moves)
    assert same.samples == ()


def test_another_stage_is_named_as_a_whole(two):
    told = difference(two, "redact", "dedup")
    assert [(s.stage, s.key, s.before) for s in told.settings] == [("dedup", "", None)]
    assert told.documents("kept", "dedup:exact_duplicate") == 1


def test_names_lead_back_in_time(two):
    assert lineage.find(two, "dedup~1") == lineage.find(two, "corpus/toy~1")
    assert lineage.find(two, "dedup")[-1] == lineage.find(two, "corpus/toy")[0]
    for name in ("dedup~2", "corpus/toy~9", "nothing~1", "nothing"):
        with pytest.raises(DatasetMissing):
            lineage.find(two, name)


def test_the_command_prints_moves_sources_settings_and_samples(two, capsys):
    speak("en")
    try:
        with screen.capture() as said:
            assert comparing.diff(str(two.root), "redact~1", "redact", samples=2) == 0
    finally:
        speak("zh")
    text = said.get()
    assert "redact personal_data" in text
    assert "RedactConfig.mode" in text
    assert "file:given#6" in text
    assert comparing.diff(str(two.root), "nothing", "redact", samples=2) == 5
