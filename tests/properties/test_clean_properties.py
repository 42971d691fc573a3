"""Laws of the clean and redact stages, on text made of what the real web is made of."""

from __future__ import annotations

import polars as pl
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from data_contracts.stages import CleanConfig, RedactConfig
from tasks import clean, redact
from tasks.transforms.normalize import normalized

PIECES = [
    "的是在不了有和人这中大为上个国我以要他时来用们", "這國們時來為於", "，。！？、；：（）《》【】“”…—·～", "０１９ＡＺａｚ％",
    " \u3000\u00a0\t\n\r\u2028\x85\x0b", "\u200b\u200d\ufeff\u00ad\x00\x07\uffff", "é e\u0301 Å ﬁ ① \u0340\u1100\u1161\uf9d8\u212b",
    "👨👩👧🏽\u200d\ufe0f", "𠀀𪜀𫝀", "锟斤拷Ã©ä¸\ufffd\ue000鐨勬槸",
]  # fmt: skip
WHOLE = [
    "&amp;", "&lt;", "&nbsp;", "&#8203;", "&#x20;", "&amp;amp;lt;", "&am", "p;", "<br>", "<p>", "</p>", "<b", ">", "<!--", "-->",
    "```", "List<String>", "13812345609", "310104198706151237", "zhang@example.com", "QQ：823456719", "微信：", "wxid_abc123",
    "订单号", "114.114.114.114", "<MOBILE>", "京A12345", "010-62345678", "6222021234567890123", "！！！！", "\n\n\n", "    x = 1",
]  # fmt: skip
texts = st.lists(st.one_of(*(st.text(p, max_size=6) for p in PIECES), st.sampled_from(WHOLE)), max_size=12).map("".join)
rows = st.lists(st.one_of(st.none(), texts), max_size=6)
quick = settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
ANY_LENGTH = CleanConfig(min_chars=0)


def frame(values: list[str | None]) -> pl.DataFrame:
    columns = {"doc_id": [f"{i:04d}" for i in range(len(values))], "title": [None] * len(values), "text": values}
    return pl.DataFrame(columns, schema={"doc_id": pl.String, "title": pl.String, "text": pl.String})


def cleaned(values: pl.DataFrame) -> pl.DataFrame:
    return clean.mark(values.lazy(), ANY_LENGTH).collect()


def redacted(values: pl.DataFrame) -> pl.DataFrame:
    return redact.mark(values.lazy(), RedactConfig()).collect()


@quick
@given(rows)
def test_no_row_is_lost_made_or_moved(values: list[str | None]) -> None:
    documents = frame(values)
    for out in (cleaned(documents), redacted(documents)):
        assert out["doc_id"].equals(documents["doc_id"])
        assert (out["text"].is_null() == documents["text"].is_null()).all()
        assert (out["reason"].eq_missing("unreadable") == documents["text"].is_null()).all()


@settings(quick, max_examples=150)
@given(st.lists(texts, min_size=1, max_size=5))
def test_normalisation_is_idempotent(values: list[str]) -> None:
    once = normalized(pl.Series(values))
    assert normalized(once).to_list() == once.to_list()


@settings(quick, max_examples=80)
@given(texts)
def test_redaction_is_idempotent_and_leaves_nothing(value: str) -> None:
    once = redacted(frame([value]))
    again = redacted(once.select("doc_id", "title", "text"))
    assert again["text"].to_list() == once["text"].to_list()
    assert again["count_redacted"].sum() == 0


@quick
@given(rows, st.integers(0, 6), st.randoms(use_true_random=False))
def test_rows_do_not_depend_on_shards_or_order(values: list[str | None], cut: int, chance) -> None:
    documents = frame(values)
    order = list(range(len(values)))
    chance.shuffle(order)
    for stage in (cleaned, redacted):
        whole = stage(documents)
        parts = pl.concat([stage(documents[:cut]), stage(documents[cut:])])
        assert whole.equals(parts, null_equal=True)
        assert stage(documents[order]).sort("doc_id").equals(whole, null_equal=True)
