"""Each contract that comes with ziliu: a good frame passes, and every planted fault is found, counted and named."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import cache
from typing import Any

import polars as pl
import pytest

from data_contracts.contract import load, names
from data_contracts.judge import judge
from data_contracts.measuring import columns, measured, sums
from data_contracts.schemas import BLOCKS, DOCUMENT, PAGE, SEGMENTED, Schema
from data_contracts.verdict import Verdict
from tasks.transforms.domain_checks import CHECKS

ROWS = 60
TEXT = "春眠不觉晓，处处闻啼鸟。夜来风雨声，花落知多少。"
RESIDENT_ID = "11010519491231002X"  # the example of GB 11643-1999
MEASURES = {"clean.quarantined_ratio": 0.3, "train_blocks": 12.0, "train_padding_ratio": 0.01}


def an_id(i: int) -> str:
    return hashlib.blake2b(str(i).encode(), digest_size=8).hexdigest()


def rows_of(kind: str) -> list[dict[str, Any]]:
    document = [
        {
            "doc_id": an_id(i),
            "url": f"https://example.cn/{i}",
            "source": "poems" if i % 2 else "statutes",
            "licence": "CC0-1.0",
            "title": None,
            "date": "2024-05-01" if i % 3 else None,
            "text": TEXT * 2 + f"第{i}首",
            "quality": i / ROWS if i % 3 else None,
            "bits_per_char": 6.4 if i % 3 else None,
        }
        for i in range(ROWS)
    ]
    if kind == "documents":
        return document
    if kind == "corpus":
        return [{**row, "word_chars": [len(row["text"]) - 2, 2]} for row in document]
    if kind == "pages":
        page = {"status": 200, "content_type": "text/html", "body": b"<p>", "digest": "0" * 64, "archive": "1" * 64}
        page |= {"fetched_at": "2024-05-01T00:00:00Z", "offset": 0}
        return [{**{c: row[c] for c in ("doc_id", "url", "source", "licence")}, **page} for row in document]
    splits = ["train"] * (ROWS - 4) + ["validation"] * 2 + ["test"] * 2
    return [
        {"doc_id": an_id(i), "source": "poems", "split": split, "start": 35 * i, "tokens": 35, "chars": 50, "copies": 1}
        for i, split in enumerate(splits)
    ]


SCHEMA_OF: dict[str, Schema] = {"pages": PAGE, "documents": DOCUMENT, "corpus": SEGMENTED, "blocks": BLOCKS}


def verdict_on(kind: str, rows: list[dict[str, Any]]) -> Verdict:
    frame, contract = pl.DataFrame(rows, schema=SCHEMA_OF[kind].columns), load(kind, CHECKS)
    verdict = judge(frame.lazy(), contract, f"{kind}/test", MEASURES)
    usable = columns(frame.lazy(), contract)[1]
    parts = [sums(frame[some].lazy(), contract) for some in (slice(0, 3), slice(3, 3), slice(3, None))]
    assert measured(frame.lazy(), usable, MEASURES, contract, parts) == measured(
        frame.lazy(), usable, MEASURES, contract, None
    )
    return verdict


def test_every_contract_has_a_good_frame_here():
    assert names() == sorted(SCHEMA_OF)


@pytest.mark.parametrize("kind", sorted(SCHEMA_OF))
def test_a_good_frame_passes_every_rule(kind: str):
    verdict = verdict_on(kind, rows_of(kind))
    assert verdict.passed
    assert [r.rule for r in verdict.results if not r.passed] == []
    assert verdict.rows == ROWS
    assert len(verdict.results) == len(load(kind, CHECKS).rules) + 1


def put(**values: Any) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda row: {**row, **values}


ID_FAULTS = [
    ("doc_id.required", put(doc_id=None)),
    ("doc_id.pattern", put(doc_id="0123456789abcdeX")),
    ("source.required", put(source=None)),
]
SOURCE_FAULTS = [
    ("url.required", put(url=None)),
    ("url.pattern", put(url="ftp://example.cn/1")),
    ("source.pattern", put(source="Two Words")),
    ("licence.required", put(licence=None)),
    ("licence.minLength", put(licence="")),
]
DOCUMENT_FAULTS = [
    *ID_FAULTS,
    *SOURCE_FAULTS,
    ("date.pattern", put(date="五月一日")),
    ("text.required", put(text=None)),
    ("text.minLength", put(text="")),
    ("quality.minimum", put(quality=-0.1)),
    ("quality.maximum", put(quality=1.1)),
    ("bits_per_char.minimum", put(bits_per_char=-1.0)),
    ("toxicity.minimum", put(toxicity=-0.1)),
    ("toxicity.maximum", put(toxicity=1.1)),
    ("spam.minimum", put(spam=-0.1)),
    ("spam.maximum", put(spam=1.1)),
]
FAULTS = {
    "documents": DOCUMENT_FAULTS,
    "pages": [
        *ID_FAULTS,
        *SOURCE_FAULTS,
        ("status.minimum", put(status=100)),
        ("status.maximum", put(status=404)),
        ("body.required", put(body=None)),
        ("body.minLength", put(body=b"")),
        ("digest.required", put(digest=None)),
        ("digest.pattern", put(digest="0" * 63)),
        ("fetched_at.required", put(fetched_at=None)),
        ("fetched_at.pattern", put(fetched_at="yesterday")),
        ("archive.required", put(archive=None)),
        ("archive.pattern", put(archive="crawl.warc.gz")),
        ("offset.required", put(offset=None)),
        ("offset.minimum", put(offset=-1)),
    ],
    "corpus": [
        *(fault for fault in DOCUMENT_FAULTS if fault[0] not in ("text.required", "text.minLength")),
        ("text.required", put(text=None)),
        ("text.minLength", put(text="", word_chars=[])),
        ("text.no_resident_id", lambda r: {**r, "text": f"证号{RESIDENT_ID}", "word_chars": [2, 18]}),
        ("text.no_control", lambda r: {**r, "text": f"\x08{r['text'][1:]}"}),
        ("text.maxLength", lambda r: {**r, "text": "春" * 1_000_001, "word_chars": [1_000_001]}),
        ("word_chars.required", put(word_chars=None)),
        ("word_chars.cover_text", put(word_chars=[1])),
    ],
    "blocks": [
        *ID_FAULTS,
        ("split.required", put(split=None)),
        ("split.known", put(split="dev")),
        ("start.required", put(start=None)),
        ("start.minimum", put(start=-1)),
        ("tokens.required", put(tokens=None)),
        ("tokens.minimum", put(tokens=1)),
        ("tokens.at_most_bytes", put(tokens=500)),
        ("chars.required", put(chars=None)),
        ("chars.minimum", put(chars=-1)),
    ],
}
CASES = [(kind, rule) for kind, faults in FAULTS.items() for rule, _ in faults]
PER_FAULT = 2  # rows that each fault is planted in
ALONG = {("blocks", "tokens.at_most_bytes"): PER_FAULT}  # a document of -1 characters has too many tokens, too


@cache
def planted(kind: str) -> tuple[Verdict, dict[str, list[str]]]:
    """The verdict on a frame that holds every fault, each in rows of its own, and the ids of those rows."""
    rows, where = rows_of(kind), {}
    for at, (rule, change) in enumerate(FAULTS[kind]):
        places = [PER_FAULT * at + j for j in range(PER_FAULT)]
        rows[places[0] : places[-1] + 1] = [change(rows[i]) for i in places]
        where[rule] = [rows[i]["doc_id"] or "" for i in places]
    return verdict_on(kind, rows), where


@pytest.mark.parametrize(("kind", "rule"), CASES)
def test_a_planted_fault_is_counted_and_named(kind: str, rule: str):
    verdict, where = planted(kind)
    assert not verdict.passed
    result = {r.rule: r for r in verdict.failures}[rule]
    assert result.found == PER_FAULT + ALONG.get((kind, rule), 0)
    assert set(where[rule]) <= {s.id for s in result.samples}


@pytest.mark.parametrize("kind", sorted(FAULTS))
def test_nothing_but_what_was_planted_is_found(kind: str):
    verdict, where = planted(kind)
    of_the_whole = {"doc_id.unique", "text.mean_chars", "text.han_share", "tokens_per_char"}
    assert {r.rule for r in verdict.failures} - of_the_whole == set(where)


@pytest.mark.parametrize("kind", sorted(SCHEMA_OF))
def test_duplicate_ids_are_counted_and_named(kind: str):
    rows = [{**row, "doc_id": an_id(0 if i < 4 else i)} for i, row in enumerate(rows_of(kind))]
    result = {r.rule: r for r in verdict_on(kind, rows).failures}
    assert set(result) == {"doc_id.unique"}
    assert result["doc_id.unique"].found == 3
    assert [(s.id, s.value) for s in result["doc_id.unique"].samples] == [(an_id(0), "4 次 times")]


@pytest.mark.parametrize("split", ["train", "validation", "test"])
def test_blocks_want_every_split(split: str):
    left = "train" if split != "train" else "test"
    rows = [put(split=left)(row) if row["split"] == split else row for row in rows_of("blocks")]
    assert [r.rule for r in verdict_on("blocks", rows).failures] == [f"{split}_tokens"]


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        ("text.han_share", "no Han here, only Latin letters"),
        ("text.mean_chars", "春"),
        ("text.unknown_share", "春\ue000" * 20),
    ],
)
def test_figures_of_the_whole_corpus(rule: str, text: str):
    rows = [{**row, "text": text, "word_chars": [len(text)]} for row in rows_of("corpus")]
    assert rule in [r.rule for r in verdict_on("corpus", rows).failures]


def test_replacement_characters_in_more_than_one_percent_of_documents():
    rows = rows_of("corpus")
    rows[5]["text"] = "\ufffd" + rows[5]["text"][1:]
    (result,) = verdict_on("corpus", rows).failures
    assert (result.rule, result.found, result.asked) == ("text.no_replacement", 100 / ROWS, "≤ 1 %")


def test_a_corpus_of_one_source_passes_with_a_remark():
    verdict = verdict_on("corpus", [put(source="poems")(row) for row in rows_of("corpus")])
    assert verdict.passed
    assert [(r.rule, r.severity) for r in verdict.warnings] == [("largest_source_share", "info")]


@pytest.mark.parametrize("kind", sorted(SCHEMA_OF))
def test_an_empty_frame_fails(kind: str):
    verdict = verdict_on(kind, [])
    assert "enough_rows" in [r.rule for r in verdict.failures]


def test_the_excerpt_of_a_failing_row_does_not_repeat_the_number():
    rows = rows_of("corpus")
    rows[0] |= {"text": f"证号{RESIDENT_ID}", "word_chars": [20]}
    (result,) = verdict_on("corpus", rows).failures
    assert result.samples[0].excerpt == "证号######"
    assert RESIDENT_ID not in verdict_on("corpus", rows).model_dump_json()
