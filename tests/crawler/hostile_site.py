"""A hostile web on loopback: raw sockets, so that answers can be as wrong as they like. Never links beyond this machine.

Every origin is a port of 127.0.0.1 with a table path -> answer; an answer is bytes, or a coroutine that writes by itself.
The canary listens on several loopback addresses and counts connections: whoever connects to it was led astray.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import ipaddress
import ssl
import threading
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

Answer = bytes | Callable[[str, asyncio.StreamWriter], Awaitable[None]]


def answer(status: str = "200 OK", body: bytes = b"", content_type: str | None = "text/html", **headers: str) -> bytes:
    """One whole response; a header that is given replaces the usual one."""
    named = {"Content-Length": str(len(body)), "Connection": "close"}
    named |= {"Content-Type": content_type} if content_type else {}
    named |= {name.replace("_", "-"): value for name, value in headers.items()}
    lines = [f"HTTP/1.1 {status}", *(f"{name}: {value}" for name, value in named.items()), "", ""]
    return "\r\n".join(lines).encode("latin-1") + body


def page(*links: str, body: str = "") -> bytes:
    """An HTML page with links."""
    markup = f"<html><head><title>x</title></head><body>{body}" + "".join(f'<a href="{link}">x</a>' for link in links)
    return answer(body=markup.encode())


class Origin:
    """One port: exact paths first, then the function for everything else."""

    def __init__(self) -> None:
        self.answers: dict[str, Answer] = {}
        self.other: Callable[[str], Answer | None] = lambda path: None
        self.hits: Counter[str] = Counter()
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError):
            head = (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 20)).decode("latin-1")
            path = head.split(" ", 2)[1]
            self.hits[path] += 1
            found = self.answers.get(path) or self.other(path) or answer("404 Not Found", b"<p>404")
            if isinstance(found, bytes):
                writer.write(found)
                await writer.drain()
            else:
                await found(head, writer)
        with contextlib.suppress(OSError):
            writer.close()


class HostileWeb:
    """All origins and the canary, in a thread of their own."""

    def __init__(self, names: tuple[str, ...]) -> None:
        self.origins = {name: Origin() for name in names}
        self.canary_port = 0
        self.leaks: list[str] = []
        self._loop = asyncio.new_event_loop()
        self._servers: list[asyncio.Server] = []
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def start(self, folder: Path) -> None:
        """Bind everything; `folder` takes a certificate for the origin called `tls`."""
        asyncio.run_coroutine_threadsafe(self._start(folder), self._loop).result(20)

    async def _start(self, folder: Path) -> None:
        for name, origin in self.origins.items():
            context = _context(folder) if name == "tls" else None
            server = await asyncio.start_server(origin.serve, "127.0.0.1", 0, ssl=context, limit=1 << 20)
            origin.port = server.sockets[0].getsockname()[1]
            self._servers.append(server)
        for address in ("127.0.0.1", "127.0.0.2", "::1"):
            server = await asyncio.start_server(self._leak, address, self.canary_port)
            self.canary_port = self.canary_port or server.sockets[0].getsockname()[1]
            self._servers.append(server)

    async def _leak(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.leaks.append(f"{writer.get_extra_info('sockname')}")
        writer.close()

    def url(self, name: str, path: str = "") -> str:
        """Address of an origin, without a slash at the end, and a path on it."""
        scheme = "https" if name in ("tls", "tls_plain") else "http"
        return f"{scheme}://127.0.0.1:{self.origins[name].port}{path}"

    def stop(self) -> None:
        async def stop() -> None:
            for server in self._servers:
                server.close()
            left = asyncio.all_tasks() - {asyncio.current_task()}
            for task in left:
                task.cancel()
            await asyncio.gather(*left, return_exceptions=True)

        asyncio.run_coroutine_threadsafe(stop(), self._loop).result(20)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()


def _context(folder: Path) -> ssl.SSLContext:
    """TLS with a certificate that nobody vouches for."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=9))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    secret = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path = folder / "certificate.pem"
    path.write_bytes(certificate.public_bytes(pem) + secret)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return context
