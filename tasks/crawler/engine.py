"""引擎 the engine: Scrapy as a downloader (connections, TLS, HTTP, deadlines) under the crawl's own frontier and rules.

Scrapy's scheduler, middlewares, pipelines and extensions stay out: what they do by default is what an archive must not
have done to it (bodies decoded, redirects followed, robots.txt allowed when it answers 500, cookies kept).
"""

from __future__ import annotations

import asyncio
import logging
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import scrapy
from scrapy import signals
from scrapy.crawler import AsyncCrawlerProcess
from scrapy.exceptions import DownloadCancelledError, DownloadFailedError, ResponseDataLossError, StopDownload
from scrapy.http import Headers as ScrapyHeaders
from scrapy.http import Response

from data_contracts.sources import CrawlSource
from tasks.crawler import bodies
from tasks.crawler.archive import Headers
from tasks.crawler.fetching import AnswerTooLarge, Fetched, FetchFailed, Wanted
from tasks.crawler.netguard import AddressBlocked, NetworkGuard

_HANDLER = "tasks.crawler.download_handler.BoundedDownloadHandler"


def request_headers(source: CrawlSource) -> Headers:
    """The headers of every request. The User-Agent says who we are and how to reach us."""
    contact = f" (+{source.contact})" if source.contact else ""
    return [
        ("User-Agent", f"ziliu/0.1{contact}"),
        ("Accept", "text/html,application/xhtml+xml,text/plain;q=0.9,*/*;q=0.5"),
        ("Accept-Language", "zh-CN,zh;q=0.9,en;q=0.5"),
        ("Accept-Encoding", bodies.ACCEPT_ENCODING),
    ]


def _settings(source: CrawlSource, max_requests: int) -> dict[str, Any]:
    return {
        "ADDONS": {},
        "EXTENSIONS_BASE": {},
        "SPIDER_MIDDLEWARES_BASE": {},
        "DOWNLOADER_MIDDLEWARES_BASE": {},
        "STATS_CLASS": "scrapy.statscollectors.DummyStatsCollector",
        "TELNETCONSOLE_ENABLED": False,
        "LOG_LEVEL": "ERROR",
        "DOWNLOAD_HANDLERS_BASE": {},
        "DOWNLOAD_HANDLERS": {"http": _HANDLER, "https": _HANDLER},  # no file, ftp, s3, data
        "DOWNLOAD_VERIFY_CERTIFICATES": True,
        "DOWNLOAD_WARNSIZE": 0,
        "DOWNLOAD_FAIL_ON_DATALOSS": True,
        # When and how much is asked of a host is decided by `politeness`.
        "DOWNLOAD_DELAY": 0,
        "CONCURRENT_REQUESTS": max_requests,
        "CONCURRENT_REQUESTS_PER_DOMAIN": max_requests,
        "TWISTED_DNS_RESOLVER": "scrapy.resolver.CachingHostnameResolver",  # the default one knows IPv4 only
    }


class Downloader:
    """The `Fetch` of a crawl, over a running Scrapy engine."""

    def __init__(self, crawler: Any, sent: Headers, timeout_seconds: float) -> None:
        """`timeout_seconds` is the time from the first packet to the last byte."""
        self._crawler, self._sent, self._timeout = crawler, ScrapyHeaders(dict(sent)), timeout_seconds
        crawler.signals.connect(self._headers_received, signals.headers_received)

    async def __call__(self, wanted: Wanted) -> Fetched:
        """Fetch one URL. Raises FetchFailed, AnswerTooLarge, AddressBlocked."""
        headers = self._sent.copy()
        headers.update(dict(wanted.headers))
        request = scrapy.Request(
            wanted.url,
            headers=headers,
            meta={
                "download_slot": "all",
                "download_timeout": self._timeout,
                "download_maxsize": wanted.max_bytes,
                "any_type": wanted.any_type,
            },
            dont_filter=True,
        )
        try:
            response = await self._crawler.engine.download_async(request)
        except DownloadCancelledError as error:
            raise AnswerTooLarge(f"more than {wanted.max_bytes} bytes") from error
        except asyncio.CancelledError:
            raise
        except Exception as error:
            blocked = _blocked(error)
            if blocked is not None:
                raise blocked from None
            # Scrapy notes the latency when the headers are in; the other errors are about bytes that arrived.
            answered = "download_latency" in request.meta or isinstance(
                error, (DownloadFailedError, ResponseDataLossError)
            )
            raise FetchFailed(f"{type(error).__name__}: {error}"[:300], host_answered=answered) from error
        return _fetched(response, request.meta.get("cut"))

    def _headers_received(self, headers: ScrapyHeaders, body_length: int, request: scrapy.Request, **_: Any) -> None:
        """Stop a download whose headers say that it is no page or too large; the answer itself is still archived."""
        content_type = (headers.get(b"Content-Type") or b"").decode("latin-1")
        if isinstance(body_length, int) and body_length > request.meta["download_maxsize"]:
            request.meta["cut"] = "too_large"
        elif (
            not request.meta["any_type"]
            and bodies.media_type(content_type) not in bodies.PAGE_TYPES | bodies.LIST_TYPES
        ):
            request.meta["cut"] = "not_html"
        else:
            return
        raise StopDownload(fail=False)


def _blocked(error: BaseException | None) -> AddressBlocked | None:
    """The guard's refusal, however deep the engine has wrapped it."""
    while error is not None:
        if isinstance(error, AddressBlocked):
            return error
        error = error.__cause__ or error.__context__
    return None


def _fetched(response: Response, cut: str | None) -> Fetched:
    headers = [
        (key.decode("latin-1"), value.decode("latin-1")) for key, values in response.headers.items() for value in values
    ]
    address = str(response.ip_address) if response.ip_address else None
    return Fetched(response.status, response.protocol or "HTTP/1.1", headers, response.body, address, cut)


class _Spider(scrapy.Spider):
    """What keeps Scrapy's engine open while the crawl runs inside `start`."""

    name = "ziliu"
    guard: NetworkGuard
    work: Callable[[Any], Awaitable[None]]
    ended: list[BaseException | None]

    async def start(self) -> AsyncIterator[Any]:
        from twisted.internet import reactor

        self.guard.install(reactor)
        try:
            await self.work(self.crawler)
        except asyncio.CancelledError:
            raise  # SIGTERM or SIGINT: `ended` stays empty
        except BaseException as error:
            self.ended.append(error)
        else:
            self.ended.append(None)
        return
        yield  # makes this an asynchronous generator, as Scrapy wants it


def run(source: CrawlSource, guard: NetworkGuard, max_requests: int, work: Callable[[Any], Awaitable[None]]) -> bool:
    """Start Scrapy, do `work(crawler)` inside it, and stop. False: ended by a signal. Raises what `work` raised."""
    logging.getLogger("scrapy").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", category=DeprecationWarning, module="twisted")
    ended: list[BaseException | None] = []
    process = AsyncCrawlerProcess(_settings(source, max_requests))
    process.crawl(_Spider, guard=guard, work=work, ended=ended)
    process.start()
    if not ended:
        return False
    if ended[0] is not None:
        raise ended[0]
    return True
