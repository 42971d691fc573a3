"""What is readable goes through, what is broken is counted, and nothing depends on where a file lies."""

from __future__ import annotations

import gzip
import json
import random
import shutil
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from data_contracts.config import Place
from data_contracts.dataset import KEPT, QUARANTINED, Dataset, document_id
from data_contracts.errors import ConfigError, NothingLeft, TooManyUnreadable
from data_contracts.schemas import DOCUMENT, EXAMPLE
from data_contracts.sources import JsonLinesSource, ParquetSource, TextSource
from data_contracts.stages import IngestConfig
from tasks.ingest import ingest_examples, ingest_files
from tasks.readers import jsonl
from tasks.readers.found import find
from tasks.store import Store

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


def test_a_source_takes_the_records_it_selects_and_the_others_are_counted(place, tmp_path) -> None:
    records = [{"text": f"第{i}条", "label": i % 3, "spam": i % 2 == 0} for i in range(12)]
    made = read(place, tmp_path / "x.jsonl", lines(*records, {"text": "没有标签"}), where={"label": 1, "spam": True})
    assert [r["text"] for r in frame(place, made)] == ["第4条", "第10条"]
    assert Store(place.store).manifest(made).reasons == {"not_selected": 11}
    pq.write_table(
        pa.Table.from_pylist([{"text": r["text"], "label": str(r["label"])} for r in records]), tmp_path / "x.parquet"
    )
    source = ParquetSource(name="p", licence="CC0", path=str(tmp_path / "x.parquet"), where={"label": 1})
    made, _ = ingest_files.run(source, CFG, place)
    assert [r["text"] for r in frame(place, made)] == ["第1条", "第4条", "第7条", "第10条"]
    assert Store(place.store).manifest(made).reasons == {"not_selected": 8}
    source = source.model_copy(update={"where": {"absent": 1}})
    with pytest.raises((NothingLeft, TooManyUnreadable)):
        ingest_files.run(source, IngestConfig(), place)


def test_examples_are_read_like_files_and_are_no_documents(place, tmp_path) -> None:
    (tmp_path / "x.jsonl").write_bytes(lines({"text": "甲", "title": "题"}, b"{broken\n", {"text": "甲"}))
    source = JsonLinesSource(name="s", licence="CC0", path=str(tmp_path / "x.jsonl"), title_field="title")
    made, _ = ingest_examples.run(source, CFG, place)
    assert made.schema_label == EXAMPLE.label
    assert [r["text"] for r in frame(place, made)] == ["甲"]
    assert Store(place.store).manifest(made).reasons == {"exact_duplicate": 1, "unreadable": 1}


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


def test_schemas_are_kept(place, tmp_path) -> None:
    made = read(place, tmp_path / "x.jsonl", lines({"text": "一"}))
    assert dict(Store(place.store).scan(made).collect_schema()) == DOCUMENT.columns
