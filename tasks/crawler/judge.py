"""判定 judge: what an answer means for its URL. A pure function, apart from the network and the files."""

from __future__ import annotations

import email.utils
import hashlib
import time
from dataclasses import dataclass

from tasks.crawler import bodies, links, lists
from tasks.crawler.frontier import SITEMAP, Outcome
from tasks.crawler.links import POLICY, Policy

REDIRECTS = frozenset({301, 302, 303, 307, 308})
RETRY_STATUSES = frozenset({408, 425, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524})
MAX_RETRY_AFTER_SECONDS = 3600.0


@dataclass(frozen=True)
class Answer:
    """What came back: the body is as it came over the wire."""

    url: str
    status: int
    body: bytes
    content_type: str | None = None
    content_encoding: str | None = None
    location: bytes | None = None
    robots_tag: str = ""
    cut: str | None = None  # reason why the body was not downloaded: too_large or not_html


def judge(answer: Answer, kind: int, seed: bool, max_bytes: int, policy: Policy = POLICY) -> Outcome:
    """Reason (None for a page worth reading), digest and links of an answer.

    `kind` is what the frontier took the URL for; a seed may turn out to be a sitemap, and what is
    labelled as XML a feed.
    """
    status, content_type = answer.status, answer.content_type
    if status in REDIRECTS and answer.location:
        target = links.location(answer.url, answer.location)
        if target is None or target == answer.url:
            return Outcome(status, content_type, reason="http_error", error=f"redirects to {answer.location[:200]!r}")
        return Outcome(status, content_type, location=target, reason="redirected")
    if answer.cut and status in (200, 203):
        return Outcome(status, content_type, reason=answer.cut)
    try:
        limit = lists.MAX_BYTES if kind == SITEMAP else max_bytes
        body = bodies.undo_content_encoding(answer.body, answer.content_encoding, limit)
    except bodies.BodyTooLarge as error:
        return Outcome(status, content_type, reason="too_large", error=str(error))
    except bodies.BodyUnreadable as error:
        reason = "unreadable" if status in (200, 203) else "http_error"
        return Outcome(status, content_type, reason=reason, error=str(error))
    digest = hashlib.sha256(body).hexdigest() if body else None
    if status not in (200, 203):
        empty = 200 <= status < 300 and not body
        return Outcome(status, content_type, digest, reason="empty_body" if empty else "http_error")
    if not body.strip():
        return Outcome(status, content_type, digest, reason="empty_body")
    sitemaps = kind == SITEMAP or seed
    feeds = policy.feeds and (sitemaps or bodies.media_type(content_type) in bodies.LIST_TYPES)
    if (sitemaps or feeds) and (listed := lists.urls_of(answer.url, body, sitemaps=sitemaps, feeds=feeds)):
        return Outcome(status, content_type, digest, reason="not_html", links=listed[1], links_kind=listed[0])
    if not bodies.is_page(content_type, body) or kind == SITEMAP:
        return Outcome(status, content_type, digest, reason="not_html")
    return _page(answer, body, digest, policy)


def _page(answer: Answer, body: bytes, digest: str | None, policy: Policy) -> Outcome:
    found = links.Links()
    if bodies.is_html(answer.content_type, body):
        found = links.extract(answer.url, body, answer.content_type, policy)
    closed = policy.nofollow and ("nofollow" in answer.robots_tag or "none" in answer.robots_tag)
    elsewhere = "redirected" if found.refresh else "canonical_elsewhere" if found.canonical else None
    return Outcome(
        answer.status,
        answer.content_type,
        digest,
        location=found.refresh or found.canonical,
        reason=elsewhere,
        links=() if closed else found.links,
    )


def retry_after(value: str | None, now: float | None = None) -> float | None:
    """Seconds to wait by a Retry-After header (seconds or an HTTP date), at most an hour; None when it says nothing."""
    if not value:
        return None
    text = value.strip()
    if text.isdecimal():
        seconds = float(text)
    else:
        try:
            seconds = email.utils.parsedate_to_datetime(text).timestamp() - (time.time() if now is None else now)
        except (ValueError, TypeError, OverflowError):
            return None
    return min(max(seconds, 0.0), MAX_RETRY_AFTER_SECONDS)
