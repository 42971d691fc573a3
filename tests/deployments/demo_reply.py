"""One request to the sample site, without following redirects."""

from __future__ import annotations

import gzip
import http.client
import time
from urllib.parse import quote

from deployments.demo.site_server import DemoSite

BASE = "http://127.0.0.1:8765"


class Reply:
    def __init__(self, response: http.client.HTTPResponse, body: bytes, seconds: float) -> None:
        self.status, self.headers, self.body, self.seconds = response.status, response.headers, body, seconds


def fetch(site: DemoSite, path: str, method: str = "GET", limit: int | None = None, **headers: str) -> Reply:
    """One request without following redirects; the body as the page's author wrote it."""
    started = time.monotonic()
    connection = http.client.HTTPConnection("127.0.0.1", site.port, timeout=10)
    try:
        connection.request(
            method, quote(path, safe="/?=&"), headers={k.replace("_", "-"): v for k, v in headers.items()}
        )
        response = connection.getresponse()
        body = response.read(limit) if limit else response.read()
    finally:
        connection.close()
    if response.headers.get("Content-Encoding") == "gzip":
        body = gzip.decompress(body)
    return Reply(response, body, time.monotonic() - started)
