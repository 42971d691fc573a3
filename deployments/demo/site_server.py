"""样例站服务 site server: the sample site on loopback, with the headers, delays and failures of the real web.

From Python `with DemoSite() as url: ...`, from a shell `python -m deployments.demo.site_server --port 8765`.
"""

from __future__ import annotations

import argparse
import gzip
import os
import sys
import threading
import time
from collections import Counter
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from urllib.parse import quote, unquote

from data_contracts.errors import ConfigError, ServerError
from deployments.demo.answers import Answer
from deployments.demo.website import DISALLOWED, Website

HOST = "127.0.0.1"
PORT = 8765
PORT_VARIABLE = "ZILIU_DEMO_PORT"
LAST_MODIFIED = "Sun, 01 Feb 2026 00:00:00 GMT"
NOT_FOUND = Answer("<html><body><h1>404</h1><p>您访问的页面不存在。</p></body></html>".encode(), status=404)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True
    website: Website

    def __init__(self, address: tuple[str, int]) -> None:
        super().__init__(address, _Handler)
        self.requests: Counter[str] = Counter()
        self.lock = threading.Lock()

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up in the middle, as crawlers do on oversize pages, is no error."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    server_version = "ziliu-demo"
    sys_version = ""

    def do_GET(self) -> None:
        """Answer with a body."""
        self._respond(with_body=True)

    def do_HEAD(self) -> None:
        """Answer without a body."""
        self._respond(with_body=False)

    def _respond(self, *, with_body: bool) -> None:
        target = unquote(self.path.partition("#")[0])
        with self.server.lock:
            self.server.requests[target] += 1
        answer = self.server.website.answer(target) or NOT_FOUND
        time.sleep(answer.delay_seconds)
        tag = f'"{sha256(answer.body).hexdigest()[:32]}"'
        if answer.status == 200 and self.headers.get("If-None-Match") == tag:
            self._start(304, answer, tag)
            self.end_headers()
            return
        body = answer.body
        zipped = answer.copies == 1 and len(body) > 1000 and "gzip" in self.headers.get("Accept-Encoding", "")
        if zipped:
            body = gzip.compress(body, compresslevel=1, mtime=0)
        self._start(answer.status, answer, tag)
        if zipped:
            self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(body) * answer.copies))
        self.end_headers()
        for _ in range(answer.copies if with_body else 0):
            self.wfile.write(body)

    def _start(self, status: int, answer: Answer, tag: str) -> None:
        self.send_response(status)
        if answer.content_type is not None and status != 304:
            self.send_header("Content-Type", answer.content_type)
        if answer.location is not None:
            self.send_header("Location", quote(answer.location, safe="/?=&:.-_~"))
        if status in (200, 304):
            self.send_header("ETag", tag)
            self.send_header("Last-Modified", LAST_MODIFIED)

    def date_time_string(self, timestamp: float | None = None) -> str:
        """A fixed Date, so that two crawls of the site see the same headers."""
        return LAST_MODIFIED

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing; `DemoSite.requests` counts."""


class DemoSite:
    """The sample site on 127.0.0.1; port 0 takes a free one. ServerError when the port is in use."""

    def __init__(self, port: int | None = None) -> None:
        self.port = chosen_port() if port is None else port

    def start(self) -> str:
        """Bind and serve in a thread; returns the base URL, without a slash at the end."""
        try:
            self._server = _Server((HOST, self.port))
        except OSError as error:
            raise ServerError(
                f"样例站无法使用端口 {self.port}: {error.strerror}; 请停止占用它的程序, 或设置 {PORT_VARIABLE} "
                f"(the sample site cannot listen on {HOST}:{self.port}; stop what uses it or set {PORT_VARIABLE})"
            ) from error
        self.port = self._server.server_address[1]
        self._server.website = Website(f"http://{HOST}:{self.port}")
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()
        return self.website.base

    def stop(self) -> None:
        """Stop serving and free the port."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def website(self) -> Website:
        """The site that is served."""
        return self._server.website

    @property
    def requests(self) -> Counter[str]:
        """How often each path (with its query) was asked for."""
        with self._server.lock:
            return Counter(self._server.requests)

    @property
    def disallowed_requests(self) -> list[str]:
        """Paths asked for although robots.txt closes them; a polite crawler leaves this empty."""
        return sorted(p for p in self.requests if p.startswith(DISALLOWED) or "?print=" in p)

    def __enter__(self) -> str:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def chosen_port() -> int:
    """The port from ZILIU_DEMO_PORT, else 8765; ConfigError when it is no port number."""
    text = os.environ.get(PORT_VARIABLE, str(PORT))
    if not text.isdecimal() or int(text) > 65535:
        raise ConfigError(f"{PORT_VARIABLE}={text!r}: want a port number from 0 to 65535")
    return int(text)


def main(arguments: list[str] | None = None) -> int:
    """Serve until interrupted."""
    parser = argparse.ArgumentParser(description="样例站 (the embedded sample site)")
    parser.add_argument("--port", type=int, default=None, help=f"端口; 默认取 {PORT_VARIABLE} 或 {PORT}")
    site = DemoSite(parser.parse_args(arguments).port)
    try:
        url = site.start()
    except ServerError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    sys.stdout.write(f"{url}/\n")
    sys.stdout.flush()
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        site.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
