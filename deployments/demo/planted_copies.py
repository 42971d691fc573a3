"""重复的网页 planted copies: exact copies, noisy and shortened copies, and copies in traditional script.

Every near copy is shorter than its original, so that `dedup.keep: longest` keeps the original.
"""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256
from html import escape

from deployments.demo import templates
from deployments.demo.answers import Answer
from deployments.demo.markup import to_html
from deployments.demo.planted_bytes import labels, to_bytes
from deployments.demo.sections import MENU, Leaf
from deployments.demo.templates import FOOTER, UTF8_META, Page
from deployments.demo.texts import Text, archive


def copied(leaf: Leaf, how: str) -> Answer:
    """The same text at another URL: `same` is byte-equal, `print` is the print version, without side lists."""
    if how == "same":
        return Answer(leaf.html().encode())
    text = leaf.page.text
    html = f"""<!DOCTYPE html>
<html lang="zh-CN"><head>{UTF8_META}<title>打印：{escape(text.title)}</title></head>
<body onload="window.print()"><div class="article"><h1>{escape(text.title)}</h1>
{to_html(text.text)}
</div>{FOOTER}</body></html>"""
    return Answer(html.encode())


def chance(seed: str) -> float:
    """A number in [0, 1) that depends on nothing but the seed."""
    return int.from_bytes(sha256(seed.encode()).digest()[:6], "big") / 2**48


def noisy(leaf: Leaf, path: str, how: str) -> Answer:
    """A near copy: `chars RATIO` loses characters, `sentences RATIO` whole sentences, `tail RATIO` its end."""
    kind, ratio = how.split()[0], float(how.split()[1])
    text = leaf.page.text.text
    if kind == "chars":
        text = "".join(c for n, c in enumerate(text) if c == "\n" or chance(f"{path} {n}") >= ratio)
    elif kind == "sentences":
        text = "。".join(s for n, s in enumerate(text.split("。")) if n == 0 or chance(f"{path} {n}") >= ratio)
    else:
        text = text[: int(len(text) * (1 - ratio))]
    return Answer(leaf.html(text=replace(leaf.page.text, text=text)).encode())


def _traditional(id_: str) -> Text:
    return next(text for text in archive("traditional") if text.id == id_)


def traditional(id_: str, how: str) -> Answer:
    """A page in traditional script, in the encoding and with the labels of `how`."""
    codec, content_type, meta = labels(how)
    page = Page(text=_traditional(id_), section=("/zaji/", "繁體"), menu=MENU, meta=meta)
    return Answer(to_bytes(templates.blog(page), codec), content_type)
