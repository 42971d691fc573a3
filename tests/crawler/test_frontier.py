from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.crawler.frontier import MAX_HOPS, SITEMAP, Frontier, Outcome, Place

A = "http://a.cn"


@pytest.fixture
def frontier(tmp_path):
    made = Frontier(tmp_path / "f.sqlite", max_depth=16)
    yield made
    made.db.close()


def visit(frontier, url, links=(), followed=None):
    """Take the next URL, which must be `url`, and finish it."""
    row = frontier.take(A, 0.0)
    assert row is not None
    assert row.url == A + url
    place = Place(1, 0, "2026-01-01T00:00:00Z")
    target = followed and A + followed
    outcome = Outcome(status=200, location=target, reason="redirected" if target else None)
    return frontier.finish(row, outcome, tuple(A + link for link in links), target, place)


def depths(frontier):
    return {url.removeprefix(A): depth for url, depth in frontier.db.execute("SELECT url, depth FROM url")}


def test_a_url_is_taken_once_sitemaps_first_then_by_depth(frontier):
    assert frontier.add([f"{A}/deep"], depth=2) == {A: 1}
    assert frontier.add([f"{A}/1", f"{A}/2", f"{A}/1"], depth=1) == {A: 2}
    frontier.add([f"{A}/map"], depth=0, kind=SITEMAP)
    assert frontier.add([f"{A}/1"], depth=1) == {}
    taken = [frontier.take(A, 0.0) for _ in range(5)]
    assert [row and row.url.removeprefix(A) for row in taken] == ["/map", "/1", "/2", "/deep", None]


def test_origins_do_not_mix(frontier):
    frontier.add([f"{A}/x", "http://b.cn/y"], depth=0)
    assert frontier.take("http://b.cn", 0.0).url == "http://b.cn/y"
    assert frontier.take("http://b.cn", 0.0) is None


def test_what_is_not_committed_is_as_if_it_had_not_happened(tmp_path):
    path = tmp_path / "f.sqlite"
    first = Frontier(path, 16)
    first.add([f"{A}/"], depth=0)
    first.commit()
    visit(first, "/", ["/x"])
    first.db.close()  # as a kill does: the open transaction is lost
    second = Frontier(path, 16)
    assert depths(second) == {"/": 0}
    assert second.recovered == 0
    visit(second, "/", ["/x"])
    second.commit()
    second.take(A, 0.0)
    second.commit()
    second.db.close()
    third = Frontier(path, 16)
    assert third.recovered == 1  # /x was on its way
    assert third.take(A, 0.0).url == f"{A}/x"
    third.db.close()


def test_two_writers_are_refused(tmp_path, frontier):
    db = sqlite3.connect(tmp_path / "f.sqlite", timeout=0)
    with pytest.raises(sqlite3.OperationalError, match="locked"):
        db.execute("BEGIN IMMEDIATE")
    db.close()


def test_a_retry_waits_for_its_time_and_counts_its_tries(frontier):
    frontier.add([f"{A}/x"], depth=0)
    row = frontier.take(A, 100.0)
    frontier.retry(row, 150.0, "HTTP 503")
    assert frontier.take(A, 149.0) is None
    assert frontier.next_due(A) == 150.0
    assert frontier.take(A, 150.0).tries == 1


def test_giving_up_closes_what_is_queued(frontier):
    frontier.add([f"{A}/x", f"{A}/y", "http://b.cn/"], depth=0)
    assert frontier.give_up(A, "fetch_failed", "dead") == 2
    assert frontier.take(A, 0.0) is None
    assert frontier.take("http://b.cn", 0.0) is not None


def test_a_shorter_path_moves_everything_behind_it(tmp_path):
    frontier = Frontier(tmp_path / "f.sqlite", max_depth=3)
    frontier.add([f"{A}/long", f"{A}/short"], depth=0)
    visit(frontier, "/long", ["/1"])
    row_short = frontier.take(A, 0.0)
    visit(frontier, "/1", ["/2"])
    visit(frontier, "/2", ["/3"])
    visit(frontier, "/3", ["/4"])  # depth 4: beyond the limit
    assert depths(frontier) == {"/long": 0, "/short": 0, "/1": 1, "/2": 2, "/3": 3}
    new = frontier.finish(row_short, Outcome(status=200), (f"{A}/3",), None, None)
    assert depths(frontier)["/3"] == 1
    assert depths(frontier)["/4"] == 2
    assert new == {A: 1}
    frontier.db.close()


def test_redirects_cost_no_depth_but_end(tmp_path):
    frontier = Frontier(tmp_path / "f.sqlite", max_depth=0)
    frontier.add([f"{A}/0"], depth=0)
    for n in range(MAX_HOPS + 1):
        visit(frontier, f"/{n}", followed=f"/{n + 1}")
    assert frontier.take(A, 0.0) is None
    assert frontier.too_deep == 1
    frontier.db.close()


def test_a_redirect_loop_ends_by_itself(frontier):
    frontier.add([f"{A}/a"], depth=0)
    visit(frontier, "/a", followed="/b")
    assert visit(frontier, "/b", followed="/a") == {}


@given(st.data())
def test_depth_is_the_shortest_path_whatever_the_order_of_answers(data):
    pages = range(8)
    graph = {p: data.draw(st.lists(st.sampled_from(pages), max_size=3, unique=True)) for p in pages}
    limit = data.draw(st.integers(0, 5))
    frontier = Frontier(Path(":memory:"), limit)
    frontier.add([f"{A}/0"], depth=0)
    held = []
    while True:
        while (row := frontier.take(A, 0.0)) is not None:
            held.append(row)
        if not held:
            break
        row = held.pop(data.draw(st.integers(0, len(held) - 1)))
        links = tuple(f"{A}/{n}" for n in graph[int(row.url.rsplit("/", 1)[1])])
        frontier.finish(row, Outcome(status=200), links, None, None)
    expected, edge, depth = {0: 0}, [0], 0
    while edge and depth < limit:
        depth += 1
        edge = [n for p in edge for n in graph[p] if n not in expected and expected.setdefault(n, depth) == depth]
    assert depths(frontier) == {f"/{n}": d for n, d in expected.items()}
    frontier.db.close()


def test_robots_and_parking_survive_a_restart(tmp_path):
    frontier = Frontier(tmp_path / "f.sqlite", 1)
    frontier.save_robots(A, 200, b"User-agent: *", 5.0)
    frontier.park(A, 99.0)
    frontier.park(A, 50.0)
    frontier.close()
    again = Frontier(tmp_path / "f.sqlite", 1)
    assert again.saved_robots(A) == (200, b"User-agent: *", 5.0)
    assert again.saved_robots("http://b.cn") is None
    assert again.db.execute("SELECT not_before FROM origin").fetchone() == (99.0,)
    again.close()
