"""The only way out of a browser: names are resolved here, checked here, and exactly that address is dialled."""

from __future__ import annotations

import asyncio
import socket

import pytest

from tasks.crawler.guard_proxy import GuardProxy
from tasks.crawler.netguard import NetworkGuard


def through(guard, request, resolved=None, monkeypatch=None):
    """Send bytes to the proxy and give what comes back."""

    async def talk():
        proxy = GuardProxy(guard)
        address = await proxy.start()
        if resolved:
            infos = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, 0)) for one in resolved]

            async def look_up(host, port, **_):
                return infos

            monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", look_up)
        reader, writer = await asyncio.open_connection("127.0.0.1", int(address.rsplit(":", 1)[1]))
        writer.write(request)
        answer = await asyncio.wait_for(reader.read(), 10)
        writer.close()
        await proxy.stop()
        return answer

    return asyncio.run(talk())


def test_a_permitted_site_is_reached_and_headers_for_proxies_stay_behind(site):
    site.page("/x", body="here")
    guard = NetworkGuard([f"127.0.0.1/32:{site.port}"])
    head = f"GET http://127.0.0.1:{site.port}/x HTTP/1.1\r\nHost: 127.0.0.1\r\nProxy-Connection: keep-alive\r\n\r\n"
    answer = through(guard, head.encode())
    assert answer.startswith(b"HTTP/1.1 200")
    assert b"here" in answer
    (headers,) = [headers for _, path, headers in site.hits]
    assert "Proxy-Connection" not in headers
    assert headers["Connection"] == "close"


def test_a_tunnel_to_a_permitted_site(site):
    site.page("/x", body="here")
    guard = NetworkGuard([f"127.0.0.1/32:{site.port}"])
    tunnel = f"CONNECT 127.0.0.1:{site.port} HTTP/1.1\r\n\r\n"
    answer = through(guard, tunnel.encode() + b"GET /x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200 Connected\r\n\r\nHTTP/1.1 200")
    assert b"here" in answer


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "2130706433", "0x7f.1"])
@pytest.mark.parametrize("form", ["GET http://{}/x HTTP/1.1\r\n\r\n", "CONNECT {} HTTP/1.1\r\n\r\n"])
def test_everything_else_is_refused_however_it_is_written(other_site, host, form):
    guard = NetworkGuard(["127.0.0.1/32:1"])
    answer = through(guard, form.format(f"{host}:{other_site.port}").encode())
    assert answer.startswith(b"HTTP/1.1 403") or answer == b""  # empty: the name does not resolve
    assert b"200" not in answer
    assert other_site.hits == []


def test_a_name_of_which_one_address_is_not_permitted_is_refused(site, monkeypatch):
    guard = NetworkGuard([f"127.0.0.1/32:{site.port}"])
    head = f"GET http://two.example:{site.port}/x HTTP/1.1\r\n\r\n".encode()
    assert through(guard, head, ["127.0.0.1", "127.0.0.2"], monkeypatch).startswith(b"HTTP/1.1 403")
    assert site.hits == []
    assert through(guard, head, ["127.0.0.1"], monkeypatch).startswith(b"HTTP/1.1 404")


@pytest.mark.parametrize(
    "junk", [b"\r\n\r\n", b"GET\r\n\r\n", b"GET http://a:bc/ HTTP/1.1\r\n\r\n", b"\xff\xfe /x 1\r\n\r\n"]
)
def test_what_is_no_request_ends_the_connection(junk):
    assert through(NetworkGuard(), junk) == b""
