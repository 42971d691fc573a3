"""守门代理 the guard's proxy: a browser's only way out. It resolves a name, checks the address, and dials that one.

A browser resolves names by itself, so checking its URLs would leave rebinding open; behind this proxy it does not.
Plain HTTP requests come with an absolute URL, everything else (TLS, WebSockets) as CONNECT.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from urllib.parse import urlsplit

from tasks.crawler.netguard import AddressBlocked, NetworkGuard

MAX_HEAD_BYTES = 64 * 1024
CONNECT_SECONDS = 10.0
_REFUSED = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
_HOP_BY_HOP = (b"proxy-", b"connection:", b"keep-alive:")


class GuardProxy:
    """An HTTP proxy on a port of 127.0.0.1, for one browser of this process."""

    def __init__(self, guard: NetworkGuard) -> None:
        self._guard = guard
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.Task[None]] = set()

    async def start(self) -> str:
        """Listen; gives the proxy's address."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0, limit=MAX_HEAD_BYTES)
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def stop(self) -> None:
        """Hang up on everybody."""
        if self._server:
            self._server.close()
        for task in self._open:
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        task.add_done_callback(self._open.discard)
        try:
            await self._serve(reader, writer)
        except AddressBlocked:
            writer.write(_REFUSED)
        except (OSError, ValueError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # the browser sees a connection that ends, as it would without a proxy
        finally:
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with asyncio.timeout(CONNECT_SECONDS):
            head = await reader.readuntil(b"\r\n\r\n")
            method, target, version = head.split(b"\r\n", 1)[0].split(b" ")
            parts = urlsplit(f"//{target.decode('ascii')}" if method == b"CONNECT" else target.decode("ascii"))
            port = parts.port or 80
            address = await self._address(parts.hostname or "", port)
            far_reader, far_writer = await asyncio.open_connection(address, port)
        try:
            if method == b"CONNECT":
                writer.write(b"HTTP/1.1 200 Connected\r\n\r\n")
            else:
                path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
                far_writer.write(_for_origin(head, method, path.encode("ascii"), version))
            await asyncio.gather(_copy(reader, far_writer), _copy(far_reader, writer))
        finally:
            far_writer.close()

    async def _address(self, host: str, port: int) -> str:
        """The first address of a name; AddressBlocked unless every address of it is permitted."""
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        addresses = [str(info[4][0]) for info in found]
        for address in addresses:
            self._guard.check(address, port)
        return addresses[0]


def _for_origin(head: bytes, method: bytes, path: bytes, version: bytes) -> bytes:
    """The request as the origin wants it; one request a connection, so that each is checked by itself."""
    kept = [line for line in head.split(b"\r\n")[1:-2] if not line.lower().startswith(_HOP_BY_HOP)]
    return b"\r\n".join([b" ".join((method, path, version)), *kept, b"Connection: close", b"", b""])


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while piece := await reader.read(1 << 16):
            writer.write(piece)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()
