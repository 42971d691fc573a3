"""差别 difference: what became of every document in one dataset and in another, and what in their making differs.

    told = difference(store, "clean~1", "clean")
    told.moves       how many documents, with how many characters, went from which fate to which
    told.samples     a few documents of every move, and where their texts part
    told.settings    what differs in config, code and libraries of the stages behind the two

A document's *fate* in a dataset is `kept`, or the stage and reason by which it or a stage before it was refused
(`clean:too_short`), or `absent`. Two documents are one when they have one id. Ids, fates and 64-bit hashes of texts are
joined out of core; texts are read for the samples alone.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from data_contracts.dataset import KEPT, QUARANTINED, Manifest
from tasks import lineage
from tasks.lookup import rows_of
from tasks.store import Store
from tasks.transforms.inline_difference import inline

CONTENT = ("text", "digest", "split", "tokens")  # what makes a document another; what both datasets have of it
ABSENT = "absent"


@dataclass(frozen=True)
class Move:
    """Documents of one source that had one fate and have another (or the same)."""

    before: str  # kept | STAGE:REASON | absent
    after: str
    changed: bool  # kept in both, with another text
    source: str
    documents: int
    chars_before: int
    chars_after: int

    @property
    def kept_chars(self) -> int:
        """Characters that a dataset has more than the other by these documents."""
        return self.chars_after * (self.after == "kept") - self.chars_before * (self.before == "kept")


@dataclass(frozen=True)
class Sample:
    """One document that differs."""

    before: str
    after: str
    changed: bool
    doc_id: str
    url: str
    shown: str  # where its texts part, or the beginning of its text


@dataclass(frozen=True)
class Setting:
    """One thing that differs in the making of the two: a config key, the code, a library."""

    stage: str
    key: str  # "CleanConfig.min_chars", "code", "polars", "files"; "" where one of the two has no such stage
    before: Any
    after: Any


@dataclass(frozen=True)
class Difference:
    """Two datasets compared."""

    before: Manifest
    after: Manifest
    moves: tuple[Move, ...]  # most documents first
    samples: tuple[Sample, ...]
    settings: tuple[Setting, ...]

    def documents(self, before: str | None = None, after: str | None = None, changed: bool | None = None) -> int:
        """How many documents moved so; None stands for every fate."""
        return sum(
            m.documents
            for m in self.moves
            if before in (None, m.before) and after in (None, m.after) and changed in (None, m.changed)
        )


def difference(store: Store, before: str, after: str, samples: int = 3) -> Difference:
    """Compare two datasets by any of their names (tasks/lineage.py). DatasetMissing when there is none."""
    a, b = lineage.find(store, before)[-1], lineage.find(store, after)[-1]
    moves, ids = _moves(store, a, b, samples)
    return Difference(a, b, moves, _samples(store, a, b, ids), settings(store, a, b))


def fates(store: Store, manifest: Manifest, content: Sequence[str]) -> pl.LazyFrame:
    """doc_id, source, fate, chars and hash of content of every document that the dataset or its road ever saw."""
    parts = [_part(store, manifest, KEPT, pl.lit("kept"), content)]
    for behind in (manifest, *lineage.ancestors(store, manifest)):
        reason = pl.concat_str(pl.lit(f"{behind.stage}:"), "reason")
        parts.append(_part(store, behind, QUARANTINED, reason, content))
    ranked = [part.with_columns(rank=pl.lit(i, pl.UInt16)) for i, part in enumerate(parts) if part is not None]
    if not ranked:
        return pl.LazyFrame(schema=_FATES)
    first = pl.all().exclude("doc_id", "rank").sort_by("rank").first()  # an id that a row kept is kept
    return pl.concat(ranked).group_by("doc_id").agg(first)


_FATES = {
    "doc_id": pl.String(),
    "source": pl.String(),
    "fate": pl.String(),
    "chars": pl.Int64(),
    "content": pl.UInt64(),
}


def _part(store: Store, manifest: Manifest, which: str, fate: pl.Expr, content: Sequence[str]) -> pl.LazyFrame | None:
    """Rows of one kind of one dataset, None where it has none that are documents."""
    if not any(which in s.files for s in manifest.shards):
        return None
    frame = store.scan(f"{manifest.stage}/{manifest.version}", which)
    have = frame.collect_schema().names()
    if "doc_id" not in have:
        return None
    chars = pl.col("text").str.len_chars() if "text" in have else pl.col("chars") if "chars" in have else pl.lit(None)
    known = [c for c in content if c in have]
    return frame.select(
        "doc_id",
        (pl.col("source") if "source" in have else pl.lit("")).alias("source"),
        fate.alias("fate"),
        chars.cast(pl.Int64).alias("chars"),
        (pl.struct(known).hash() if len(known) == len(content) > 0 else pl.lit(0, pl.UInt64)).alias("content"),
    )


def _moves(store: Store, a: Manifest, b: Manifest, samples: int) -> tuple[tuple[Move, ...], pl.DataFrame]:
    """Every move, and ids of a few documents of each that differs: before, after, changed, doc_id."""
    have = [set(store.scan(f"{m.stage}/{m.version}").collect_schema().names()) for m in (a, b)]
    content = [c for c in CONTENT if c in have[0] & have[1]]
    both = fates(store, a, content).join(fates(store, b, content), on="doc_id", how="full", coalesce=True, suffix="_b")
    before, after = pl.col("fate").fill_null(ABSENT), pl.col("fate_b").fill_null(ABSENT)
    stays = (pl.col("fate") == "kept") & (pl.col("fate_b") == "kept")
    moves = (
        both.group_by(
            before=before,
            after=after,
            changed=(stays & (pl.col("content") != pl.col("content_b"))).fill_null(False),
            source=pl.coalesce("source_b", "source"),
        )
        .agg(
            documents=pl.len(),
            chars_before=pl.col("chars").sum(),
            chars_after=pl.col("chars_b").sum(),
            doc_id=pl.col("doc_id").sort().head(samples),
        )
        .sort("documents", "before", "after", "changed", "source", descending=[True, False, False, False, False])
        .collect(engine="streaming")
    )
    differs = pl.col("changed") | (pl.col("before") != pl.col("after"))
    keys = ["before", "after", "changed"]
    ids = moves.filter(differs).explode("doc_id").sort("doc_id").group_by(keys, maintain_order=True).head(samples)
    return tuple(Move(*row) for row in moves.drop("doc_id").iter_rows()), ids.select(*keys, "doc_id")


def _samples(store: Store, a: Manifest, b: Manifest, ids: pl.DataFrame) -> tuple[Sample, ...]:
    wanted = ids["doc_id"].to_list()
    old, new = ({r["doc_id"]: r for r in _seen(store, m, wanted)} for m in (a, b))
    told = []
    for before, after, changed, doc_id in ids.iter_rows():
        had, has = old.get(doc_id, {}), new.get(doc_id, {})
        old_text, new_text = (str(row.get("text") or "") for row in (had, has))
        shown = inline(old_text, new_text) if changed else (new_text or old_text)[:_EXCERPT].replace("\n", "⏎")
        told.append(Sample(before, after, changed, doc_id, (has or had).get("url") or "", shown))
    return tuple(told)


_EXCERPT = 80


def _seen(store: Store, manifest: Manifest, ids: Sequence[str]) -> list[dict[str, Any]]:
    """The row of every id where the dataset kept it, else where its road refused it."""
    found: dict[str, dict[str, Any]] = {}
    left = list(ids)
    for behind, which in [(manifest, KEPT)] + [
        (m, QUARANTINED) for m in (manifest, *lineage.ancestors(store, manifest))
    ]:
        for _, row in rows_of(store, behind, which, left, ("doc_id", "url", "text")):
            found.setdefault(row["doc_id"], row)
        left = [i for i in left if i not in found]
    return list(found.values())


def settings(store: Store, a: Manifest, b: Manifest) -> tuple[Setting, ...]:
    """What differs in the making of two datasets and of what lies behind them, stage by stage, nearest first."""
    roads = [{_role(m): m for m in reversed([end, *lineage.ancestors(store, end)])} for end in (a, b)]
    found: list[Setting] = []
    for role in dict.fromkeys([*reversed(roads[1]), *reversed(roads[0])]):
        old, new = (road.get(role) for road in roads)
        if old is None or new is None:
            found.append(Setting(role, "", _name(old), _name(new)))
        elif old.version != new.version:
            was, now = _made_of(old), _made_of(new)
            keys = [key for key in dict.fromkeys([*was, *now]) if was.get(key) != now.get(key)]
            if not keys and not old.parents:
                found.append(Setting(role, "files", _name(old), _name(new)))  # what it read outside the store
            found += [Setting(role, key, was.get(key), now.get(key)) for key in keys]
    return tuple(found)


def _name(manifest: Manifest | None) -> str | None:
    return f"{manifest.stage}/{manifest.version}" if manifest else None


def _role(manifest: Manifest) -> str:
    """Which part of a road a dataset is: its stage, and the name of its source where a stage has several."""
    for value in manifest.config.values():
        inner = value.get("source", value.get("benchmark", value)) if isinstance(value, dict) else {}
        if isinstance(inner, dict) and isinstance(inner.get("name"), str):
            return f"{manifest.stage} {inner['name']}"
    return manifest.stage


def _made_of(manifest: Manifest) -> dict[str, Any]:
    return {**flat(manifest.config), "code": manifest.code, **manifest.libraries}


def flat(config: Any, at: str = "") -> dict[str, Any]:
    """A nested config as dotted keys; lists stay whole, as JSON."""
    if not isinstance(config, dict):
        return {at: json.dumps(config, ensure_ascii=False) if isinstance(config, list) else config}
    return {k: v for name, inner in config.items() for k, v in flat(inner, f"{at}.{name}" if at else name).items()}
