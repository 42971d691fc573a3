"""浏览器 browser: pages as they look after their scripts have run. Off unless a source says `javascript: true`.

The document itself is fetched as always (politely, archived) and handed to Chromium, which asks for scripts and data
only, through the guard's proxy and as far as robots.txt allows. It resolves no names, keeps no cookies between pages,
and leaves the page for no other. What becomes of the page is archived as a `conversion` beside the response.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
from collections.abc import AsyncIterator, Callable
from typing import Any

from data_contracts.errors import ConfigError
from tasks.crawler.fetching import RenderFailed
from tasks.crawler.guard_proxy import GuardProxy
from tasks.crawler.netguard import NetworkGuard

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
PAGES_AT_ONCE = 2
NEEDED = frozenset({"script", "xhr", "fetch"})  # kinds of requests that can change a text
_CLOSING_SECONDS = 5.0
_SWITCHES = (
    "--proxy-bypass-list=<-loopback>",  # without it Chromium goes to loopback addresses directly
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",  # the proxy's own address; names are its business
    "--force-webrtc-ip-handling-policy=disable_non_proxied_udp",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-domain-reliability",
    "--disable-sync",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--no-pings",
    "--js-flags=--max-old-space-size=256",  # MB
)


def chromium() -> str:
    """Path of an installed Chromium. ConfigError says what is missing."""
    try:
        import playwright.async_api  # noqa: F401
    except ImportError as error:
        raise ConfigError("javascript: true needs Playwright; install it with `pip install '.[javascript]'`") from error
    found = next((path for name in PROGRAMS if (path := shutil.which(name))), None)
    if found is None:
        raise ConfigError("javascript: true needs Chromium; install it (Debian: `apt-get install chromium`)")
    return found


class Browser:
    """One Chromium for a crawl, started with its first page and again after it was killed for taking too long."""

    allows: Callable[[str], bool] = staticmethod(lambda url: True)  # what robots.txt says to a URL

    def __init__(self, guard: NetworkGuard, user_agent: str, seconds: float, max_bytes: int) -> None:
        """`seconds`: for the scripts of a page."""
        self._proxy = GuardProxy(guard)
        self._user_agent, self._seconds, self._max_bytes = user_agent, seconds, max_bytes
        self._turns = asyncio.Semaphore(PAGES_AT_ONCE)
        self._starting = asyncio.Lock()
        self._playwright: Any = None
        self._chromium: Any = None
        self._server = ""

    async def render(self, url: str, body: bytes, content_type: str | None) -> bytes:
        """The document after its scripts, as HTML in UTF-8. Raises RenderFailed."""
        async with self._turns:
            others = PAGES_AT_ONCE - 1  # for each of which Chromium may be killed while this page is in it
            while True:
                running = await self._start()
                try:
                    async with asyncio.timeout(self._seconds + _CLOSING_SECONDS):
                        return await self._rendered(running, url, body, content_type)
                except RenderFailed:
                    raise
                except Exception as error:  # Playwright's own, a crash, or a script that never ends
                    for_another = self._chromium is not running
                    if not for_another:
                        await self._kill()
                    if not (for_another and others) or isinstance(error, TimeoutError):
                        raise RenderFailed(f"{type(error).__name__}: {error}"[:300]) from error
                    others -= 1

    async def _start(self) -> Any:
        from playwright.async_api import async_playwright

        async with self._starting:
            if self._playwright is None:
                self._server = await self._proxy.start()
                self._playwright = await async_playwright().start()
            if self._chromium is None or not self._chromium.is_connected():
                self._chromium = await self._playwright.chromium.launch(
                    executable_path=chromium(),
                    args=list(_SWITCHES),
                    proxy={"server": self._server, "bypass": "<-loopback>"},
                    chromium_sandbox=os.geteuid() != 0,  # its sandbox does not start for root
                    handle_sigint=False,
                    handle_sigterm=False,
                    handle_sighup=False,
                )
            return self._chromium

    async def _rendered(self, chromium: Any, url: str, body: bytes, content_type: str | None) -> bytes:
        from playwright.async_api import TimeoutError as TooLong

        async with self._context(chromium) as context:
            await context.route("**/*", lambda route: self._answer(route, url, body, content_type))
            page = await context.new_page()
            with contextlib.suppress(TooLong):  # what is there by then is taken
                await page.goto(url, wait_until="networkidle", timeout=self._seconds * 1000)
            if not page.url.startswith(("http://", "https://")):
                raise RenderFailed(f"it became {page.url[:100]}")
            size = await page.evaluate("document.documentElement ? document.documentElement.outerHTML.length : 0")
            if not 0 < size <= self._max_bytes:
                raise RenderFailed(f"a document of {size} characters after its scripts")
            rendered: str = await page.content()
        return rendered.encode("utf-8", "replace")

    @contextlib.asynccontextmanager
    async def _context(self, chromium: Any) -> AsyncIterator[Any]:
        context = await chromium.new_context(
            user_agent=self._user_agent, locale="zh-CN", service_workers="block", accept_downloads=False
        )
        try:
            yield context
        finally:
            await context.close()

    async def _answer(self, route: Any, url: str, body: bytes, content_type: str | None) -> None:
        """The document from what was fetched, scripts and data from the net, nothing else."""
        request = route.request
        with contextlib.suppress(Exception):  # the page may be gone by now
            if request.is_navigation_request():
                if request.url.partition("#")[0] == url and request.frame.parent_frame is None:
                    await route.fulfill(status=200, body=body, headers={"content-type": content_type or "text/html"})
                else:
                    await route.fulfill(status=204)  # no content: the page stays where it is
            elif request.resource_type in NEEDED and self.allows(request.url):
                await route.continue_()
            else:
                await route.abort()

    async def _kill(self) -> None:
        chromium, self._chromium = self._chromium, None
        with contextlib.suppress(Exception):
            async with asyncio.timeout(_CLOSING_SECONDS):
                await chromium.close()

    async def stop(self) -> None:
        """End Chromium and the proxy."""
        if self._playwright is not None:
            await self._kill()
            await self._playwright.stop()
            await self._proxy.stop()
