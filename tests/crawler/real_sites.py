"""Real Chinese sites of the shared data, each on a port of its own, served as nginx serves files: gzip, ETag, 304."""

from __future__ import annotations

import gzip
import hashlib
import tarfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote

LAST_MODIFIED = "Sun, 01 Feb 2026 00:00:00 GMT"


class Mount(NamedTuple):
    """Where a site's files stand, and the page at which it is entered; both as the data's README has them."""

    root: str
    entry: str


SITES = {
    "w3school-gb2312": Mount("/", "index.html"),
    "libreoffice-help-zh-cn": Mount("/7.4/", "zh-CN/text/swriter/main0000.html"),
    "oi-wiki": Mount("/", "index.html"),
    "blog-lujun9972": Mount("/", "index.html"),
    "webpack-docschina": Mount("/", "api/cli/index.html"),
    "trpl-zh-cn": Mount("/trpl-zh-cn/", "index.html"),
    "debian-handbook-zh-cn": Mount("/doc/manuals/debian-handbook/", "index.html"),
    "blog-vdoing": Mount("/", "index.html"),
    "blog-moxfive": Mount("/", "index.html"),
    "debian-install-zh-cn": Mount("/releases/stable/amd64/", "index.html"),
    "debian-faq-maint-zh-cn": Mount("/d/", "index.zh-cn.html"),
    "debian-reference-zh-cn": Mount("/d/", "debian-reference/index.zh-cn.html"),
}


class Page(NamedTuple):
    """A file, packed once."""

    body: bytes
    packed: bytes
    tag: str


def load(archive: Path, root: str) -> dict[str, Page]:
    """Files of a site by their paths on the server."""
    pages = {}
    with tarfile.open(archive, "r:xz") as tar:
        for member in tar:
            if member.isfile():
                body = tar.extractfile(member).read()
                path = root + member.name.partition("/")[2]
                tag = '"' + hashlib.sha256(body).hexdigest()[:24] + '"'
                pages[path] = Page(body, gzip.compress(body, compresslevel=1, mtime=0), tag)
    for path in [p for p in pages if p.rsplit("/", 1)[1] in ("index.html", "index.asp")]:
        pages.setdefault(path.rsplit("/", 1)[0] + "/", pages[path])
    return pages


class RealSite:
    """One site on a port of 127.0.0.1; looks like a site of the tests to whoever starts a crawl of it."""

    def __init__(self, folder: Path, name: str) -> None:
        self.name, self.mount = name, SITES[name]
        self.pages = load(folder / "web" / f"{name}.tar.xz", self.mount.root)
        site = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                page = site.pages.get(unquote(self.path.partition("?")[0]))
                if page is None:
                    self.answer(404, b"<p>404", {"Content-Type": "text/html"})
                elif self.headers.get("If-None-Match") == page.tag:
                    self.answer(304, b"", {"ETag": page.tag})
                else:
                    headers = {"Content-Type": "text/html", "ETag": page.tag, "Last-Modified": LAST_MODIFIED}
                    self.answer(200, page.packed, headers | {"Content-Encoding": "gzip"})

            def answer(self, status, body, headers):
                lines = [f"HTTP/1.1 {status} X", *(f"{n}: {v}" for n, v in headers.items())]
                lines += [f"Content-Length: {len(body)}"] if status != 304 else []
                self.wfile.write("\r\n".join([*lines, "", ""]).encode() + body)

            def log_message(self, *args):
                pass

        ThreadingHTTPServer.daemon_threads = True
        ThreadingHTTPServer.request_queue_size = 64
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.handle_error = lambda *args: None
        self.port = self.server.server_port
        self.origin = f"http://127.0.0.1:{self.port}"
        self.seed = f"{self.origin}{self.mount.root}{self.mount.entry}"
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self.thread.start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join(5)


def settings(sites) -> dict[str, object]:
    """Fields of a source that crawls these sites."""
    return {
        "seeds": [site.seed for site in sites],
        "allow_addresses": [f"127.0.0.1/32:{site.port}" for site in sites],
        "requests_per_host": 8,
        "recrawl_after_hours": 0,
    }
