"""What is readable goes through, what is broken is counted, and nothing depends on where a file lies."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import random
import shutil
import tracemalloc
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from data_contracts.config import Place
from data_contracts.dataset import KEPT, QUARANTINED, Dataset, document_id
from data_contracts.errors import ConfigError, NothingLeft, TooManyUnreadable
from data_contracts.schemas import DOCUMENT, PAGE, VISIT
from data_contracts.sources import JsonLinesSource, ParquetSource, TextSource, WarcSource
from data_contracts.stages import IngestConfig
from tasks import rows
from tasks.ingest import ingest_archives, ingest_files, ingest_visits
from tasks.readers import jsonl
from tasks.readers.found import find
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


def lines(*values: object) -> bytes:
    return b"".join(v if isinstance(v, bytes) else json.dumps(v, ensure_ascii=False).encode() + b"\n" for v in values)


def read(place: Place, path: Path, content: bytes, cfg: IngestConfig = CFG, **fields: Any) -> Dataset:
    path.write_bytes(content)
    return ingest_files.run(JsonLinesSource(name="s", licence="CC0", path=str(path), **fields), cfg, place)[0]


# files ----------------------------------------------------------------------------------------------------------------


def test_every_kind_of_broken_line_is_counted_and_the_rest_goes_through(place, tmp_path) -> None:
    content = lines(
        {"id": "a", "text": "第一行\u2028仍是第一行\u0085", "title": "题"},
        b"{broken\n",
        {"id": "b", "body": "no text"},
        {"id": "c", "text": 7},
        b'{"id": "d", "text": "\xff\xfe"}\n',
        {"id": "e", "text": "nul \0 here"},
        {"text": "no id"},
        {"id": "f", "text": "   "},
        [1, 2],
        b"\n",
        {"id": "g", "text": "长" * 2000},
        {"id": 8, "text": "最后一行", "title": None},
    )
    made = read(
        place,
        tmp_path / "x.jsonl",
        content,
        CFG.model_copy(update={"max_record_bytes": 5000}),
        id_field="id",
        title_field="title",
    )
    kept = frame(place, made)
    assert [(r["url"], r["title"]) for r in kept] == [("file:x.jsonl#1", "题"), ("file:x.jsonl#12", None)]
    assert kept[0]["text"] == "第一行\u2028仍是第一行\u0085"
    assert [r["doc_id"] for r in kept] == [document_id("s", "a"), document_id("s", "8")]
    refused = {r["url"].split("#")[1]: r for r in frame(place, made, QUARANTINED)}
    assert {n: r["reason"] for n, r in refused.items()} == {
        "2": "unreadable", "3": "unreadable", "4": "unreadable", "5": "unreadable", "6": "unreadable",
        "7": "unreadable", "8": "empty_body", "9": "unreadable", "11": "too_large",
    }  # fmt: skip
    assert refused["2"]["text"].startswith("{broken")
    assert "'text'" in refused["3"]["error"]
    assert "body" in refused["3"]["error"]
    assert "int" in refused["4"]["error"]
    assert "NUL at character 4" in refused["6"]["error"]
    assert "'id'" in refused["7"]["error"]
    manifest = Store(place.store).manifest(made)
    assert manifest.total("rows_in") == 11 == manifest.total("rows_kept") + manifest.total("rows_quarantined")


@pytest.mark.parametrize("pack", [lambda b: b, gzip.compress, zstandard.compress], ids=["plain", "gzip", "zstd"])
def test_packing_changes_nothing(place, tmp_path, pack: Callable[[bytes], bytes]) -> None:
    content = lines(*({"text": f"文本{i}" * 50} for i in range(500)))
    two_members = pack(content) + pack(lines({"text": "another member"}))
    path = tmp_path / "x.jsonl"
    path.write_bytes(two_members)
    found = list(jsonl.records(path, JsonLinesSource(name="s", licence="x", path="x"), 10_000))
    assert [r.text for r in found] == [f"文本{i}" * 50 for i in range(500)] + ["another member"]
    assert not any(r.reason for r in found)


def checked_zstd(content: bytes) -> bytes:
    return zstandard.ZstdCompressor(write_checksum=True).compress(content)  # as the command line tool does


@pytest.mark.parametrize("pack", [gzip.compress, checked_zstd], ids=["gzip", "zstd"])
@pytest.mark.parametrize("damage", ["cut", "flipped", "trailing"])
def test_half_a_file_gives_what_is_whole(tmp_path, pack: Callable[[bytes], bytes], damage: str) -> None:
    chance = random.Random(3)
    texts = ["".join(chr(chance.randrange(0x4E00, 0x9FA5)) for _ in range(400)) for _ in range(800)]
    packed = bytearray(pack(lines(*({"text": t} for t in texts))))
    if damage == "cut":
        del packed[len(packed) * 3 // 4 :]
    elif damage == "flipped":
        packed[len(packed) * 3 // 4 : len(packed) * 3 // 4 + 40] = b"\0" * 40
    else:
        packed += b"this is no member"
    path = tmp_path / "x.jsonl"
    path.write_bytes(packed)
    *whole, last = jsonl.records(path, JsonLinesSource(name="s", licence="x", path="x"), 10_000)
    good = [r.text for r in whole if not r.reason]
    assert last.reason == "unreadable"
    assert len(set(good) - set(texts)) <= 1  # what a flipped byte changed is known only at the end of the frame
    assert len(good) >= (800 if damage == "trailing" else 400)
    assert last.error


def test_memory_is_bounded_by_the_record_not_the_file(tmp_path) -> None:
    """60 MB in one line, packed to 60 KB, is counted and passed by."""
    path = tmp_path / "bomb.jsonl.gz"
    with gzip.open(path, "wb", compresslevel=1) as file:
        file.write(lines({"text": "before"}) + b'{"text": "')
        for _ in range(60):
            file.write(b"x" * 1_000_000)
        file.write(b'"}\n' + lines({"text": "after"}))
    tracemalloc.start()
    found = [
        (r.text, r.reason) for r in jsonl.records(path, JsonLinesSource(name="s", licence="x", path="x"), 1_000_000)
    ]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert [reason for _, reason in found] == [None, "too_large", None]
    assert found[2][0] == "after"
    assert peak < 8_000_000


def test_a_big_file_becomes_several_shards_in_order(place, tmp_path) -> None:
    content = lines(*({"text": f"{i:04} " + "字" * 300} for i in range(200)))
    made = read(place, tmp_path / "x.jsonl", content, CFG.model_copy(update={"shard_bytes": 20_000}))
    manifest = Store(place.store).manifest(made)
    assert len(manifest.shards) == 9
    assert [r["text"][:4] for r in frame(place, made)] == [f"{i:04}" for i in range(200)]
    assert manifest.total("text_bytes") == 200 * 905


def test_repeated_ids_are_settled_within_and_across_files(place, tmp_path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "a.jsonl").write_bytes(
        lines({"id": 1, "text": "甲"}, {"id": 2, "text": "乙"}, {"id": 1, "text": "丙"}, {"id": 1, "text": "甲"})
    )
    (folder / "b.jsonl").write_bytes(lines({"id": 2, "text": "乙"}, {"id": 1, "text": "丙"}, {"id": 3, "text": "丁"}))
    source = JsonLinesSource(name="s", licence="CC0", path=str(folder), id_field="id")
    made, _ = ingest_files.run(source, CFG, place)
    kept = frame(place, made)
    assert [(r["url"], r["text"]) for r in kept] == [
        ("file:a.jsonl#1", "甲"), ("file:a.jsonl#2", "乙"), ("file:a.jsonl#3", "丙"), ("file:b.jsonl#3", "丁"),
    ]  # fmt: skip
    assert len({r["doc_id"] for r in kept}) == 4
    assert [r["doc_id"] for r in kept[:2]] == [document_id("s", "1"), document_id("s", "2")]
    refused = frame(place, made, QUARANTINED)
    assert {(r["url"], r["reason"], r["error"]) for r in refused} == {
        ("file:a.jsonl#4", "exact_duplicate", "same id and text as file:a.jsonl#1"),
        ("file:b.jsonl#1", "exact_duplicate", "same id and text as file:a.jsonl#2"),
        ("file:b.jsonl#2", "exact_duplicate", "same id and text as file:a.jsonl#3"),
    }


def test_moving_the_folder_changes_nothing_and_a_new_file_costs_itself(place, tmp_path) -> None:
    folder = tmp_path / "here"
    folder.mkdir()
    for name in "abc":
        (folder / f"{name}.jsonl").write_bytes(lines({"text": name * 20}))
    source = JsonLinesSource(name="s", licence="CC0", path=str(folder / "*.jsonl"))
    first, found = ingest_files.run(source, CFG, place)
    assert not found
    shutil.move(folder, tmp_path / "there")
    moved = source.model_copy(update={"path": str(tmp_path / "there" / "*.jsonl")})
    assert ingest_files.run(moved, CFG, place) == (first, True)
    (tmp_path / "there" / "d.jsonl").write_bytes(lines({"text": "new"}))
    jobs = set((Path(place.store) / "shards" / "ingest_files").iterdir())
    grown, found = ingest_files.run(moved, CFG, place)
    assert not found
    assert grown.rows == 4
    assert len(set((Path(place.store) / "shards" / "ingest_files").iterdir()) - jobs) == 1
    (tmp_path / "there" / "a.jsonl").write_bytes(lines({"text": "changed"}))
    assert ingest_files.run(moved, CFG, place)[0].version not in (first.version, grown.version)


def test_too_many_unreadable_records_stop_the_stage(place, tmp_path) -> None:
    content = lines(*([{"text": "好" * 10 + str(i)} for i in range(18)]), b"x\n", b"y\n")
    assert read(place, tmp_path / "a.jsonl", content, IngestConfig(max_unreadable_ratio=0.1)).rows == 18
    with pytest.raises(TooManyUnreadable, match=r"2 of 20 records.*max_unreadable_ratio 0\.05"):
        read(place, tmp_path / "b.jsonl", content, IngestConfig(max_unreadable_ratio=0.05))
    with pytest.raises(NothingLeft, match="empty_body"):
        read(place, tmp_path / "c.jsonl", lines({"text": ""}))


@pytest.mark.parametrize("path", ["nowhere/x.jsonl", "*.jsonl", "."])
def test_a_missing_source_is_named(tmp_path, path: str) -> None:
    source = JsonLinesSource(name="news", licence="x", path=str(tmp_path / path))
    with pytest.raises(ConfigError, match=f"source news.*{tmp_path}"):
        find(source)


def test_names_are_below_the_fixed_part_of_the_pattern(tmp_path) -> None:
    (tmp_path / "2024" / "05").mkdir(parents=True)
    for name in ("2024/05/b.txt", "2024/a.txt", "2024/c.pdf", "2024/[d].txt"):
        (tmp_path / name).write_bytes(b"x")
    names = [
        [f.name for f in find(TextSource(name="s", licence="x", path=str(tmp_path / p))).files]
        for p in ("2024", "*/*.txt", "2024/**/b.*", "2024/[d].txt")
    ]
    assert names == [["05/b.txt", "[d].txt", "a.txt"], ["2024/[d].txt", "2024/a.txt"], ["05/b.txt"], ["[d].txt"]]


def table(**columns: Any) -> pa.Table:
    return pa.table(columns)


def test_parquet_with_bad_rows(place, tmp_path) -> None:
    bad = pa.Array.from_buffers(
        pa.string(),
        3,
        [
            None,
            pa.py_buffer(b"\0\0\0\0\x03\0\0\0\x05\0\0\0\x08\0\0\0"),
            pa.py_buffer("好".encode() + b"\xff\xfe" + "嗎".encode()),
        ],
    )
    pq.write_table(table(text=bad, id=[1, 2, 3], title=["a", None, "c"]), tmp_path / "x.parquet")
    pq.write_table(
        table(text=pa.array(["有", None, "a\0b", ""], pa.large_string()), id=[4, 5, 6, 7], title=[None] * 4),
        tmp_path / "y.parquet",
    )
    source = ParquetSource(name="p", licence="x", path=str(tmp_path), id_field="id", title_field="title")
    made, _ = ingest_files.run(source, CFG, place)
    assert [(r["url"], r["text"], r["title"]) for r in frame(place, made)] == [
        ("file:x.parquet#1", "好", "a"), ("file:x.parquet#3", "嗎", "c"), ("file:y.parquet#1", "有", None),
    ]  # fmt: skip
    refused = {r["url"]: (r["reason"], r["error"]) for r in frame(place, made, QUARANTINED)}
    assert refused["file:x.parquet#2"][0] == "unreadable"
    assert "not UTF-8" in refused["file:x.parquet#2"][1]
    assert refused["file:y.parquet#2"] == ("unreadable", "null in column 'text'")
    assert refused["file:y.parquet#3"][0] == "unreadable"
    assert refused["file:y.parquet#4"][0] == "empty_body"


def test_parquet_that_is_cut_damaged_or_of_another_schema(place, tmp_path) -> None:
    texts = [f"{i} " + "文" * 200 for i in range(2000)]
    whole = tmp_path / "whole.parquet"
    pq.write_table(table(text=texts), whole, row_group_size=500, compression="zstd")
    content = bytearray(whole.read_bytes())
    (tmp_path / "cut.parquet").write_bytes(content[: len(content) // 2])
    group = pq.ParquetFile(whole).metadata.row_group(1).column(0)
    start = group.dictionary_page_offset or group.data_page_offset
    content[start + 30 : start + 60] = b"\xff" * 30
    (tmp_path / "damaged.parquet").write_bytes(content)
    pq.write_table(table(body=texts), tmp_path / "other.parquet")
    made, _ = ingest_files.run(ParquetSource(name="p", licence="x", path=str(tmp_path)), CFG, place)
    assert made.rows >= 2000
    refused = {r["url"]: r["error"] for r in frame(place, made, QUARANTINED) if r["reason"] == "unreadable"}
    assert refused.keys() == {"file:cut.parquet#file", "file:damaged.parquet#501", "file:other.parquet#file"}
    assert "rows 501 to 1000" in refused["file:damaged.parquet#501"]
    assert "columns: body" in refused["file:other.parquet#file"]


def test_text_files_in_any_encoding(place, tmp_path) -> None:
    folder = tmp_path / "texts"
    (folder / "诗").mkdir(parents=True)
    poem = "床前明月光，疑是地上霜。举头望明月，低头思故乡。春眠不觉晓，处处闻啼鸟。"
    old = "學而時習之，不亦說乎？有朋自遠方來，不亦樂乎？人不知而不慍，不亦君子乎？"
    (folder / "诗" / "李白.txt").write_bytes(poem.encode("gb18030"))
    (folder / "論語.txt").write_bytes(old.encode("big5"))
    (folder / "utf16.txt").write_bytes((poem + "二").encode("utf-16"))
    (folder / "large.txt").write_bytes(b"x" * 3000)
    (folder / "noise.txt").write_bytes(bytes(range(1, 256)) * 4)
    (folder / "empty.txt").write_bytes(b"")
    source = TextSource(name="t", licence="x", path=str(folder))
    made, _ = ingest_files.run(source, CFG.model_copy(update={"max_record_bytes": 2000}), place)
    assert {r["url"]: r["text"] for r in frame(place, made)} == {
        "file:诗/李白.txt": poem, "file:論語.txt": old, "file:utf16.txt": poem + "二",
    }  # fmt: skip
    assert {r["doc_id"] for r in frame(place, made)} == {
        document_id("t", n) for n in ("诗/李白.txt", "論語.txt", "utf16.txt")
    }
    reasons = {r["url"]: r["reason"] for r in frame(place, made, QUARANTINED)}
    assert reasons == {"file:large.txt": "too_large", "file:noise.txt": "undecodable", "file:empty.txt": "empty_body"}


# archives -------------------------------------------------------------------------------------------------------------

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
             "fetched_at": c.fetched_at, "archive": file.sha256, "offset": c.offset, "reason": c.reason}
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


def test_schemas_are_kept(place, tmp_path) -> None:
    made = read(place, tmp_path / "x.jsonl", lines({"text": "一"}))
    assert dict(Store(place.store).scan(made).collect_schema()) == DOCUMENT.columns
