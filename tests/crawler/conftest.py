"""Loopback sites made by code, and the crawler run on them as the program that it is."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import hashlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import pytest
from warcio.archiveiterator import ArchiveIterator
from warcio.checker import Checker

from data_contracts.sources import CrawlSource
from tasks.crawler import visits
from tasks.crawler.archive import Archive
from tasks.crawler.crawl import Crawl
from tasks.crawler.fetching import Fetched
from tasks.crawler.frontier import Frontier
from tasks.crawler.scope import Scope

ROOT = Path(__file__).resolve().parents[2]


class Site:
    """A site as a table: path -> (status, headers, body), or a function of the request handler."""

    def __init__(self):
        self.pages = {}
        self.hits = []  # (time, path, headers)
        site = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                site.hits.append((time.time(), self.path, dict(self.headers)))
                page = site.pages.get(self.path, (404, {}, b"<p>404"))
                if callable(page):
                    page = page(self)
                    if page is None:  # it has answered by itself
                        self.close_connection = True
                        return
                status, headers, body = page
                self.send_response(status)
                for name, value in {"Content-Type": "text/html", "Content-Length": str(len(body)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args):
                pass

            def handle(self):
                with contextlib.suppress(OSError):  # the crawler hung up, as it should on bombs
                    super().handle()

        ThreadingHTTPServer.daemon_threads = True
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.handle_error = lambda *args: None
        self.port = self.server.server_port
        self.origin = f"http://127.0.0.1:{self.port}"
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self.thread.start()

    def page(self, path, *links, body="", status=200, **headers):
        """An HTML page that links to other pages."""
        markup = f"<p>{path}{body}" + "".join(f'<a href="{link}">{link}</a>' for link in links)
        self.pages[path] = (status, {name.replace("_", "-"): value for name, value in headers.items()}, markup.encode())

    def asked(self, path):
        """Times at which a path was requested."""
        return [at for at, asked, _ in self.hits if asked == path]

    def close(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join(5)


@pytest.fixture
def site():
    made = Site()
    yield made
    made.close()


@pytest.fixture(scope="module")
def shared_site():
    """One site for all tests of a module that crawl it once."""
    made = Site()
    yield made
    made.close()


@pytest.fixture
def other_site():
    """A second server that nobody allows: what it sees is a leak."""
    made = Site()
    yield made
    made.close()


class Web:
    """Sites in memory: what stands on the other side of the crawl's `Fetch` when no network is wanted."""

    origin = "http://a.cn"

    def __init__(self):
        self.pages = {}  # URL or path of `origin` -> (status, headers, body), or an async function without arguments
        self.hits = []  # (time, path or URL)
        self.sent = {}  # path or URL -> headers of each of its requests, besides the usual ones
        self.now = self.most = 0

    page = Site.page

    def asked(self, path):
        """Times at which a path was requested."""
        return [at for at, asked in self.hits if asked == path]

    async def fetch(self, wanted):
        """The port that the engine implements."""
        path = wanted.url.removeprefix(self.origin)
        self.sent.setdefault(path, []).append(dict(wanted.headers))
        self.hits.append((time.time(), path))
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            await asyncio.sleep(0.002)
            page = self.pages.get(path, (404, {}, b"<p>404"))
            status, headers, body = (await page()) if callable(page) else page
            if "ETag" in headers and dict(wanted.headers).get("If-None-Match") == headers["ETag"]:
                status, headers, body = 304, {"ETag": headers["ETag"]}, b""
        finally:
            self.now -= 1
        return Fetched(status, "HTTP/1.1", list({"Content-Type": "text/html", **headers}.items()), body, None)


class Quick:
    """The crawl over a Web, in this process."""

    def __init__(self, web, folder, previous=None, **fields):
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        settings = {
            "name": "quick",
            "licence": "CC0-1.0",
            "seeds": (f"{web.origin}/",),
            "seconds_between_requests": 0,
            "requests_per_host": 4,
            "backoff_seconds": 0.01,
            "max_tries": 2,
        }
        source = CrawlSource(**(settings | fields))
        before = previous and previous.folder / "frontier.sqlite"
        self.frontier = Frontier(folder / "frontier.sqlite", source.max_depth, before, source.max_queries_per_path)
        archive = Archive(folder / "warc", f"{source.name}-{folder.name}", self.frontier, "")
        self.scope = Scope(source.seeds, source.url_prefixes)
        self.crawl = Crawl(
            source,
            self.scope,
            self.frontier,
            archive,
            web.fetch,
            [("User-Agent", "ziliu")],
            before.parent.name if before else "",
        )
        asyncio.run(asyncio.wait_for(self.crawl.run(), 30))
        archive.close()
        self.visits = list(visits.rows(self.frontier))
        self.by_path = {v["url"].removeprefix(web.origin): v for v in self.visits}
        self.reasons = {path: v["reason"] for path, v in self.by_path.items()}
        self.frontier.close()


