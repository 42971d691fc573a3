"""The traps of the hostile web, each with the outcome that it must have: one table, read line by line by the test.

`expect` is (status, reason) of the trap's first URL, or NO_ROW when its link must never become one. `rows` bounds how many
URLs may come of it, counted by `under`, a prefix of their paths.
"""

from __future__ import annotations

import asyncio
import gzip
import itertools
import zlib
from collections.abc import Iterator
from typing import NamedTuple

from tests.crawler.hostile_site import Answer, HostileWeb, answer, page

NO_ROW = "no row"
OK, REDIRECTED = (200, None), (302, "redirected")
TOO_LARGE, CUT = (200, "too_large"), (None, "too_large")
FAILED, ERROR_302 = (None, "fetch_failed"), (302, "http_error")
BLOCKED = (None, "address_blocked")


class Trap(NamedTuple):
    """`link` is what the front page (or an origin's front page) links to; a URL of another origin begins with http."""

    link: str
    expect: tuple[int | None, str | None] | str
    answer: Answer | None = None
    under: str = ""
    rows: int = 0
    origin: str = "main"


def zeros(megabytes: int, window: int) -> bytes:
    """A compressed bomb."""
    packer = zlib.compressobj(9, zlib.DEFLATED, window)
    return b"".join(packer.compress(bytes(1_000_000)) for _ in range(megabytes)) + packer.flush()


def endless(head: bytes, piece: bytes, pause: float = 0.0, pieces: int = 20_000):
    """Write a head, then pieces until the other side hangs up."""

    async def write(_: str, writer: asyncio.StreamWriter) -> None:
        writer.write(head)
        for _n in range(pieces):
            writer.write(piece)
            await writer.drain()
            if pause:
                await asyncio.sleep(pause)

    return write


