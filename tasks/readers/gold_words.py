"""人工分词 gold words: sentences that people cut into words, in the three forms in which such corpora are handed out.

    spaced    words between white space, one sentence a line (SIGHAN Bakeoff 2005); so is a list of words, one a line
    tagged    词/标记 between white space; a first item that names the line is passed over (PFR, People's Daily)
    conllu    one word a line, sentences between empty lines (Universal Dependencies); of 1-2 only the whole is a word

The form is told by the file's name (`.conllu`) and its first line. `.gz` is undone.
"""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterable
from pathlib import Path

from data_contracts.errors import ConfigError

Sentences = list[list[str]]
_LINE_NAME = re.compile(r"[0-9]{8}-[0-9-]+")
_TAGGED = re.compile(r"\S+/[A-Za-z]+[0-9]*(?:\][A-Za-z]*)*")


def read(path: Path) -> Sentences:
    """The sentences of a file, empty ones left out. ConfigError when it cannot be read or holds none."""
    try:
        raw = path.read_bytes()
        text = (gzip.decompress(raw) if path.suffix == ".gz" else raw).decode("utf-8-sig")
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: 无法读取 cannot be read as UTF-8: {error}") from None
    lines = text.split("\n")
    first = next((line for line in lines if line.strip()), "")
    if path.name.removesuffix(".gz").endswith(".conllu"):
        found = _conllu(lines)
    elif first.split() and all(_TAGGED.fullmatch(item) for item in first.split()):
        found = [_untagged(line) for line in lines]
    else:
        found = [line.split() for line in lines]
    found = [words for words in found if words]
    if not found:
        raise ConfigError(f"{path}: 没有句子 holds no sentence")
    return found


def _untagged(line: str) -> list[str]:
    words = [item.rpartition("/")[0].removeprefix("[") or item for item in line.split()]
    return words[1:] if words and _LINE_NAME.fullmatch(words[0]) else words


def _conllu(lines: Iterable[str]) -> Sentences:
    sentences: Sentences = [[]]
    parts_left: set[str] = set()
    for line in lines:
        number, _, rest = line.strip().partition("\t")
        if not number:
            sentences.append([])
            parts_left = set()
        elif "-" in number and not line.startswith("#"):
            first, last = (int(n) for n in number.split("-"))
            parts_left = {str(n) for n in range(first, last + 1)}
            sentences[-1].append(rest.split("\t")[0])
        elif number.isdecimal() and number not in parts_left:
            sentences[-1].append(rest.split("\t")[0])
    return sentences
