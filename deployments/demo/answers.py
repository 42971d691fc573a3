"""应答 answers: what the sample site answers for one URL."""

from __future__ import annotations

from dataclasses import dataclass

HTML_UTF8 = "text/html; charset=utf-8"


@dataclass(frozen=True)
class Answer:
    """One HTTP answer; `copies` sends the body that many times, so that an oversize page needs no memory."""

    body: bytes = b""
    content_type: str | None = HTML_UTF8  # None sends no Content-Type at all
    status: int = 200
    location: str | None = None
    delay_seconds: float = 0.0
    copies: int = 1
