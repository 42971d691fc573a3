"""Small sources for runs that are about something else: a few real texts as JSON lines, WARC and Parquet, and their config."""

from __future__ import annotations

import gzip
import json
import uuid
from collections.abc import Iterable, Mapping
from pathlib import Path

import yaml

from deployments.demo import texts


def some(count: int, start: int = 0, chars: int = 400) -> list[str]:
    """Texts that every rule of the defaults keeps."""
    return [t.text[:chars] for t in texts.archive("classics")[start : start + count]]


def lines(documents: Iterable[str]) -> bytes:
    """One JSON object a line."""
    return b"".join(json.dumps({"text": t}, ensure_ascii=False).encode() + b"\n" for t in documents)


def page(text: str) -> bytes:
    """A web page around a text."""
    body = "".join(f"<p>{part}</p>" for part in text.split("\n"))
    return f"<html><head><meta charset=utf-8><title>页</title></head><body><article>{body}</article></body></html>".encode()


def warc(pages: Mapping[str, bytes]) -> bytes:
    """A WARC file with one response per URL, each a gzip member of its own."""
    return b"".join(gzip.compress(_record(url, body), compresslevel=1) for url, body in pages.items())


def _record(url: str, body: bytes) -> bytes:
    answer = f"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {len(body)}\r\n\r\n"
    block = answer.encode() + body
    headers = {
        "WARC-Type": "response",
        "WARC-Target-URI": url,
        "WARC-Date": "2026-02-01T00:00:00Z",
        "WARC-Record-ID": f"<urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, url)}>",
        "Content-Type": "application/http; msgtype=response",
        "Content-Length": str(len(block)),
    }
    head = "WARC/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in headers.items()) + "\r\n"
    return head.encode() + block + b"\r\n\r\n"


def half(content: bytes) -> bytes:
    """The first half of a gzip file."""
    packed = gzip.compress(content)
    return packed[: len(packed) // 2]


def config(folder: Path, *sources: Mapping[str, object], **sections: object) -> Path:
    """Write a config file; a source is its `kind`, `name` and `path` at least."""
    path = folder / "config.yaml"
    content = {
        "name": "small",
        "store": str(folder / "store"),
        "workers": 1,
        "sources": [{"licence": "CC0-1.0", **s} for s in sources],
        **sections,
    }
    path.write_text(yaml.safe_dump(content, allow_unicode=True, sort_keys=False), encoding="utf-8")
    return path


def plain(folder: Path, count: int = 20, **sections: object) -> Path:
    """A config over one sound JSONL file."""
    (folder / "sound.jsonl").write_bytes(lines(some(count)))
    return config(folder, {"kind": "jsonl", "name": "sound", "path": str(folder / "sound.jsonl")}, **sections)
