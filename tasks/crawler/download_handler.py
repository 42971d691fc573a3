"""Scrapy's HTTP/1.1 handler with a limit on response headers, which it lets grow without end (20 MB were accepted)."""

from __future__ import annotations

from typing import Any

from scrapy.core.downloader.handlers.http11 import (
    HTTP11DownloadHandler,
    _LenientHTTP11ClientFactory,
    _LenientHTTP11ClientProtocol,
)
from twisted.web._newclient import HEADER, STATUS

MAX_HEADER_BYTES = 256 * 1024  # browsers stop at 256 KiB


class _BoundedProtocol(_LenientHTTP11ClientProtocol):
    """Counts the bytes of the header section and drops the connection when there are too many."""

    _header_bytes = 0

    def request(self, request: Any) -> Any:
        self._header_bytes = 0
        return super().request(request)

    def dataReceived(self, data: bytes) -> None:
        super().dataReceived(data)  # type: ignore[no-untyped-call]
        parser = self._parser
        if parser is not None and parser.state in (STATUS, HEADER):
            self._header_bytes += len(data)
            if self._header_bytes > MAX_HEADER_BYTES and self.transport is not None:
                self.transport.abortConnection()


class _BoundedFactory(_LenientHTTP11ClientFactory):
    """Builds protocols with the limit."""

    def buildProtocol(self, addr: Any) -> _BoundedProtocol:
        return _BoundedProtocol(self._quiescentCallback)  # type: ignore[no-untyped-call]


class BoundedDownloadHandler(HTTP11DownloadHandler):
    """What `DOWNLOAD_HANDLERS` names for http and https."""

    def __init__(self, crawler: Any) -> None:
        super().__init__(crawler)
        self._pool._factory = _BoundedFactory
