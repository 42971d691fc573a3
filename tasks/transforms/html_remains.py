"""网页残留 html_remains: entities and tags that an extractor or an old dump left in plain text.

Safe means: a text that speaks about HTML or code keeps it. Entities are always decoded. Tags are removed only where the
text holds no other markup than the stray tags listed here: one <script>, one List<String> or a fence of code, and
nothing is removed. `remove` is idempotent: it returns a fixed point, or, for input made to defeat it, its input.
"""

from __future__ import annotations

import html
import re
import unicodedata

from tasks.transforms.characters import FOLDED

ENTITY = r"&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});"
TAG = r"</?[A-Za-z!][^<>\n]*>|<!--"
_AMPERSANDS = re.compile(r"&(?:(?:amp|#0{0,4}38|#[xX]0{0,4}26);)+")
_ENTITY = re.compile(ENTITY)
_STRAY = (
    r"(?:br|BR|p|P|div|DIV|span|SPAN|font|FONT|center|strong|STRONG|em|b|B|i|u|a|A|img|IMG|hr|HR|nobr|o:p|tbody|td|tr)"
)
_STRAY_TAG = re.compile(rf"</?{_STRAY}(?:\s[^<>\n]*)?/?>")
_COMMENT = re.compile(r"<!--(?:[^-<>]|-(?!->))*-->")
_ANY_TAG = re.compile(r"<[/!?]?[A-Za-z]")
_NESTED = re.compile(rf"<[^<>]*(?:</?{_STRAY}(?:\s[^<>\n]*)?/?>|<!--)")
_BREAKS = re.compile(r"<(?:/?(?:br|BR|hr|HR)\s*/?|/(?:p|P|div|DIV|tr))(?:\s[^<>\n]*)?>")
_INVISIBLE = re.compile(
    "[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\u00ad\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff0-\ufffb\ufffe\uffff]"
)
_ROUNDS = 4


def remove(text: str) -> str:
    """Decode entities and remove stray tags, until nothing changes."""
    before = text
    for _ in range(_ROUNDS):
        after = _once(before)
        if after == before:
            return after
        before = after
    return text


def _once(text: str) -> str:
    if "&" in text:
        text = _AMPERSANDS.sub("&", text)
        text = _ENTITY.sub(_character, text)
    if "<" in text and "```" not in text and not _NESTED.search(text):
        plain = _STRAY_TAG.sub("", _COMMENT.sub("", _BREAKS.sub("\n", text)))
        if not _ANY_TAG.search(plain):
            text = plain
    return text


def _character(found: re.Match[str]) -> str:
    """The character an entity stands for, tidied; an entity that names none, or a markup letter, stays."""
    decoded = html.unescape(found[0])
    if decoded == found[0] or (decoded.isascii() and (decoded.isalnum() or decoded in "&#;")):
        return found[0]
    return unicodedata.normalize("NFC", _INVISIBLE.sub("", decoded).translate(FOLDED))
