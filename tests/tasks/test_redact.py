from __future__ import annotations

import polars as pl
import pytest

from data_contracts.errors import ConfigError
from data_contracts.stages import REDACT_KEY, RedactConfig
from tasks.redact import mark

TEXTS = [
    "联系电话13812345609，欢迎来电。",
    "没有个人信息的一段话。",
    "邮箱 zhang.san@example.com 或 QQ：823456719",
    None,
    "",
]


def frame(texts: list[str | None]) -> pl.LazyFrame:
    rows = {"doc_id": [str(i) for i in range(len(texts))], "title": [None] * len(texts), "text": texts}
    return pl.LazyFrame(rows, schema={"doc_id": pl.String, "title": pl.String, "text": pl.String})


def test_tag_replaces_and_counts() -> None:
    out = mark(frame(TEXTS), RedactConfig()).collect()
    assert out["text"].to_list() == [
        "联系电话<MOBILE>，欢迎来电。",
        "没有个人信息的一段话。",
        "邮箱 <EMAIL> 或 QQ：<QQ>",
        None,
        "",
    ]
    assert out["reason"].to_list() == [None, None, None, "unreadable", None]
    assert out["count_mobile"].to_list() == [1, 0, 0, 0, 0]
    assert out["count_email"].sum() == 1
    assert out["count_qq"].sum() == 1
    assert out["count_redacted"].to_list() == [1, 0, 1, 0, 0]


def test_titles_are_redacted_too() -> None:
    rows = frame(["正文"]).with_columns(title=pl.lit("致电13812345609"))
    out = mark(rows, RedactConfig()).collect()
    assert out["title"].to_list() == ["致电<MOBILE>"]
    assert out["count_mobile"].to_list() == [1]


def test_drop_refuses_and_still_keeps_the_value_out_of_the_quarantine() -> None:
    out = mark(frame(TEXTS), RedactConfig(mode="drop")).collect()
    assert out["reason"].to_list() == ["personal_data", None, "personal_data", "unreadable", None]
    assert "13812345609" not in str(out["text"].to_list())


def test_kinds_that_are_not_asked_for_stay() -> None:
    out = mark(frame(TEXTS), RedactConfig(kinds=("EMAIL",))).collect()
    assert "13812345609" in out["text"][0]
    assert out["text"][2] == "邮箱 <EMAIL> 或 QQ：823456719"


def test_pseudonyms_are_stable_and_need_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(REDACT_KEY, "first key")
    cfg = RedactConfig(mode="pseudonym")
    out = mark(frame(["电话13812345609", "手机 138 1234 5609 ，或13912345609"]), cfg).collect()["text"]
    one, two = out[0].removeprefix("电话"), out[1]
    assert one.startswith("<MOBILE:")
    assert two.startswith(f"手机 {one} ，或<MOBILE:"), "one person, one pseudonym, however it is written"
    assert two.count(one) == 1
    monkeypatch.setenv(REDACT_KEY, "second key")
    other = RedactConfig(mode="pseudonym")
    assert mark(frame(["电话13812345609"]), other).collect()["text"][0] != out[0]
    assert cfg.key_id != other.key_id
    assert "second key" not in other.model_dump_json()
    with pytest.raises(ConfigError, match="key_id"):
        mark(frame(TEXTS), cfg)
    monkeypatch.delenv(REDACT_KEY)
    with pytest.raises(ConfigError, match=REDACT_KEY):
        mark(frame(TEXTS), RedactConfig(mode="pseudonym"))


def test_empty_frame() -> None:
    out = mark(frame([]), RedactConfig()).collect()
    assert out.height == 0
    assert {"reason", "error", "count_mobile", "count_redacted"} <= set(out.columns)
