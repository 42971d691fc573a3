"""The demo's road by the command line, with a real Prefect server on embedded PostgreSQL and the real sample site.

The road runs once (fixture `road`, about two minutes on two idle cores); every test asks about what it left behind.
"""

from __future__ import annotations

import json
import re
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from data_contracts.dataset import KEPT, QUARANTINED
from deployments import server
from deployments.demo import verdicts
from deployments.demo.site_server import PORT_VARIABLE
from tasks.store import Store
from tests.e2e import roads
from tests.e2e.conftest import Road

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1200)]

STAGES = (
    "crawl", "ingest", "extract", "boilerplate", "clean", "score", "redact", "dedup", "decontaminate", "segment", "gate",
    "vocab", "encode", "gate", "pretrain", "assess",
)  # fmt: skip
ROW_WISE = ("ingest_visits", "extract", "boilerplate", "clean", "score", "redact", "decontaminate", "segment")
MAX_TASK_RUNS = 60


def report_of(store: Path) -> Path:
    (report,) = [p for p in store.glob("runs/*-everything-*/report.html") if p.parent.name == runs(store)[0]]
    return report


def runs(store: Path) -> list[str]:
    return sorted(p.parent.name for p in store.glob("runs/*-everything-*/stages.json"))


def test_the_table_tells_every_stage_once_and_nothing_was_cached(road: Road):
    told = roads.states(road.first)
    assert [stage for stage, each in told.items() for _ in each] == sorted(STAGES, key=list(told).index), road.first
    assert {state for each in told.values() for state in each} == {"made"}
    assert road.first.err == ""


def test_every_planted_page_ends_as_written_and_no_personal_value_is_left(road: Road):
    ends, texts = roads.ends_of(road.store)
    assert len(texts) > 250
    assert verdicts.faults(road.site.website, ends, texts) == []


def test_nothing_that_robots_txt_closes_was_asked_for(road: Road):
    assert road.disallowed == []


def test_no_row_is_lost_between_or_within_stages(road: Road):
    store = Store(road.store)
    manifests = {f"{m.stage}/{m.version}": m for m in store.datasets()}
    for name, manifest in manifests.items():
        if "@" not in manifest.schema_label:
            continue
        kept, refused = (store.scan(name, which).collect().height for which in (KEPT, QUARANTINED))
        assert (kept, refused) == (manifest.total("rows_kept"), manifest.total("rows_quarantined")), name
        assert kept + refused == manifest.total("rows_in"), name
        if manifest.stage in (*ROW_WISE, "dedup", "encode"):
            given = sum(manifests[p].total("rows_kept") for p in manifest.parents if "@" in manifests[p].schema_label)
            assert manifest.total("rows_in") == given, name


def test_the_model_has_scores_and_three_samples_were_shown(road: Road):
    scores = roads.newest(road.store, "assess").measures
    assert 0 < scores["bits_per_char"] < 20
    assert {"unigram_bits_per_char", "bigram_bits_per_char", "minimal_pairs_accuracy"} <= set(scores)
    assert road.first.out.count("生成样例 sample") == 3
    assert f"{scores['bits_per_char']:.3f}" in road.first.out
    if not scores["better_than_baselines"]:
        assert "does not beat the baselines" in road.first.out


def test_the_report_is_one_file_without_a_remote_address(road: Road):
    report = report_of(road.store)
    assert f"{report.parent.name}/report.html" in road.first.out
    html = report.read_text(encoding="utf-8")
    fetched = re.findall(r"""(?:src|href|xlink:href|action|data)\s*=\s*["']?([^"'\s>]+)|url\(([^)]+)\)""", html)
    remote = [a or b for a, b in fetched if not (a or b).lstrip("'\"").startswith(("#", "data:"))]
    assert remote == []
    assert "@import" not in html
    for stage in set(STAGES) - {"gate"}:
        assert stage in html, f"the report does not tell of {stage}"


@pytest.fixture(scope="module")
def prefect_api(road: Road) -> Iterator[str]:
    """The API of the store's server, started again to ask it what it remembers of the run."""
    with server.start(road.store) as up:
        assert up.database == "postgresql", up.note
        yield up.url


def ask(url: str, path: str, **filters: object) -> list[dict]:
    body = json.dumps(filters).encode()
    request = urllib.request.Request(f"{url}/{path}", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


def test_prefect_remembers_few_task_runs_all_completed(prefect_api: str):
    flow_runs = ask(prefect_api, "flow_runs/filter")
    tasks = ask(prefect_api, "task_runs/filter")
    assert {r["state_name"] for r in flow_runs} == {"Completed"}
    assert len(flow_runs) >= 5
    assert {*STAGES, "ingest_visits"} - {"ingest"} <= {t["name"] for t in tasks}
    # A run of everything is one parent and its four parts; the second run of this session counts for itself.
    assert len(tasks) / len([r for r in flow_runs if r["parent_task_run_id"] is None]) <= MAX_TASK_RUNS
    assert {t["state_type"] for t in tasks} == {"COMPLETED"}


def test_the_second_run_by_ziliu_demo_finds_every_dataset_and_the_checkpoint(road: Road):
    before = roads.versions(road.store)
    trained = roads.newest(road.store, "pretrain").measures["run"]
    log = (road.store / "runs" / trained / "train.log").read_bytes()
    port = str(road.site.port)
    arguments = [a for a in roads.reduced(road.store, road.site.port) if "sources" not in a]
    settings = [a for a in arguments if a != "--set"]
    road.site.stop()  # `ziliu demo` serves the site itself, at the same port
    try:
        second = roads.ziliu(
            "demo", *(p for s in settings for p in ("--set", s)), folder=road.folder / "second", **{PORT_VARIABLE: port}
        )
    finally:
        road.site.start()
    assert second.code == 0, second
    assert {state for each in roads.states(second).values() for state in each} == {"Cached"}, second
    assert sum(map(len, roads.states(second).values())) == len(STAGES)
    assert roads.versions(road.store) == before
    assert (road.store / "runs" / trained / "train.log").read_bytes() == log, "the trainer was started again"


def test_nothing_lives_on_after_a_run(road: Road, prefect_api: str):
    """The keeper that this module's fixture uses is the only process that may name the store."""
    up = json.loads((road.store / "server" / "server.json").read_text(encoding="utf-8"))["pid"]
    strangers = [
        roads.described(p)
        for p in roads.processes_of(road.store)
        if up not in (p.pid, *(parent.pid for parent in p.parents()))
    ]
    assert strangers == []
