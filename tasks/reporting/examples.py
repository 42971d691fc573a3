"""样例 examples: quarantined rows of every reason, and pairs of duplicates."""

from __future__ import annotations

import polars as pl

from data_contracts.dataset import KEPT, QUARANTINED, Manifest
from tasks.reporting.facts import DuplicatePair, Duplicates, Refused
from tasks.reporting.signals import BEHIND
from tasks.store import Store

EXCERPT_CHARS, PAIR_CHARS, PAIRS = 120, 90, 6


def refused(store: Store, manifest: Manifest, per_reason: int) -> list[Refused]:
    """The first rows of each reason of one dataset, with the value behind the reason."""
    if not per_reason or not manifest.reasons:
        return []
    frame = store.scan(f"{manifest.stage}/{manifest.version}", QUARANTINED)
    have = frame.collect_schema().names()
    text = excerpt("text", EXCERPT_CHARS) if "text" in have else pl.lit("")
    wanted = [c for c in {*BEHIND.values(), "url", "error"} if c in have]
    shown = frame.select("doc_id", "reason", *wanted, excerpt=text)
    firsts = [shown.filter(pl.col("reason") == reason).head(per_reason) for reason in manifest.reasons]
    rows = pl.concat(firsts).collect(engine="streaming")
    return [
        Refused(
            stage=manifest.stage,
            reason=row["reason"],
            doc_id=row["doc_id"],
            url=row.get("url") or "",
            value=_value(row),
            excerpt=row["excerpt"] or "",
        )
        for row in rows.to_dicts()
    ]


def _value(row: dict[str, object]) -> str:
    name = "error" if row.get("error") else BEHIND.get(str(row["reason"]), "")
    value = row.get(name)
    if value is None:
        return ""
    shown = (
        f"{value:.3g}"
        if isinstance(value, float) and value != int(value)
        else f"{value:.0f}"
        if isinstance(value, float)
        else str(value)
    )
    return f"{name} {shown}"


def redacted(manifest: Manifest) -> dict[str, int]:
    """Pieces of personal data by kind that redact found, the most frequent first; `redacted` is documents with any."""
    found = {name: int(count) for name, count in manifest.measures.items() if isinstance(count, int | float) and count}
    return dict(sorted(found.items(), key=lambda pair: (pair[0] != "redacted", -pair[1])))


def duplicates(store: Store, manifest: Manifest) -> Duplicates:
    """Counts and examples of what a dedup dataset removed."""
    frame = store.scan(f"{manifest.stage}/{manifest.version}", QUARANTINED)
    reasons = manifest.reasons
    if "duplicate_of" not in frame.collect_schema().names():
        return Duplicates(exact=0, near=0, groups=0, similarity={}, pairs=())
    groups = frame.select(pl.col("duplicate_of").n_unique()).collect(engine="streaming").item()
    return Duplicates(
        exact=reasons.get("exact_duplicate", 0),
        near=reasons.get("near_duplicate", 0),
        same_url=reasons.get("same_url", 0),
        paragraphs=int(sum(s.measures.get("repeated_paragraphs", 0) for s in manifest.shards)),
        groups=groups,
        similarity={str(k): int(v) for k, v in dict(manifest.measures.get("near_duplicate_similarity", {})).items()},
        pairs=tuple(_pairs(store, manifest, frame)),
    )


def _pairs(store: Store, manifest: Manifest, frame: pl.LazyFrame) -> list[DuplicatePair]:
    """Near copies of different likeness first, then exact ones."""
    columns = frame.select("doc_id", "duplicate_of", "similarity", "reason", text=excerpt("text", PAIR_CHARS))
    near = (
        columns.filter(pl.col("reason") == "near_duplicate")
        .unique("similarity", keep="first")
        .sort("similarity", "doc_id")
        .head(PAIRS - 2)
    )
    exact = columns.filter(pl.col("reason") == "exact_duplicate").head(2)
    rows = pl.concat([near, exact]).collect().to_dicts()
    wanted = [row["duplicate_of"] for row in rows]
    kept = store.scan(f"{manifest.stage}/{manifest.version}", KEPT).filter(pl.col("doc_id").is_in(wanted))
    texts = dict(kept.select("doc_id", excerpt("text", PAIR_CHARS)).collect(engine="streaming").iter_rows())
    return [
        DuplicatePair(
            removed=row["doc_id"],
            kept=row["duplicate_of"],
            similarity=row["similarity"],
            removed_text=row["text"] or "",
            kept_text=texts.get(row["duplicate_of"]) or "",
        )
        for row in rows
    ]


def excerpt(column: str, chars: int) -> pl.Expr:
    """The beginning of a text on one line. Long runs of digits are masked: they may be somebody's number."""
    text = pl.col(column).str.head(chars * 2).str.replace_all(r"\s+", " ").str.strip_chars()
    return text.str.replace_all(r"[0-9]{6,}[Xx]?", "######").str.head(chars)
