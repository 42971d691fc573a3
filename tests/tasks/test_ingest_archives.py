"""WARC files, whole and torn, and the visits of a crawl become pages; nothing readable is lost."""

from __future__ import annotations

import base64
import gzip
import hashlib
import shutil
import uuid
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from data_contracts.config import Place
from data_contracts.dataset import KEPT, QUARANTINED, Dataset, document_id
from data_contracts.errors import TooManyUnreadable
from data_contracts.schemas import PAGE, VISIT
from data_contracts.sources import JsonLinesSource, WarcSource
from data_contracts.stages import IngestConfig
from tasks import rows
from tasks.ingest import ingest_archives, ingest_visits
from tasks.readers.warc import captures
from tasks.stage import stage
from tasks.store import Store
from tasks.work import Work

CFG = IngestConfig(max_unreadable_ratio=1.0)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(store=str(tmp_path / "store"), workers=1)


def frame(place: Place, dataset: Dataset, which: str = KEPT) -> list[dict[str, Any]]:
    return Store(place.store).scan(dataset, which).collect().to_dicts()


BODY = "<html><body><p>天地玄黄，宇宙洪荒。日月盈昃，辰宿列张。</p></body></html>".encode()
HTML = [("Content-Type", "text/html; charset=utf-8")]


def record(kind: str, url: str, block: bytes, date: str, *more: str) -> bytes:
    digest = base64.b32encode(hashlib.sha1(block).digest()).decode()
    names = [f"WARC-Type: {kind}", f"WARC-Target-URI: {url}", f"WARC-Date: {date}T00:00:00Z", *more]
    names += [f"WARC-Block-Digest: sha1:{digest}", f"WARC-Record-ID: <urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, url)}>"]
    names += ["Content-Type: application/http; msgtype=response", f"Content-Length: {len(block)}"]
    return "\r\n".join(["WARC/1.1", *names, "", ""]).encode() + block + b"\r\n\r\n"


def archive(*pages: tuple[Any, ...], packed: bool = True) -> bytes:
    """Pages are (url, status, headers, body[, date]), or ("revisit", url)."""
    out = [record("warcinfo", "http://crawl/", b"software: test\r\n", "2024-01-01")]
    for url, *rest in pages:
        if url == "revisit":
            out.append(
                record("revisit", rest[0], b"HTTP/1.1 200 OK\r\n\r\n", "2024-02-01", "WARC-Refers-To-Date: 2024-01-01")
            )
            continue
        status, headers, body, *date = rest
        head = "\r\n".join([f"HTTP/1.1 {status} X", *(f"{n}: {v}" for n, v in headers), "", ""]).encode()
        out.append(record("response", url, head + body, *(date or ["2024-01-01"])))
    return b"".join(gzip.compress(r, mtime=0) if packed else r for r in out)


def page(n: int, body: bytes = BODY) -> tuple[Any, ...]:
    return (f"http://a.example/{n}", 200, HTML, body + str(n).encode())


