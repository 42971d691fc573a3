"""Boilerplate as a stage: what a site repeats goes and can be asked for; shards change nothing; a new one is cheap."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from data_contracts.boilerplate import BoilerplateConfig
from data_contracts.config import Place
from data_contracts.dataset import EVIDENCE, QUARANTINED, Dataset
from data_contracts.errors import ConservationBroken
from data_contracts.schemas import DOCUMENT
from tasks import boilerplate as stage_module
from tasks import journal, why
from tasks.boilerplate import boilerplate, mark
from tasks.store import Store
from tests.given_documents import deposit, documents, split

CFG = BoilerplateConfig()


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(store=str(tmp_path / "store"), workers=1, name="lines")


def pages(number: int, host: str = "a.example", tail: str = "版权所有 某某网", start: int = 0) -> pl.DataFrame:
    texts = [
        f"第{i}篇的第一段，写的是{host}。\n第二段，{'很' * (i % 7 + 1)}长。\n{tail}"
        for i in range(start, start + number)
    ]
    urls = [f"http://{host}/{i}" for i in range(start, start + number)]
    return documents(texts, source=host.replace(".", "-"), start=start).with_columns(url=pl.Series(urls))


def run(place: Place, shards: list[pl.DataFrame]) -> Dataset:
    return boilerplate.run(deposit(Store(place.store).open(), shards), CFG, place)[0]


def test_what_a_site_repeats_goes_is_counted_and_can_be_asked_for(place: Place) -> None:
    only = pages(1, start=900).with_columns(text=pl.lit("版权所有 某某网"))
    with journal.keep("lines", place):
        made = run(place, [pages(30), pl.concat([pages(10, start=30), only])])
    store = Store(place.store)
    assert (made.rows, made.quarantined) == (40, 1)
    kept = store.scan(made).collect()
    assert dict(kept.schema) == DOCUMENT.columns
    assert not kept["text"].str.contains("版权").any()
    assert store.scan(made, QUARANTINED).collect()["text"].to_list() == ["版权所有 某某网"]
    manifest = store.manifest(made)
    assert manifest.reasons == {"only_boilerplate": 1}
    assert manifest.measures == {"repeated_lines": 1, "most_repeated": {"a.example 版权所有 某某网": 41}}
    measures = [s.measures for s in manifest.shards]
    assert sum(m["removed_chars"] for m in measures) == 40 * len("\n版权所有 某某网")
    assert sum(m["documents_changed"] for m in measures) == 41
    ((_, steps),) = why.explain(store, "http://a.example/3")
    assert (steps[-1].fate, steps[-1].evidence) == ("changed", ({"removed": "版权所有 某某网"},))


def test_shards_and_their_order_change_nothing(place: Place) -> None:
    whole = pl.concat([pages(40), pages(40, host="b.example", tail="下一篇"), pages(9, host="c.example")])
    cuts = ([whole.sort("doc_id")], split(whole, 4), split(whole, 3)[::-1])
    found = [Store(place.store).scan(run(place, shards)).collect().sort("doc_id") for shards in cuts]
    assert found[0].equals(found[1])
    assert found[0].equals(found[2])
    assert found[0].filter(pl.col("text").str.contains("版权|下一篇")).height == 9


def jobs(place: Place) -> set[str]:
    return {p.name for p in Path(place.store).glob("shards/boilerplate/*.json")}


def test_a_new_shard_costs_itself_and_the_hosts_whose_lines_changed(place: Place) -> None:
    first = [pages(30), pages(30, host="b.example", tail="下一篇")]
    run(place, first)
    before = jobs(place)
    run(place, [*first, pages(30, host="c.example")])
    assert len(jobs(place) - before) == 2  # count and mark the new shard
    before = jobs(place)
    more = pages(200, tail="另一行尾巴", start=100)
    changed = run(place, [*first, more])
    assert len(jobs(place) - before) == 2, "what goes from the first shard is the same, though its host has a new line"
    assert [EVIDENCE in s.files for s in Store(place.store).manifest(changed).shards] == [True, True, True]
    before = jobs(place)
    changed = run(place, [*first, pages(300, tail="", start=100)])  # now the line is too rare to be the site's
    assert len(jobs(place) - before) == 3, "count and mark the new shard, mark the first one anew"
    assert [EVIDENCE in s.files for s in Store(place.store).manifest(changed).shards] == [False, True, False]


def test_characters_that_get_lost_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    given = pages(30)
    hosts, lines = stage_module.site_lines.counted(given, CFG)
    gone = stage_module.site_lines.repeated(hosts.lazy(), lines.lazy(), CFG)
    assert mark(given, gone, CFG)["count_removed_lines"].sum() == 30
    real = stage_module.site_lines.without
    monkeypatch.setattr(
        stage_module.site_lines, "without", lambda *a: real(*a).with_columns(text=pl.col("text").str.head(-1))
    )
    with pytest.raises(ConservationBroken, match="characters in"):
        mark(given, gone, CFG)


def test_a_corpus_of_few_pages_is_left_alone(place: Place) -> None:
    given = pages(5).sort("doc_id")
    assert Store(place.store).scan(run(place, [given])).collect()["text"].equals(given["text"])
