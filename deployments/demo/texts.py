"""文本 texts: the compressed text archives of the sample site, one JSON record a line.

A text is written in a small markup: blank lines part paragraphs, `## ` and `### ` are headings, `- ` list items,
and three back quotes fence code. `attribution.md` names the origin and licence of every archive.
"""

from __future__ import annotations

import json
import lzma
from dataclasses import dataclass
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parent
ARCHIVES = FOLDER / "texts"


@dataclass(frozen=True)
class Text:
    """One text: what a page shows in its middle."""

    id: str
    title: str
    text: str
    byline: str = ""  # author, empty when the origin names none
    date: str = ""  # ISO date, empty when unknown
    origin: str = ""  # place inside the origin that attribution.md names


@cache
def archive(name: str) -> tuple[Text, ...]:
    """All texts of `texts/NAME.jsonl.xz`, in file order; FileNotFoundError for an unknown name."""
    raw = lzma.decompress((ARCHIVES / f"{name}.jsonl.xz").read_bytes()).decode()
    return tuple(Text(**json.loads(line)) for line in raw.split("\n") if line)


@cache
def own() -> dict[str, Text]:
    """Texts written for this sample, by id: forum posts, spam, English and Japanese pages."""
    raw = (FOLDER / "own_texts.jsonl").read_text(encoding="utf-8")
    texts = (Text(**json.loads(line)) for line in raw.split("\n") if line)
    return {text.id: text for text in texts}
