"""Sources with damage, by the command line: the record is quarantined with its error, the rest goes through."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from data_contracts.dataset import KEPT, QUARANTINED
from tasks.store import Store
from tests.e2e import roads, small_sources
from tests.e2e.small_sources import lines, page, some, warc

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]
BIG = 50_000_000  # bytes of one page


def damaged(folder: Path) -> Path:
    """A sound source beside every kind of damage; a config that reads them all."""
    (folder / "half.jsonl.gz").write_bytes(small_sources.half(lines(some(8, 20, 1200))))
    bad = b'{"text": "\xff\xfe\xfa"}\n{"text": "nul \x00 here"}\n{"text": "nul \\u0000 here"}\n{"te\n'
    (folder / "bad.jsonl").write_bytes(bad + lines(some(6, 30)))
    pages = {f"http://example.org/{i}": page(t) for i, t in enumerate(some(6, 40))}
    nul = page(some(1, 46)[0].replace("。", "。\0", 1))
    huge = b"<html><body><p>" + "长".encode() * (BIG // 3) + b"</p></body></html>"
    archive = warc({"http://example.org/huge": huge, "http://example.org/nul": nul, **pages})
    (folder / "torn.warc.gz").write_bytes(archive[:-300])
    sources = [
        {"kind": "jsonl", "name": "half", "path": str(folder / "half.jsonl.gz")},
        {"kind": "jsonl", "name": "bad", "path": str(folder / "bad.jsonl")},
        {"kind": "warc", "name": "torn", "path": str(folder / "torn.warc.gz")},
    ]
    (folder / "sound.jsonl").write_bytes(lines(some(12)))
    sound = {"kind": "jsonl", "name": "sound", "path": str(folder / "sound.jsonl")}
    return small_sources.config(folder, sound, *sources)


def refused(store: Path) -> pl.DataFrame:
    """Everything that was quarantined while reading: source, reason, error."""
    opened = Store(store)
    found = [
        opened.scan(f"{m.stage}/{m.version}", QUARANTINED).select("source", "reason", "error").collect()
        for m in opened.datasets()
        if m.stage.startswith("ingest")
    ]
    return pl.concat(found)


def test_broken_records_are_counted_and_the_rest_goes_through(tmp_path: Path, prefect_url: str):
    path = damaged(tmp_path)
    told = roads.ziliu(
        "corpus", path, "--set", "ingest.max_unreadable_ratio=1", folder=tmp_path / "run", PREFECT_API_URL=prefect_url
    )
    assert told.code == 0, told
    found = refused(tmp_path / "store")
    counted = dict(found.group_by("source").agg(pl.col("reason").sort()).rows())
    assert counted["half"] == ["unreadable"], found
    assert counted["bad"] == ["unreadable"] * 4, found
    assert sorted(counted["torn"]) == ["too_large", "unreadable"], found
    assert "sound" not in counted
    assert found.filter(pl.col("reason") == "unreadable")["error"].null_count() == 0
    corpus = roads.newest(tmp_path / "store", "segment")
    kept = Store(tmp_path / "store").scan(f"segment/{corpus.version}", KEPT).group_by("source").len().collect()
    counts = dict(kept.rows())
    assert counts["sound"] == 12
    assert counts["bad"] == 6
    assert counts["torn"] >= 5
    assert counts["half"] >= 1


def test_too_many_broken_records_stop_the_stage(tmp_path: Path, prefect_url: str):
    told = roads.ziliu("corpus", damaged(tmp_path), folder=tmp_path / "run", PREFECT_API_URL=prefect_url)
    assert told.code == 4, told
    assert "max_unreadable_ratio 0.05" in told.err
    assert "Traceback" not in told.err
    assert not (tmp_path / "store" / "channels").exists(), "something was published"


def test_parquet_of_another_shape_names_the_column(tmp_path: Path, prefect_url: str):
    pl.DataFrame({"body": some(3), "n": [1, 2, 3]}).write_parquet(tmp_path / "other.parquet")
    source = {"kind": "parquet", "name": "other", "path": str(tmp_path / "other.parquet")}
    told = roads.ziliu(
        "corpus", small_sources.config(tmp_path, source), folder=tmp_path / "run", PREFECT_API_URL=prefect_url
    )
    assert told.code in (2, 4), told
    assert "text" in told.err
    assert "Traceback" not in told.err


def test_no_document_left_names_the_stage_and_the_reason_that_took_most(tmp_path: Path, prefect_url: str):
    path = small_sources.plain(tmp_path, clean={"min_chars": 900_000})
    told = roads.ziliu("corpus", path, folder=tmp_path / "run", PREFECT_API_URL=prefect_url)
    assert told.code == 4, told
    assert "no document is left after stage clean" in told.err
    assert "20 of 20 as too_short" in told.err
    assert "Traceback" not in told.err