async def silent(_: str, writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(60)


async def closed(_: str, writer: asyncio.StreamWriter) -> None:
    writer.close()


async def reset(_: str, writer: asyncio.StreamWriter) -> None:
    writer.write(answer(body=b"half", Content_Length="500"))
    await writer.drain()
    writer.transport.abort()


NOISE = bytes(n * n * 31 % 251 for n in range(400))
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"


def moved(to: str, **headers: str) -> bytes:
    return answer("302 Found", Location=to, **headers)


def bodies() -> Iterator[tuple[str, Trap]]:
    """Bodies without end, bombs, and bytes that are not what their headers say."""
    bomb = zeros(100, 31)
    yield "gzip_bomb", Trap("/bomb/gzip", TOO_LARGE, answer(body=bomb, Content_Encoding="gzip"))
    yield (
        "gzip_bomb_twice",
        Trap("/bomb/2", (200, "unreadable"), answer(body=gzip.compress(bomb), Content_Encoding="gzip, gzip")),
    )
    yield "deflate_bomb", Trap("/bomb/deflate", TOO_LARGE, answer(body=zeros(100, 15), Content_Encoding="deflate"))
    yield "endless_body", Trap("/endless", CUT, endless(HEAD + b"\r\n", b"<p>" + b"x" * 65_536))
    yield "endless_chunks", Trap("/endless-chunks", CUT, endless(CHUNKED, b"10000\r\n" + b"y" * 65_536 + b"\r\n"))
    yield (
        "endless_video",
        Trap("/video", (200, "not_html"), endless(HEAD.replace(b"text/html", b"video/mp4") + b"\r\n", b"v" * 65_536)),
    )
    yield "slow_body", Trap("/slow-body", FAILED, endless(HEAD + b"\r\n", b"a", 0.3))
    yield "length_too_large", Trap("/length-large", TOO_LARGE, answer(body=b"abc", Content_Length="99999999999"))
    yield "length_beyond_body", Trap("/length-short", FAILED, answer(body=b"abc", Content_Length="500"))
    yield "length_negative", Trap("/length-negative", FAILED, answer(body=b"abc", Content_Length="-5"))
    yield "length_no_number", Trap("/length-word", FAILED, answer(body=b"abc", Content_Length="many"))
    yield "chunk_no_number", Trap("/chunk-word", FAILED, CHUNKED + b"ZZZ\r\nabc\r\n")
    yield "chunk_beyond_body", Trap("/chunk-large", FAILED, CHUNKED + b"fffffff\r\nabc\r\n")
    yield "chunk_without_end", Trap("/chunk-open", FAILED, CHUNKED + b"3\r\nabc\r\n")
    yield (
        "gzip_damaged",
        Trap(
            "/gzip-damaged",
            (200, "unreadable"),
            answer(body=gzip.compress(NOISE)[:90] + b"\xff" * 40, Content_Encoding="gzip"),
        ),
    )
    yield (
        "gzip_torn",
        Trap("/gzip-torn", (200, "unreadable"), answer(body=gzip.compress(NOISE)[:-12], Content_Encoding="gzip")),
    )
    yield "gzip_in_name_only", Trap("/gzip-name", OK, answer(body=b"<p>plain", Content_Encoding="gzip"))
    yield (
        "encoding_not_asked_for",
        Trap("/brotli", (200, "unreadable"), answer(body=b"\x0b\x02\x80hi\x03", Content_Encoding="br")),
    )
    yield "program_as_page", Trap("/exe", (200, "not_html"), answer(body=b"MZ\x90\0" * 99))
    yield "pdf_as_page", Trap("/pdf", (200, "not_html"), answer(body=b"%PDF-1.4"))
    yield "program", Trap("/bin", (200, "not_html"), answer(body=b"\0" * 999, content_type="application/octet-stream"))
    yield "no_type_binary", Trap("/untyped", (200, "not_html"), answer(body=b"\0\1\2" * 99, content_type=None))
    yield "nothing", Trap("/nothing", (200, "empty_body"), answer())
    yield "blanks", Trap("/blanks", (200, "empty_body"), answer(body=b" \r\n\t" * 99))
    yield "nul_bytes", Trap("/nul", OK, answer(body=b"<p>\0\0\xff\xfe\0</p>"))


def protocol() -> Iterator[tuple[str, Trap]]:
    """Heads without end, and what is no HTTP."""
    flood = b"".join(b"X-%d: %s\r\n" % (n, b"y" * 4000) for n in range(200))
    yield "header_flood", Trap("/header-flood", FAILED, b"HTTP/1.1 200 OK\r\n" + flood + b"\r\n<p>")
    yield "header_endless", Trap("/header-endless", FAILED, endless(b"HTTP/1.1 200 OK\r\nX: ", b"y" * 65_536))
    yield "informational_endless", Trap("/1xx", FAILED, endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 999))
    yield "slow_head", Trap("/slow-head", FAILED, endless(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n", 0.3))
    yield "silent", Trap("/silent", FAILED, silent)
    yield "closed_at_once", Trap("/closed", FAILED, closed)
    yield "reset", Trap("/reset", FAILED, reset)
    yield "no_status_line", Trap("/http09", FAILED, b"<html>no status line</html>\n")
    yield "status_no_number", Trap("/status-word", FAILED, b"HTTP/1.1 fine OK\r\n\r\n<p>")
    yield "status_999", Trap("/999", (999, "http_error"), answer("999 Denied", b"<p>no"))
    yield "status_206", Trap("/206", (206, "http_error"), answer("206 Partial Content", b"<p>a bit"))
    yield "status_304_unasked", Trap("/304", (304, "http_error"), b"HTTP/1.1 304 Not Modified\r\n\r\n")
    yield "status_401", Trap("/401", (401, "http_error"), answer("401 No", b"<p>", WWW_Authenticate="Basic"))
    yield "status_500", Trap("/500", (500, "http_error"), answer("500 Oops", b"<p>err"))
    yield "busy_for_ever", Trap("/429", (429, "http_error"), answer("429 Slow Down", b"<p>"))


def redirects(web: HostileWeb) -> Iterator[tuple[str, Trap]]:
    """Redirects that lead round, nowhere, or where nothing may be fetched."""
    canary = f"127.0.0.1:{web.canary_port}"
    yield "redirect_to_itself", Trap("/self", ERROR_302, moved("/self"))
    yield "redirect_loop", Trap("/loop1", REDIRECTED, moved("/loop2"), "/loop", 2)
    yield "redirect_chain", Trap("/chain/0", REDIRECTED, None, "/chain/", 11)
    yield "redirect_without_target", Trap("/lost", ERROR_302, answer("302 Found"))
    yield "redirect_to_a_file", Trap("/to-file", ERROR_302, moved("file:///etc/hostname"))
    yield "redirect_to_data", Trap("/to-data", ERROR_302, moved("data:text/html,<p>x"))
    yield "redirect_to_decimal", Trap("/to-decimal", ERROR_302, moved(f"http://2130706433:{web.canary_port}/"))
    yield "redirect_to_canary", Trap("/to-canary", REDIRECTED, moved(f"http://{canary}/from-redirect"))
    yield "behind_redirect_to_canary", Trap(f"http://{canary}/from-redirect", BLOCKED)
    yield "redirect_to_a_name", Trap("/to-name", REDIRECTED, moved(f"http://localhost:{web.canary_port}/named"))
    yield "behind_redirect_to_a_name", Trap(f"http://localhost:{web.canary_port}/named", BLOCKED)
    yield "redirect_in_raw_bytes", Trap("/to-raw", REDIRECTED, moved("/raw?q=中".encode().decode("latin-1")))
    yield "redirect_by_cookie", Trap("/cookie", ERROR_302, moved("/cookie", Set_Cookie="in=1"))
    yield (
        "refresh_loop",
        Trap(
            "/fresh1", (200, "redirected"), page(body='<meta http-equiv=refresh content="0;url=/fresh2">'), "/fresh", 2
        ),
    )
    yield "refresh_to_itself", Trap("/reload", OK, page(body='<meta http-equiv="refresh" content="0;url=/reload">'))
    yield (
        "refresh_to_canary",
        Trap(
            "/refresh-canary",
            (200, "redirected"),
            page(body=f'<meta http-equiv="refresh" content="0;url=http://{canary}/refreshed">'),
        ),
    )
    yield "behind_refresh_to_canary", Trap(f"http://{canary}/refreshed", BLOCKED)
    yield (
        "canonical_is_canary",
        Trap("/canon", OK, page(body=f'<link rel="canonical" href="http://{canary}/canonical">')),
    )


def addresses(web: HostileWeb) -> Iterator[tuple[str, Trap]]:
    """Every way to write the canary's address: refused as a URL, or blocked when it is about to be connected."""
    port = web.canary_port
    yield "address_plain", Trap(f"http://127.0.0.1:{port}/plain", BLOCKED)
    yield "address_other_loopback", Trap(f"http://127.0.0.2:{port}/x", BLOCKED)
    yield "address_ipv6", Trap(f"http://[::1]:{port}/x", BLOCKED)
    yield "address_ipv6_mapped", Trap(f"http://[::ffff:7f00:1]:{port}/x", BLOCKED)
    yield "address_name", Trap(f"http://localhost:{port}/x", BLOCKED)
    yield "address_fullwidth_dots", Trap(f"http://127。0。0。1:{port}/wide", NO_ROW)  # becomes address_plain's host
    for name, host in {
        "decimal": "2130706433", "hex": "0x7f000001", "octal": "0177.0.0.1", "short": "127.1", "hex_parts": "0x7f.0.0.1",
        "fullwidth_hex": "\uff10x7f.1", "leading_zeros": "127.0.0.01", "escaped": "127.0.0.1%00.cn",
    }.items():  # fmt: skip
        yield f"address_{name}", Trap(f"http://{host}:{port}/{name}", NO_ROW)
    yield "address_with_user", Trap(f"http://me:pw@127.0.0.1:{port}/user", NO_ROW)
    for scheme in (
        "ftp://127.0.0.1/x",
        "file:///etc/passwd",
        "gopher://127.0.0.1/x",
        "javascript:alert(1)",
        "data:text/html,x",
    ):
        yield f"scheme_{scheme.partition(':')[0]}", Trap(scheme, NO_ROW)
    yield "base_is_canary", Trap("/base", OK, page("based", body=f'<base href="http://127.0.0.1:{port}/">'))
    yield "behind_base_is_canary", Trap(f"http://127.0.0.1:{port}/based", BLOCKED)
    yield "frame_is_canary", Trap("/frame", OK, page(body=f'<iframe src="http://127.0.0.1:{port}/framed"></iframe>'))
    yield "behind_frame_is_canary", Trap(f"http://127.0.0.1:{port}/framed", BLOCKED)
    yield (
        "feed_of_canary",
        Trap(
            "/feed",
            (200, "not_html"),
            answer(
                body=f"<rss><link>http://127.0.0.1:{port}/fed</link></rss>".encode(), content_type="application/rss+xml"
            ),
        ),
    )
    yield "behind_feed_of_canary", Trap(f"http://127.0.0.1:{port}/fed", BLOCKED)


def spaces() -> Iterator[tuple[str, Trap]]:
    """Sites without end: each may become a bounded number of rows."""
    yield "calendar", Trap("/cal/2026/1/", OK, None, "/cal/", 60)
    yield "same_segments", Trap("/again/a/", OK, None, "/again/", 68)  # words of at most three a and three b
    yield "new_segments", Trap("/deep/0/", OK, None, "/deep/", 20)
    yield "queries", Trap("/search?q=0", OK, None, "/search", 40)
    yield "sessions", Trap("/session", OK, None, "/session", 1)
    yield "facets", Trap("/facet?f0=1", OK, None, "/facet", 40)
    yield "equal_parameters", Trap("/same?p=1", OK, None, "/same", 40)
    yield "escaped_again", Trap("/go?to=/go", OK, None, "/go", 4)
    yield "long_urls", Trap("/long", OK, page("/long/" + "x" * 3000), "/long", 1)
    yield "many_links", Trap("/many", OK, page(*(f"/private/{n}" for n in range(40_000))), "/private/", 20_000)
    yield "disallowed", Trap("/private/0", (None, "robots_disallowed"))
    yield "attributes", Trap("/attributes", OK, answer(body=b"<a " + b"x=y " * 600_000 + b'href="/behind">'))
    yield "nesting", Trap("/nesting", OK, answer(body=b"<div>" * 300_000 + b"<a href=/nested>x"))
    yield "behind_nesting", Trap("/nested", (404, "http_error"))
    yield "comment_without_end", Trap("/comment", OK, answer(body=b"<p>x<!-- " + b"<a href=/in-comment>" * 9999))
    yield "in_comment", Trap("/in-comment", NO_ROW)
    yield "quote_without_end", Trap("/quote", OK, answer(body=b'<p>x<a href="/in-quote>' + b"y" * 99_999))
    yield (
        "sitemap_bomb",
        Trap(
            "/bomb.xml.gz",
            TOO_LARGE,
            answer(body=zeros(100, 31), content_type="application/gzip", Content_Encoding="gzip"),
        ),
    )
    yield "sitemap_index_for_ever", Trap("/maps/0.xml", (200, "not_html"), None, "/maps/", 11)
    yield (
        "sitemap_of_entities",
        Trap(
            "/entities.xml",
            (200, "not_html"),
            answer(
                body=b'<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><urlset><loc>/&b;</loc></urlset>',
                content_type="text/xml",
            ),
        ),
    )


def hosts() -> Iterator[tuple[str, Trap]]:
    """Hosts that are themselves the trap; each is a seed of its own."""
    robots_closed = (None, "robots_disallowed")
    robots = {
        "robots_500": (answer("500 Oops", b"User-agent: *\nAllow: /"), robots_closed),
        "robots_429": (answer("429 Slow", b""), robots_closed),
        "robots_silent": (silent, FAILED),
        "robots_endless": (endless(HEAD + b"\r\n", b"Disallow: /x\n" * 5000), FAILED),
        "robots_bomb": (answer(body=zeros(60, 31), Content_Encoding="gzip"), FAILED),
        "robots_redirect_loop": (moved("/robots.txt"), OK),
        "robots_is_a_page": (page("/x"), OK),
        "robots_odd_delay": (
            answer(body=b"User-agent: *\nCrawl-delay: nan\nCrawl-delay: -1\n", content_type="text/plain"),
            OK,
        ),
        "robots_disallows_all": (
            answer(body=b"User-agent: *\nDisallow: /\n", content_type="text/plain"),
            robots_closed,
        ),
    }
    for name, (served, expect) in robots.items():
        yield name, Trap("/", expect, served, origin=name)
    yield "robots_to_canary", Trap("/", BLOCKED, None, origin="robots_to_canary")
    yield "slow_host", Trap("/", OK, None, "/slow/", 60, "slow_host")
    yield "slow_host_page", Trap("/slow/0", FAILED, None, origin="slow_host")
    yield (
        "left_alone",
        Trap("/", (429, "http_error"), answer("429 Later", b"", Retry_After="99999999"), origin="left_alone"),
    )
    yield "tls_self_signed", Trap("/", FAILED, page(), origin="tls")
    yield "tls_is_plain", Trap("/", FAILED, page(), origin="tls_plain")


ORIGINS = (
    "main", "robots_500", "robots_429", "robots_silent", "robots_endless", "robots_bomb", "robots_redirect_loop",
    "robots_is_a_page", "robots_odd_delay", "robots_disallows_all", "robots_to_canary", "slow_host", "left_alone", "tls",
    "tls_plain",
)  # fmt: skip


def traps(web: HostileWeb) -> dict[str, Trap]:
    """The whole table."""
    return dict(itertools.chain(bodies(), protocol(), redirects(web), addresses(web), spaces(), hosts()))
