"""规范网址 canonical URLs: one spelling per address, and what is no address for a crawler at all.

The canonical URL is both the key of the frontier and the URL that is requested. It follows the WHATWG URL standard
where pages depend on it (backslashes, percent-encoding, query strings in the page's own charset, hosts by UTS 46) and
is stricter where a crawler must be: no user names in links, no IPv4 addresses in decimal, hex or octal disguise.
"""

from __future__ import annotations

import ipaddress
import re
from functools import lru_cache
from urllib.parse import quote, urljoin, urlsplit

import idna

MAX_URL_CHARS = 2000  # longer ones are made by machines for machines
_DEFAULT_PORTS = {"http": 80, "https": 443}
# Nothing to encode, no segment begins with a dot. Possessive (*+): one pass, whatever the path.
_PLAIN_PATH = re.compile(r"/(?:[A-Za-z0-9_~-][A-Za-z0-9_~.-]*+/)*+(?:[A-Za-z0-9_~-][A-Za-z0-9_~.-]*+)?")
_HOST = re.compile(r"(?=.{1,253}$)[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*")
_NUMBER = re.compile(r"(?:0x[0-9a-f]*|[0-9]+)")
_ESCAPE = re.compile(r"%([0-9A-Fa-f]{2})")
_LONE_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_PATH_SAFE = "/%!$&'()*+,;=:@-._~"
_QUERY_SAFE = "/%!$&()*+,;=:@-._~?"
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
_SESSION_PATH = re.compile(
    r";(?:jsessionid|phpsessid)=[^/]*|/\([SXF]\([A-Za-z0-9]{16,}\)\)(?=/)", re.I
)  # Java, PHP, ASP.NET
# Parameters that say who followed a link or when, never what stands on the page.
_TRACKING = re.compile(
    r"(?:utm_\w+|spm|scm|fbclid|gclid|msclkid|yclid|from_source|share_token|share_from|"
    r"jsessionid|phpsessid|sessionid|session_id|sessid|aspsessionid\w*|oscsid|zenid|cfid|cftoken)(?:=|$)"
    # Short names are sessions when their value looks like one; `sid` of six letters and digits is Discuz!.
    r"|(?:sid|s|session|token)=(?:[0-9a-f]{32}|[0-9a-z]{40,})$|sid=(?=[a-z]*[0-9])(?=[0-9]*[a-z])[0-9a-z]{6}$",
    re.I,
)


def canonical(url: str, query_charset: str = "utf-8") -> str | None:
    """The one spelling of an absolute http(s) URL, or None when a crawler must not request it.

    `query_charset` is the charset of the page that holds the link: browsers encode non-ASCII characters of the query
    in it, those of the path always in UTF-8.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    scheme = parts.scheme.lower()
    if scheme not in _DEFAULT_PORTS or "@" in parts.netloc:
        return None
    host = canonical_host(parts.hostname or "")
    if host is None or port == 0:
        return None
    if port is not None and port != _DEFAULT_PORTS[scheme]:
        host = f"{host}:{port}"
    full = f"{scheme}://{host}{_path(parts.path)}"
    if parts.query and (query := _query(parts.query, query_charset)):
        full += f"?{query}"
    return full if len(full) <= MAX_URL_CHARS else None


@lru_cache(maxsize=4096)
def canonical_host(host: str) -> str | None:
    """Lower-case ASCII host, IPv6 in brackets, or None for a host that is no plain name or plain address.

    Full-width digits and dots are folded first (UTS 46), so `0x7f.1` in full-width digits is
    seen as the disguised address it is.
    """
    if "%" in host:
        return None  # an IPv6 zone, or an escape that some client would undo
    if ":" in host:
        try:
            return f"[{ipaddress.IPv6Address(host).compressed}]"
        except ValueError:
            return None
    host = host.rstrip(".").lower()
    if not host.isascii():
        try:
            host = idna.encode(host, uts46=True).decode("ascii")
        except (idna.IDNAError, UnicodeError):
            return None
    if not _HOST.fullmatch(host):
        return None
    if _NUMBER.fullmatch(host.rsplit(".", 1)[-1]):
        try:
            return str(ipaddress.IPv4Address(host))  # four decimal parts without leading zeros, nothing else
        except ValueError:
            return None
    return host


def _escapes(text: str) -> str:
    """Escapes in upper case, unreserved characters unescaped, a lone percent sign escaped."""
    if "%" not in text:
        return text

    def one(found: re.Match[str]) -> str:
        char = chr(int(found[1], 16))
        return char if char in _UNRESERVED else found[0].upper()

    return _ESCAPE.sub(one, _LONE_PERCENT.sub("%25", text))


def _path(path: str) -> str:
    if not path:
        return "/"
    if _PLAIN_PATH.fullmatch(path):
        return path
    path = _escapes(quote(_SESSION_PATH.sub("", path), safe=_PATH_SAFE))
    kept: list[str] = []
    segments = path.split("/")[1:]
    for segment in segments:
        if segment == "..":
            if kept:
                kept.pop()
        elif segment != ".":
            kept.append(segment)
    if segments and segments[-1] in (".", ".."):
        kept.append("")
    return "/" + "/".join(kept)


def _query(query: str, charset: str) -> str:
    """Tracking parameters dropped, the rest sorted by name (equal names keep their order)."""
    if not query.isascii() or not query.isalnum():
        try:
            query = quote(query, safe=_QUERY_SAFE, encoding=charset, errors="strict")
        except (UnicodeEncodeError, LookupError):
            query = quote(query, safe=_QUERY_SAFE)
        query = _escapes(query)
    fields = [field for field in query.split("&") if field and not _TRACKING.match(field)]
    fields.sort(key=lambda field: field.split("=", 1)[0])
    return "&".join(fields)


def join(base: str, link: str, query_charset: str = "utf-8") -> str | None:
    """Canonical URL of a link as it stands in a page at `base`; None for what is no page (mail, scripts, fragments)."""
    link = link.strip(" \t\n\r\f\v\0")
    if "\n" in link or "\t" in link or "\r" in link:
        link = link.translate({9: None, 10: None, 13: None})  # browsers drop them
    if link.startswith("#") or not link:
        return None
    if (scheme := _SCHEME.match(link)) and scheme[1].lower() not in _DEFAULT_PORTS:
        return None
    if "\\" in link:
        head, mark, tail = link.partition("?")
        link = head.replace("\\", "/") + mark + tail
    # A link that is not a bare query resolves alike from every page of a folder: cut the base, and the cache works.
    if link[0] != "?":
        base = base[: base.find("?")] if "?" in base else base
        base = base[: base.rfind("/") + 1]
    return _joined(base, link, query_charset)


@lru_cache(maxsize=1 << 15)
def _joined(base: str, link: str, query_charset: str) -> str | None:
    try:
        whole = link[:8].lower().startswith(("http://", "https://"))
        return canonical(link if whole else urljoin(base, link), query_charset)
    except ValueError:
        return None


def origin_of(url: str) -> str:
    """`scheme://host[:port]` of a canonical URL: what robots.txt and politeness are counted by."""
    return url[: url.index("/", 8)]