def test_archives_give_pages_and_reasons(place, tmp_path) -> None:
    packed = [*HTML, ("Content-Encoding", "gzip")]
    chunked = [*HTML, ("Transfer-Encoding", "chunked")]
    content = archive(
        page(1),
        ("http://a.example/gzip", 200, packed, gzip.compress(BODY)),
        ("http://a.example/chunked", 200, chunked, b"%x\r\n%s\r\n0\r\n\r\n" % (len(BODY), BODY)),
        ("http://a.example/bomb", 200, packed, gzip.compress(b"x" * 3_000_000)),
        ("http://a.example/torn", 200, packed, gzip.compress(BODY)[:-12]),
        ("http://a.example/old", 301, [("Location", "/1")], b""),
        ("http://a.example/gone", 404, HTML, BODY),
        ("http://a.example/empty", 200, HTML, b" \n"),
        ("http://a.example/pic", 200, [("Content-Type", "image/png")], b"\x89PNG"),
        ("http://a.example/pdf", 200, HTML, b"%PDF-1.4"),
        ("http://a.example/robots.txt", 200, [("Content-Type", "text/plain")], b"User-agent: *"),
        ("revisit", "http://a.example/again"),
        ("dns:a.example", 200, HTML, b"127.0.0.1"),
    )
    path = tmp_path / "x.warc.gz"
    path.write_bytes(content)
    cfg = CFG.model_copy(update={"max_record_bytes": 1_000_000})
    made, _ = ingest_archives.run(WarcSource(name="w", licence="x", path=str(path)), cfg, place)
    kept = {r["url"].rpartition("/")[2]: r for r in frame(place, made)}
    assert {n: r["body"] for n, r in kept.items()} == {"1": BODY + b"1", "gzip": BODY, "chunked": BODY}
    assert kept["1"]["doc_id"] == document_id("w", "http://a.example/1")
    assert kept["1"]["content_type"] == "text/html; charset=utf-8"
    assert path.read_bytes()[kept["gzip"]["offset"] :][:2] == b"\x1f\x8b"
    assert list(Store(place.store).scan(made).collect_schema()) == list(PAGE.columns)
    refused = {r["url"].rpartition("/")[2]: r["reason"] for r in frame(place, made, QUARANTINED)}
    assert refused == {
        "bomb": "too_large", "torn": "unreadable", "old": "redirected", "gone": "http_error", "empty": "empty_body",
        "pic": "not_html", "pdf": "not_html", "robots.txt": "not_html", "again": "exact_duplicate",
    }  # fmt: skip


