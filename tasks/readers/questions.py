"""题目读取 questions out of evaluation files: items of any shape -> one shape, PAIR or QUESTION.

A question becomes the text before the choice, the choices, the text after it, and the number of the right one. Letters
in front of choices ("(A)", "B.") are taken off. An item that has no answer, several, or fewer than two choices cannot
be scored by likelihood; it is left out and counted, and a set of nothing else is an error.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl

from data_contracts.assessment import CHOICE, FIELD, PairSet, QuestionSet
from data_contracts.errors import ConfigError
from data_contracts.score_file import PAIR, QUESTION
from tasks.readers.items import records, strings

PLACE = "\0"  # where the choice goes, while a prompt is laid out; no text has it
# A blank between two characters of which at least one is no ASCII: written by a segmenter, not by an author.
_BETWEEN_WORDS = re.compile(r"(?<=[^\x00-\x7f]) +| +(?=[^\x00-\x7f])")
_LETTERED = re.compile(r"\s*[(（]?([A-Za-z])[)）.．、:：]\s*")

File = tuple[Path, str]  # where it lies, and its name below the set's folder


class Unscored(Exception):
    """Why an item cannot be scored."""


class Read(NamedTuple):
    """The items of one set that can be scored, those chosen among them, and why others cannot."""

    table: pl.DataFrame
    items: int  # in the files
    unscored: dict[str, int]  # by reason


def read_pairs(files: Iterable[File], pairs: PairSet, most: int, seed: int) -> Read:
    """At most `most` pairs of a set as PAIR, chosen by the hash of their text and the seed, in file order.

    ConfigError for a pair without one of the three fields.
    """
    rows = []
    for path, name in files:
        for number, item in records(path, name, pairs):
            wanted = {"good": pairs.good, "bad": pairs.bad, "phenomenon": pairs.phenomenon}
            found = {k: "\n".join(strings(item, field.split("."))) for k, field in wanted.items()}
            missing = [wanted[k] for k, text in found.items() if not text]
            if missing:
                raise ConfigError(f"minimal pairs {pairs.name}: {name}, pair {number}: no {', '.join(missing)}")
            rows.append({"item": f"{name}#{number}", **found})
    table = pl.DataFrame(rows, schema=PAIR.columns)
    return Read(_some(table, ("good", "bad"), most, seed), len(rows), {})


def read_questions(files: Iterable[File], questions: QuestionSet, most: int, seed: int) -> Read:
    """At most `most` questions of a set as QUESTION, chosen by the hash of their text and the seed, in file order.

    ConfigError when a field of the prompt is in no item, or no item can be scored.
    """
    rows, unscored, seen, items = [], Counter[str](), Counter[str](), 0
    for path, name in files:
        for number, item in records(path, name, questions):
            items += 1
            seen.update(field for field in questions.fields if strings(item, field.split(".")))
            try:
                rows.append({"item": f"{name}#{number}", **question(item, questions)})
            except Unscored as reason:
                unscored[str(reason)] += 1
    absent = [field for field in questions.fields if not seen[field]]
    if absent:
        raise ConfigError(f"questions {questions.name}: no item has text in {', '.join(absent)}; correct `prompt`")
    if not rows:
        told = ", ".join(f"{n} {reason}" for reason, n in unscored.items()) or "the files are empty"
        raise ConfigError(f"questions {questions.name}: no item of {items} can be scored: {told}")
    table = pl.DataFrame(rows, schema=QUESTION.columns)
    return Read(_some(table, ("before", "after"), most, seed), items, dict(sorted(unscored.items())))


def _some(table: pl.DataFrame, columns: tuple[str, ...], most: int, seed: int) -> pl.DataFrame:
    """At most `most` rows by hash: a larger limit only adds rows."""
    if table.height <= most:
        return table
    texts = table.select("item", *columns).iter_rows()
    keys = [hashlib.blake2b("\0".join((str(seed), *row)).encode(), digest_size=8).digest() for row in texts]
    return table[sorted(sorted(range(table.height), key=keys.__getitem__)[:most])]


def question(item: dict[str, Any], questions: QuestionSet) -> dict[str, Any]:
    """One item as a row of QUESTION without its name. Raises Unscored."""
    text = _laid_out(item, questions)
    if text.count(PLACE) != 1:
        raise Unscored("blanks in the text are not one")
    before, _, after = text.partition(PLACE)
    choices, answer = _choices(item, questions)
    if len(choices) < 2 or len(set(choices)) < len(choices) or not all(choices):
        raise Unscored("choices are fewer than two, empty or alike")
    group = _value(item, questions.group) if questions.group else ""
    return {"group": "" if group is None else str(group), "before": before, "after": after} | {
        "choices": choices,
        "answer": answer,
    }


def _laid_out(item: dict[str, Any], questions: QuestionSet) -> str:
    """The prompt with its fields filled in and PLACE for the choice; lines of empty fields are left out."""
    lines = []
    for line in questions.prompt.split("\n"):
        names = FIELD.findall(line)
        filled = {name: _text(item, name, questions) for name in names if name != CHOICE}
        if filled and not any(filled.values()) and CHOICE not in names:
            continue
        lines.append(FIELD.sub(lambda m, found=filled: PLACE if m[1] == CHOICE else found[m[1]], line))  # type: ignore[misc]
    text = "\n".join(lines)
    return text.replace(questions.blank, PLACE) if questions.blank else text


def _text(item: dict[str, Any], field: str, questions: QuestionSet) -> str:
    text = "\n".join(strings(item, field.rstrip("?").split("."))).replace(PLACE, "")
    return _BETWEEN_WORDS.sub("", text) if questions.segmented else text


def _choices(item: dict[str, Any], questions: QuestionSet) -> tuple[list[str], int]:
    """The choices and the number of the right one."""
    given = _value(item, questions.answer)
    if questions.labels:
        if str(given) not in questions.labels:
            raise Unscored("the answer is no label")
        return list(questions.labels.values()), list(questions.labels).index(str(given))
    if questions.words_of:
        return _others(item, given, questions)
    names = questions.choices
    found = [_value(item, name) for name in names] if isinstance(names, tuple) else _value(item, names)
    if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
        raise Unscored("no list of choices")
    texts = [str(one).strip() for one in found]
    lettered = [_LETTERED.match(text) for text in texts]
    if all(m and m[1].upper() == chr(ord("A") + i) for i, m in enumerate(lettered)):
        bare = [text[m.end() :] if m else text for text, m in zip(texts, lettered, strict=True)]
    else:
        bare = texts
    return bare, _number(given, texts, bare)


def _number(given: Any, texts: list[str], bare: list[str]) -> int:
    """Which choice an answer names: its text, its number from 0, or its letter."""
    if isinstance(given, str):
        for among in (texts, bare):
            if given.strip() in among:
                return among.index(given.strip())
        letter = given.strip().upper()
        number = ord(letter) - ord("A") if re.fullmatch("[A-Z]", letter) else -1
    else:
        number = given if isinstance(given, int) and not isinstance(given, bool) else -1
    if not 0 <= number < len(texts):
        raise Unscored("the answer is none of the choices, or several")
    return number


def _others(item: dict[str, Any], given: Any, questions: QuestionSet) -> tuple[list[str], int]:
    """The answer among other words of its length from the item itself, chosen and ordered by hash."""
    if not isinstance(given, str) or not given.strip():
        raise Unscored("no answer")
    answer = given.strip()
    words = {w for text in strings(item, questions.words_of.split(".")) for w in text.split() if len(w) == len(answer)}
    words = {w for w in words if w.isalnum()} - {answer}
    salt = str(_value(item, questions.fields[-1]))
    order = sorted(words, key=lambda w: hashlib.blake2b(f"{salt}\0{w}".encode()).digest())
    choices = sorted([*order[: questions.max_choices - 1], answer])
    return choices, choices.index(answer)


def _value(item: dict[str, Any], field: str) -> Any:
    """What stands at the end of a path of objects; None where there is nothing."""
    value: Any = item
    for part in field.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value
