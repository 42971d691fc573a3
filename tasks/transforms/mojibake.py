"""乱码 mojibake: text that was decoded with the wrong encoding: find it, undo it where no byte was lost.

A repair is believed when the bytes survive the way back (encode with the wrong codec, decode with the right one, both
strict) and the result is made of far more common characters than the text was. Where bytes were lost, nothing is
guessed: the text is called broken. Clean text must never change, so `repair` looks only at texts with enough of the
characters that wrong decoding leaves behind, and rare but clean characters prove nothing by themselves.
"""

from __future__ import annotations

import re
from functools import cache

import ftfy
from ftfy import bad_codecs  # noqa: F401  registers sloppy-windows-1252, which lets undefined bytes through

# UTF-8 read as GBK makes these of 的 是 在 一 我 他 有 这 ， 。 and of lost bytes; clean text has next to none of them.
_TYPICAL = "鐨鏄鍦涓鎴浠鏈杩锛銆鍥鍙浜璇鏂瀛锟斤拷烫屯"
_LATIN_1 = (
    "\u00a1-\u00a8\u00aa\u00ac\u00af\u00b1-\u00b6\u00b8-\u00ba\u00bc-\u00d6\u00d8-\u00ff"  # common signs stay out
)
ODD_CHARACTERS = f"\x80-\x9f\ufffd\ue000-\uf8ff{_LATIN_1}{_TYPICAL}"  # body of a regex class
_ODD = re.compile(f"[{ODD_CHARACTERS}]")
_MISREAD = re.compile("(?:锟斤拷)+|烫烫烫+|屯屯屯+")
_UNREAL = re.compile("[\ufffd\ue000-\uf8ff\x80-\x9f]|锟斤拷")  # in no repaired text
_WAYS = (  # (codec it was wrongly read with, codec it was written in)
    ("sloppy-windows-1252", "utf-8"),
    ("latin-1", "utf-8"),
    ("latin-1", "gb18030"),
    ("sloppy-windows-1252", "gb18030"),
    ("latin-1", "big5hkscs"),
    ("gb18030", "utf-8"),
    ("gb18030", "big5hkscs"),
    ("big5hkscs", "gb18030"),
)
_DEPTH = 3  # text can be broken twice; the third round must then find nothing
MIN_ODD_RATIO = 0.02  # odd characters per character from which a text is looked at
MAX_REPLACED_RATIO = 0.01  # U+FFFD per character above which a text is broken
MAX_MISREAD_RATIO = 0.1  # characters of 锟斤拷 and its like per character above which a text is broken
MIN_CHARS = 16  # shorter texts prove nothing: ÀÁÂÃÄÅ are six letters and three Chinese characters
_GOOD, _GAIN = 0.9, 0.1  # share of common characters a repair must reach, and must win
_ENCODING_ONLY = ftfy.TextFixerConfig(
    unescape_html=False, remove_terminal_escapes=False, fix_latin_ligatures=False, fix_character_width=False,
    uncurl_quotes=False, fix_line_breaks=False, fix_surrogates=False, remove_control_chars=False, normalization=None,
)  # fmt: skip


def repair(text: str) -> tuple[str, bool]:
    """(text, broken): the text with wrong decoding undone, and whether it is mojibake that cannot be undone."""
    if not _ODD.search(text):
        return text, False
    odd = len(_ODD.findall(text)) / len(text)
    if odd < MIN_ODD_RATIO or len(text) < MIN_CHARS:
        return text, _is_lost(text)
    best = _undone(text)
    if best is not None:
        return best, False
    return text, _is_lost(text) or _was_misread(text)


def _is_lost(text: str) -> bool:
    """Whether too much of it stands for lost bytes. A text may speak about 锟斤拷, but not consist of it."""
    replaced, misread = text.count("\ufffd"), sum(map(len, _MISREAD.findall(text)))
    return replaced > MAX_REPLACED_RATIO * len(text) or misread > MAX_MISREAD_RATIO * len(text)


def _undone(text: str) -> str | None:
    """The most common-looking text that strict round trips lead to, or None when none is good enough."""
    start = common_ratio(text)
    best, score = text, start
    seen, edge = {text}, [text]
    for _ in range(_DEPTH):
        edge = [new for old in edge for new in _ways_back(old) if new not in seen]
        seen.update(edge)
        for new in edge:
            if (mark := common_ratio(new)) > score and not _UNREAL.search(new):
                best, score = new, mark
        edge = [t for t in edge if _ODD.search(t)]
    return best if score >= _GOOD and score >= start + _GAIN else None


def _ways_back(text: str) -> list[str]:
    found = []
    for wrong, right in _WAYS:
        try:
            found.append(text.encode(wrong).decode(right))
        except UnicodeError:
            continue
    found.append(ftfy.fix_encoding(text, _ENCODING_ONLY))
    return list(dict.fromkeys(found))


def _was_misread(text: str) -> bool:
    """Whether a way back that forgives lost bytes gives mostly common Han: then bytes were lost on the way."""
    start = common_ratio(text)
    for wrong, right in _WAYS:
        way_back = text.encode(wrong, "replace").decode(right, "replace")
        han = sum("\u4e00" <= c <= "\u9fff" for c in way_back)
        if han > 0.4 * len(way_back) and common_ratio(way_back) >= max(0.7, start + _GAIN):
            return True
    return False


def common_ratio(text: str) -> float:
    """Share of visible characters that are common in Chinese text: level 1 of GB 2312 or Big5, ASCII, CJK marks."""
    visible = "".join(text.split())
    return len(_common().findall(visible)) / len(visible) if visible else 1.0


@cache
def _common() -> re.Pattern[str]:
    level_1 = [bytes((a, b)).decode("gb2312", "ignore") for a in range(0xB0, 0xD8) for b in range(0xA1, 0xFF)]
    level_1 += [
        bytes((a, b)).decode("big5", "ignore")
        for a in range(0xA4, 0xC7)
        for b in (*range(0x40, 0x7F), *range(0xA1, 0xFF))
    ]
    return re.compile(f"[\x21-\x7e\u2010-\u2027\u3001-\u3015\uff01-\uff5e·{''.join(sorted(set(level_1)))}]")
