"""下载接口 fetching: what the crawl wants of an engine, and how a request can fail. Nothing here knows Scrapy."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from tasks.crawler.archive import Headers
from tasks.crawler.bodies import BodyTooLarge, BodyUnreadable, undo_content_encoding
from tasks.crawler.netguard import AddressBlocked

_CHECKED_BYTES = 16 << 20  # of a decoded body: damage behind that is left to the reader


class FetchFailed(Exception):
    """No usable answer: it may come the next time. `host_answered`: the fault is this URL's, the host is alive."""

    def __init__(self, message: str, *, host_answered: bool = False) -> None:
        super().__init__(message)
        self.host_answered = host_answered


class RenderFailed(Exception):
    """No page came of its scripts; the page as it was fetched stands."""


async def as_fetched(url: str, body: bytes, content_type: str | None) -> bytes | None:
    """The `Render` of a crawl that runs no scripts."""
    return None


class AnswerTooLarge(Exception):
    """The answer was cut off at the size limit; asking again would do the same."""


@dataclass(frozen=True)
class Wanted:
    """What is to be fetched. `headers` go out besides those of every request."""

    url: str
    any_type: bool  # download the body whatever its content type is
    max_bytes: int
    headers: Headers = field(default_factory=list)


@dataclass(frozen=True)
class Fetched:
    """An answer as it came over the wire. `cut` names the reason why its body was left out."""

    status: int
    protocol: str
    headers: Headers
    body: bytes
    address: str | None
    cut: str | None = None

    def header(self, name: str) -> str | None:
        """Value of the first header of that name (any case), bytes mapped to characters one to one."""
        wanted = name.lower()
        return next((value for key, value in self.headers if key.lower() == wanted), None)

    def readable_headers(self) -> Headers:
        """The headers for the archive: a content-encoding that cannot be undone is put under another name.

        The bytes stay as they came; but a WARC reader that met the header would fail on the record.
        """
        encoding = self.header("Content-Encoding")
        if encoding is None:
            return self.headers
        try:
            undo_content_encoding(self.body, encoding, _CHECKED_BYTES)
        except BodyTooLarge:
            return self.headers  # enough of it came out
        except BodyUnreadable:
            renamed = {"content-encoding": "X-Archive-Orig-Content-Encoding"}
            return [(renamed.get(name.lower(), name), value) for name, value in self.headers]
        return self.headers


Fetch = Callable[[Wanted], Awaitable[Fetched]]
# render(url, body, content_type): the document after its scripts, as HTML in UTF-8; None: as it was fetched.
Render = Callable[[str, bytes, str | None], Awaitable[bytes | None]]
FAILURES = (FetchFailed, AnswerTooLarge, AddressBlocked)