@pytest.fixture
def web():
    return Web()


@pytest.fixture
def quick(tmp_path):
    """Crawl a Web and give what came of it."""
    return lambda web, name="quick", **more: Quick(web, tmp_path / name, **more)


class Run:
    """The program over one folder."""

    def __init__(self, site, folder, previous=None, **fields):
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.out = folder, folder / f"{folder.name}-out"
        if previous:  # crawls of one source lie side by side
            self.out = previous.out.parent / self.out.name
        self.config = folder / "config.json"
        source = {
            "name": "test-site",
            "licence": "CC0-1.0",
            **({"seeds": [f"{site.origin}/"], "allow_addresses": [f"127.0.0.1/32:{site.port}"]} if site else {}),
            "seconds_between_requests": 0,
            "requests_per_host": 4,
            "backoff_seconds": 0.05,
            "max_tries": 2,
            "timeout_seconds": 10,
            "contact": "test@example.cn",
        } | fields
        self.source = source
        task = {"source": source, "folder": str(self.out), "previous": previous and str(previous.out)}
        self.config.write_text(json.dumps(task))

    def start(self, **popen):
        return subprocess.Popen(
            [sys.executable, "-m", "tasks.crawler", str(self.config)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=dict(os.environ, PYTHONWARNINGS="default"),
            **popen,
        )

    def __call__(self, timeout=60, **popen):
        process = self.start(**popen)
        try:
            out, err = process.communicate(timeout=timeout)
        finally:
            if process.poll() is None:
                process.kill()
                process.communicate()
        self.events = [json.loads(line) for line in out.splitlines() if line.startswith("{")]
        self.errors = err
        return process.returncode

    def kill_when(self, ready, timeout=60):
        """Start, wait until `ready()`, and kill -9. Gives whether it was still running then."""
        process = self.start()
        until = time.time() + timeout
        while time.time() < until and process.poll() is None and not ready():
            time.sleep(0.03)
        alive = process.poll() is None
        process.send_signal(signal.SIGKILL)
        process.communicate()
        return alive

    @property
    def end(self):
        return json.loads((self.out / "end.json").read_bytes())

    def visits(self):
        with (self.out / "visits.jsonl").open(encoding="utf-8") as lines:
            return [json.loads(line) for line in lines]

    def by_path(self, site):
        """Visits of one site by path."""
        return {v["url"].removeprefix(site.origin): v for v in self.visits() if v["url"].startswith(site.origin)}

    def essence(self):
        """What two crawls of the same site must agree on."""
        keys = ("url", "status", "content_type", "digest", "location", "depth", "reason", "error")
        return [tuple(visit[key] for key in keys) for visit in self.visits()]

    def committed(self):
        """Pages that are safely in the frontier, seen from outside."""
        path = self.out / "frontier.sqlite"
        if not path.exists():
            return 0
        db = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
        try:
            return db.execute("SELECT count(*) FROM url WHERE state = 2").fetchone()[0]
        except sqlite3.OperationalError:
            return 0  # not made yet
        finally:
            db.close()

    def body(self, visit):
        """The decoded body that a visit points at, read through its offset; its digest is checked on the way."""
        (folder,) = (a["folder"] for a in self.end["archives"] if a["name"] == visit["archive"])
        with (self.out.parent / (folder or self.out.name) / "warc" / visit["archive"]).open("rb") as stream:
            stream.seek(visit["offset"])
            record = next(iter(ArchiveIterator(stream)))
            assert record.rec_type == "response"
            assert record.rec_headers.get_header("WARC-Target-URI") == visit["url"]
            body = record.content_stream().read()
        if visit["digest"] is not None:
            assert hashlib.sha256(body).hexdigest() == visit["digest"]
        return body

    def check_archives(self):
        """`warcio check` on all of them, and no page twice in the visits."""
        paths = sorted(str(p) for p in (self.out / "warc").glob("*.warc.gz"))
        assert paths
        assert Checker(SimpleNamespace(inputs=paths, verbose=False)).process_all() == 0
        for path in paths:
            with gzip.open(path) as whole:
                while whole.read(1 << 20):
                    pass
        return paths


@pytest.fixture
def crawl(tmp_path):
    """Make a Run in the test's own folder."""

    def make(site, name="crawl", **fields):
        return Run(site, tmp_path / name, **fields)

    return make


@pytest.fixture(scope="module")
def crawl_once(tmp_path_factory):
    """The same for a whole module."""

    def make(site, **fields):
        return Run(site, tmp_path_factory.mktemp("crawl"), **fields)

    return make