@pytest.mark.parametrize("packed", [True, False], ids=["gzip", "plain"])
@pytest.mark.parametrize(
    "damage", ["cut in body", "cut in header", "cut at once", "hole", "junk before", "junk behind"]
)
def test_torn_archives_give_every_whole_record(tmp_path, packed: bool, damage: str) -> None:
    content = archive(*(page(n, BODY * 30) for n in range(6)), packed=packed)
    path = tmp_path / "x.warc"
    path.write_bytes(content)
    offsets = [c.offset for c in captures(path, 100_000)]
    lost = {4} if damage == "hole" else {5}
    if damage == "hole":
        content = content[: offsets[4] + 20] + b"#" * 30 + content[offsets[4] + 50 :]
    elif damage.startswith("junk"):
        content = b"junk\n" * 9 + content if damage == "junk before" else content + b"junk\n" * 9
        lost = set()
    else:
        content = content[
            : offsets[5] + {"body": len(content[offsets[5] :]) * 3 // 4, "header": 60, "once": 8}[damage.split()[-1]]
        ]
    path.write_bytes(content)
    found = list(captures(path, 100_000))
    assert [c.url[-1] for c in found if not c.reason] == [str(n) for n in range(6) if n not in lost]
    broken = [c for c in found if c.reason]
    assert [c.reason for c in broken] == ["unreadable"]
    assert broken[0].error


@pytest.mark.parametrize("content", [b"", b"hello", b"\x1f\x8b", b"\x1f\x8b\x08\x00" + b"\0" * 40, b"WARC/1.0\r\n"])
def test_what_is_no_archive_is_one_unreadable_row(tmp_path, content: bytes) -> None:
    (tmp_path / "x.warc").write_bytes(content)
    assert [c.reason for c in captures(tmp_path / "x.warc", 1000)] == ["unreadable"]


def test_the_latest_capture_of_a_url_is_kept(place, tmp_path) -> None:
    for name, date, body in (("a", "2024-01-01", b"old"), ("b", "2024-03-01", b"new"), ("c", "2024-02-01", b"new")):
        content = archive(("http://a.example/", 200, HTML, b"<p>" + body, date), page(ord(name)))
        (tmp_path / f"{name}.warc.gz").write_bytes(content)
    source = WarcSource(name="w", licence="x", path=str(tmp_path / "*.warc.gz"))
    made, _ = ingest_archives.run(source, CFG, place)
    kept = {r["url"]: r["body"] for r in frame(place, made)}
    assert len(kept) == made.rows == 4
    assert kept["http://a.example/"] == b"<p>new"
    refused = sorted((r["fetched_at"][:10], r["reason"]) for r in frame(place, made, QUARANTINED))
    assert refused == [("2024-01-01", "superseded"), ("2024-02-01", "exact_duplicate")]


def test_equal_files_are_read_once_and_names_do_not_matter(place, tmp_path) -> None:
    content = archive(page(1), page(2))
    for name in ("a", "b"):
        (tmp_path / f"{name}.warc.gz").write_bytes(content)
    made, _ = ingest_archives.run(WarcSource(name="w", licence="x", path=str(tmp_path)), CFG, place)
    assert made.rows == 2
    assert made.quarantined == 0


# visits ---------------------------------------------------------------------------------------------------------------


@stage(schema=VISIT)
def visited(cfg: JsonLinesSource, work: Work) -> list[Any]:
    """访问 visited: a crawl of the tests' own: VISIT rows of the WARC file that `path` names."""
    scratch = work.scratch / "x.warc.gz"
    shutil.copy(cfg.path, scratch)
    file = work.store.put_file(scratch)
    found = list(captures(work.store.path(file), 10_000_000))
    table = pl.DataFrame(
        [
            {"doc_id": document_id("c", c.url), "url": c.url, "source": "c", "licence": "x", "status": c.status,
             "content_type": c.content_type, "digest": str(hash(c.body)), "location": None, "depth": 0,
             "fetched_at": c.fetched_at, "checked_at": c.fetched_at, "archive": file.sha256, "offset": c.offset, "reason": c.reason}
            for c in found
        ],
        schema={**VISIT.columns, "reason": pl.String()},
    )  # fmt: skip
    return [rows.shard(rows.Room(work.store, work.scratch), table.sort("doc_id"), VISIT)]


def test_visits_become_pages_that_do_not_depend_on_the_archive(place, tmp_path) -> None:
    versions = []
    for name, order in (("a", (1, 2, 3)), ("b", (3, 1, 2))):
        path = tmp_path / f"{name}.warc.gz"
        path.write_bytes(archive(*(page(n) for n in order), ("http://a.example/no", 404, HTML, BODY)))
        visits, _ = visited.run(JsonLinesSource(name="c", licence="x", path=str(path)), place)
        made, _ = ingest_visits.run(visits, CFG, place)
        versions.append([s.content for s in Store(place.store).manifest(made).shards])
        kept = frame(place, made)
        assert [r["doc_id"] for r in kept] == sorted(r["doc_id"] for r in kept)
        assert {r["url"][-1]: r["body"] for r in kept} == {str(n): BODY + str(n).encode() for n in (1, 2, 3)}
        assert made.quarantined == 0
    assert versions[0] == versions[1]


def test_a_visit_without_its_record_is_unreadable(place, tmp_path) -> None:
    path = tmp_path / "x.warc.gz"
    path.write_bytes(archive(page(1), page(2)))
    visits, _ = visited.run(JsonLinesSource(name="c", licence="x", path=str(path)), place)
    store = Store(place.store)
    archived = store.scan(visits).collect()["archive"][0]
    target = Path(place.store) / "objects" / archived[:2] / archived
    target.write_bytes(target.read_bytes()[: store.scan(visits).collect()["offset"].max() + 9])
    with pytest.raises(TooManyUnreadable, match="1 of 2"):
        ingest_visits.run(visits, IngestConfig(max_unreadable_ratio=0.1), place)
    made, _ = ingest_visits.run(visits, CFG, place)
    assert (made.rows, made.quarantined) == (1, 1)
    assert frame(place, made, QUARANTINED)[0]["error"]
