from __future__ import annotations

import gzip
from types import SimpleNamespace

import pytest
from warcio.archiveiterator import ArchiveIterator
from warcio.checker import Checker

from data_contracts.errors import StoreError
from tasks.crawler import archive as archive_module
from tasks.crawler.archive import Archive, Exchange
from tasks.crawler.frontier import Frontier

HEADERS = [
    ("Content-Type", "text/html; charset=gb2312"),
    ("Content-Encoding", "gzip"),
    ("X-Odd", "caf\xe9 中".encode().decode("latin-1")),
]
BODY = gzip.compress("<p>春眠不觉晓</p>".encode("gb18030"))


def exchange(n=0, **changed):
    url = f"http://a.cn/{n}?x=%E4%B8%AD"
    return Exchange(url, [("User-Agent", "ziliu")], 200, "HTTP/1.1", HEADERS, BODY, "127.0.0.1", **changed)


def start(tmp_path):
    frontier = Frontier(tmp_path / "f.sqlite", 16)
    return frontier, Archive(tmp_path / "warc", "site", frontier, "me@example.cn")


def check(*paths):
    assert Checker(SimpleNamespace(inputs=[str(p) for p in paths], verbose=False)).process_all() == 0


def types(path):
    with path.open("rb") as stream:
        return [record.rec_type for record in ArchiveIterator(stream)]


def test_a_response_is_found_at_its_offset_with_its_bytes(tmp_path):
    frontier, archive = start(tmp_path)
    places = [archive.write(exchange(n)) for n in range(3)]
    archive.close()
    frontier.close()
    path = tmp_path / "warc" / "site-00000.warc.gz"
    check(path)
    assert types(path) == ["warcinfo", *["response", "request"] * 3]
    for n, place in enumerate(places):
        with path.open("rb") as stream:
            stream.seek(place.offset)
            record = next(iter(ArchiveIterator(stream)))
            assert record.rec_headers.get_header("WARC-Target-URI") == exchange(n).url
            assert record.rec_headers.get_header("WARC-Date") == place.at
            assert record.rec_headers.get_header("WARC-IP-Address") == "127.0.0.1"
            assert record.http_headers.get_header("Content-Type") == "text/html; charset=gb2312"
            assert record.content_stream().read().decode("gb18030") == "<p>春眠不觉晓</p>"
    assert path.read_bytes()[:2] == b"\x1f\x8b"


def test_nothing_is_a_revisit_and_cut_bodies_say_so(tmp_path):
    frontier, archive = start(tmp_path)
    archive.write(exchange())
    archive.write(exchange(truncated="length"))
    archive.close()
    with (tmp_path / "warc" / "site-00000.warc.gz").open("rb") as stream:
        records = list(ArchiveIterator(stream))
    responses = [r for r in records if r.rec_type == "response"]
    assert [r.rec_headers.get_header("WARC-Truncated") for r in responses] == [None, "length"]
    frontier.close()


def test_a_torn_tail_is_cut_back_to_the_last_commit(tmp_path):
    frontier, archive = start(tmp_path)
    archive.write(exchange(1))
    archive.sync()
    frontier.commit()
    archive.write(exchange(2))  # written, not committed
    archive._file.flush()
    path = tmp_path / "warc" / "site-00000.warc.gz"
    with path.open("ab") as torn:
        torn.write(b"\x1f\x8b half a record")
    frontier.db.close()
    archive._file.close()
    frontier, archive = start(tmp_path)
    assert archive.cut_bytes > 0
    check(path)
    assert types(path) == ["warcinfo", "response", "request"]
    archive.write(exchange(3))
    archive.close()
    frontier.close()
    check(*(tmp_path / "warc").iterdir())
    assert [p.name for p in sorted((tmp_path / "warc").iterdir())] == ["site-00000.warc.gz", "site-00001.warc.gz"]


def test_a_file_that_was_never_committed_is_removed(tmp_path):
    frontier, archive = start(tmp_path)
    archive.write(exchange())
    archive._file.close()
    frontier.db.close()
    frontier, archive = start(tmp_path)
    assert list((tmp_path / "warc").iterdir()) == []
    frontier.close()


@pytest.mark.parametrize("damage", ["missing", "short"])
def test_a_damaged_archive_is_said_at_once(tmp_path, damage):
    frontier, archive = start(tmp_path)
    archive.write(exchange())
    archive.close()
    frontier.close()
    path = tmp_path / "warc" / "site-00000.warc.gz"
    path.unlink() if damage == "missing" else path.write_bytes(path.read_bytes()[:100])
    frontier = Frontier(tmp_path / "f.sqlite", 16)
    with pytest.raises(StoreError, match=r"site-00000\.warc\.gz: missing or shorter"):
        Archive(tmp_path / "warc", "site", frontier, "")
    frontier.close()


def test_files_are_rotated(tmp_path, monkeypatch):
    monkeypatch.setattr(archive_module, "MAX_FILE_BYTES", 1)
    frontier, archive = start(tmp_path)
    places = []
    for n in range(3):
        places.append(archive.write(exchange(n)))
        archive.sync()
        frontier.commit()
    archive.close()
    frontier.close()
    check(*(tmp_path / "warc").iterdir())
    assert [place.archive for place in places] == [1, 2, 3]
