"""What a person asks a store after a run: show, why, lineage, verify, gc, by the command line."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from data_contracts.dataset import KEPT, QUARANTINED, Shard
from tasks.store import Store
from tests.e2e import roads
from tests.e2e.conftest import Road

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1200)]


def fates(told: str) -> dict[str, str]:
    """stage -> the words after its dataset's name in the answer of `ziliu why`."""
    return dict(re.findall(r"(\w+)/[0-9a-f]{16}\s+(.+)", told))


def test_why_of_a_kept_page_names_every_stage_and_the_warc_record(road: Road):
    told = road.ask("why", road.url("/shici/30.html"))
    assert told.code == 0, told
    found = fates(told.out)
    assert list(found) == [*roads.CORPUS, "encode"], told
    assert "encoded" in found["encode"]
    assert not any("quarantined" in fate for fate in found.values())
    assert re.search(r"archive=[0-9a-f]{20}", told.out)
    assert re.search(r"warc=demo-site-[0-9TZ]+-00000\.warc\.gz", told.out)
    assert "fetched_at=20" in told.out


def test_why_of_a_dropped_page_names_the_rule_and_the_value(road: Road):
    told = road.ask("why", road.url("/zaji/duan-1.html"))
    assert told.code == 0, told
    found = fates(told.out)
    assert list(found)[-1] == "clean", told
    assert "quarantined" in found["clean"]
    assert "too_short" in told.out
    assert re.search(r"\bchars=\d+", told.out), told


def test_why_of_a_duplicate_names_the_page_that_stayed(road: Road):
    told = road.ask("why", road.url("/zaji/fanti-1.html"))
    assert told.code == 0, told
    assert "near_duplicate" in told.out
    (kept,) = re.findall(r"duplicate_of=([0-9a-f]{16})", told.out)
    documents = Store(road.store).scan(f"dedup/{roads.newest(road.store, 'dedup').version}", KEPT)
    (url,) = documents.filter(doc_id=kept).collect()["url"]
    assert url == road.url("/xiaoshuo/4.html")


def test_why_of_a_page_that_robots_txt_closes(road: Road):
    told = road.ask("why", road.url("/neibu/1.html"))
    assert told.code == 0, told
    assert list(fates(told.out)) == ["crawl"]
    assert "robots_disallowed" in told.out


def test_why_of_an_unknown_url_is_an_error(road: Road):
    told = road.ask("why", road.url("/never/heard/of.html"))
    assert told.code == 5, told
    assert "was not seen by" in told.err


def test_lineage_of_the_model_leads_to_the_crawl(road: Road):
    model = roads.newest(road.store, "pretrain")
    for wanted in (model.version, "model/demo", model.measures["run"]):
        told = road.ask("lineage", wanted)
        assert told.code == 0, told
        stages = re.findall(r"(\w+)/[0-9a-f]{16}", told.out)
        assert stages[0] == "pretrain", told
        assert "crawl" in stages, told
        assert "demo-site" in told.out
    assert road.ask("lineage", "nothing-of-the-kind").code == 5


def test_show_lists_quarantined_rows_of_one_reason(road: Road):
    told = road.ask("show", "clean", "--quarantine", "--reason", "too_short", "--samples", "999")
    assert told.code == 0, told
    refused = Store(road.store).scan(f"clean/{roads.newest(road.store, 'clean').version}", QUARANTINED)
    urls = refused.filter(reason="too_short").collect()["url"].to_list()
    assert urls
    shown = re.findall(r"^(\w+) [0-9a-f]{16} (\S+)", told.out, re.MULTILINE)
    assert {reason for reason, _ in shown} == {"too_short"}
    assert {url for _, url in shown} == set(urls)


def test_show_without_a_stage_lists_every_dataset(road: Road):
    told = road.ask("show")
    assert told.code == 0, told
    for manifest in Store(road.store).datasets():
        assert f"{manifest.stage}/{manifest.version}" in told.out
    assert "model/demo" in told.out
    assert road.ask("show", "no_such_stage").code == 5


def test_gc_names_nothing_that_a_channel_or_a_run_refers_to(road: Road):
    told = road.ask("gc", "--dry-run")
    assert told.code == 0, told
    store = Store(road.store)
    alive = set(store.channels().values())
    for path in road.store.glob("runs/*/stages.json"):
        alive |= {s["dataset"] for s in json.loads(path.read_text(encoding="utf-8"))["stages"]}
    assert {name.split("/")[0] for name in alive} >= {"crawl", "segment", "encode", "pretrain", "assess"}
    objects = {f.sha256 for name in alive for s in store.manifest(name).shards for f in s.files.values()}
    for name in [*alive, *objects, *(p.parent.name for p in road.store.glob("runs/*/stages.json"))]:
        assert name not in told.out, f"gc would remove {name}"


def test_verify_is_content_until_one_bit_flips(road: Road):
    fine = road.ask("verify")
    assert fine.code == 0, fine
    store = Store(road.store)
    (shard, *_) = roads.newest(road.store, "clean").shards
    path = store.path(shard.files[KEPT])
    content = path.read_bytes()
    path.chmod(0o644)
    try:
        path.write_bytes(content[:-100] + bytes([content[-100] ^ 4]) + content[-99:])
        damaged = road.ask("verify")
    finally:
        path.write_bytes(content)
        path.chmod(0o444)
    assert damaged.code == 5, damaged
    assert shard.files[KEPT].sha256[:12] in damaged.out
    assert road.ask("verify").code == 0


def test_gc_removes_what_an_edit_left_behind_and_nothing_that_is_used(road: Road, tmp_path: Path):
    """A dataset that no run names goes with its objects; all that the road's run names stays, whole."""
    store = tmp_path / "store"
    shutil.copytree(road.store, store, ignore=shutil.ignore_patterns("server", "tmp", "locks"))
    opened = Store(store)
    used = {f"{m.stage}/{m.version}" for m in opened.datasets()}
    orphan = opened.manifest(f"clean/{roads.newest(store, 'clean').version}").model_copy(update={"version": "0" * 16})
    unused = opened.put_bytes(b"nobody needs this")
    opened.commit(orphan.model_copy(update={"shards": [Shard(content="x", files={KEPT: unused})]}))
    told = roads.ziliu("gc", "--store", store, folder=tmp_path / "gc")
    assert told.code == 0, told
    assert not opened.path(unused).exists()
    assert {f"{m.stage}/{m.version}" for m in opened.datasets()} == used
    assert roads.ziliu("verify", "--store", store, folder=tmp_path / "verify").code == 0
