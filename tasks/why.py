"""为什么 why: what became of one document, stage by stage, and by which rule and value.

for step in explain(store, "https://example.org/a.html"):
    print(step.stage, step.fate, step.reason, step.values)
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from data_contracts.dataset import EVIDENCE, KEPT, PARAGRAPHS, QUARANTINED, SIGNALS, Manifest
from data_contracts.errors import DatasetMissing
from data_contracts.schemas import SCORES
from tasks import lineage
from tasks.lookup import Found, document, heir, rows_of
from tasks.store import Store

_ID = re.compile(r"[0-9a-f]{16}")
_FACTS = (
    "duplicate_of",
    "similarity",
    "benchmark",
    "item",
    "error",
    "status",
    "location",
    "archive",
    "warc",
    "offset",
    "fetched_at",
    "split",
    "tokens",
    "start",
    "copies",
)


@dataclass(frozen=True)
class Step:
    """What one stage did with a document. `values` are the measurements behind it."""

    dataset: str
    fate: str  # kept | changed | quarantined | encoded
    reason: str | None = None
    chars: int | None = None  # of the text after the stage
    values: dict[str, float] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)  # duplicate_of, error, status, split ...
    origin: dict[str, str] = field(default_factory=dict)  # url, source, licence
    evidence: tuple[dict[str, Any], ...] = ()  # what a stage found in it: passages that repeat evaluation items ...


def explain(store: Store, key: str, wanted: str | None = None) -> list[tuple[str, list[Step]]]:
    """Every document that a URL or id stands for, with its steps in the order of the road.

    `wanted` names a dataset, channel or run; the newest run by default. Raises DatasetMissing when nothing of the
    kind was ever seen there.
    """
    name = wanted or lineage.newest_run(store)
    if name is None:
        raise DatasetMissing(f"no run in {store.root} yet; run a flow first")
    road = _road(store, lineage.find(store, name))
    ids = [key] if _ID.fullmatch(key) else _ids_of(store, road, key)
    told = [(doc_id, _steps(store, road, doc_id)) for doc_id in ids]
    told = [(doc_id, steps) for doc_id, steps in told if steps]
    if not told:
        raise DatasetMissing(f"{key} was not seen by {name}: it is no URL or document id of its {len(road)} datasets")
    return told


def _road(store: Store, ends: list[Manifest]) -> list[Manifest]:
    """The datasets and everything behind them, in the order in which documents pass through."""
    ordered: dict[str, Manifest] = {}

    def add(manifest: Manifest) -> None:
        name = f"{manifest.stage}/{manifest.version}"
        if name not in ordered:
            for parent in manifest.parents:
                add(store.manifest(parent))
            ordered[name] = manifest

    for end in ends:
        add(end)
    return list(ordered.values())


def _ids_of(store: Store, road: list[Manifest], url: str) -> list[str]:
    """Ids of a URL, asked of the datasets in which documents begin; later stages change neither."""
    names, found = [url, url.rstrip("/"), f"{url}/"], dict[str, None]()
    for manifest in road:
        if not manifest.parents:
            for which in (KEPT, QUARANTINED):
                rows = rows_of(store, manifest, which, names, ("doc_id",), by="url")
                found.update(dict.fromkeys(row["doc_id"] for _, row in rows))
    return list(found)


def _steps(store: Store, road: list[Manifest], doc_id: str) -> list[Step]:
    steps: list[Step] = []
    text: str | None = None
    files = {file.sha256: name for manifest in road for name, file in lineage.archives_of(manifest).items()}
    scores: dict[str, float] = {}  # told where they are given, not again by every stage after it
    for manifest, found in _met(store, road, doc_id):
        row, fate = found.row, "kept" if found.which == KEPT else "quarantined"
        if fate == "kept" and text is not None and row.get("text") not in (None, text):
            fate = "changed"
        if "split" in row and fate == "kept":
            fate = "encoded"
        text = row.get("text") or text
        row["warc"] = files.get(row.get("archive") or "")  # the file's own name, under which an index knows it
        beside = {which: _beside(store, manifest, which, found, doc_id) for which in (SIGNALS, PARAGRAPHS, EVIDENCE)}
        signals = next(iter(beside[SIGNALS]), {})
        known = ("doc_id", "reason", *_FACTS)
        given = {s: row[s] for s in SCORES if row.get(s) is not None and row[s] != scores.get(s)}
        scores |= given
        steps.append(
            Step(
                dataset=f"{manifest.stage}/{manifest.version}",
                fate=fate,
                reason=row.get("reason"),
                chars=len(row["text"]) if row.get("text") is not None else None,
                values={k: v for k, v in signals.items() if k not in known and v is not None} | given,
                facts={k: row[k] for k in _FACTS if row.get(k) is not None} | _paragraphs(beside[PARAGRAPHS]),
                origin={k: row[k] for k in ("url", "source", "licence") if row.get(k) is not None},
                evidence=tuple(_told(one) for one in beside[EVIDENCE]),
            )
        )
    return steps


def _met(store: Store, road: list[Manifest], doc_id: str) -> Iterator[tuple[Manifest, Found]]:
    """The datasets that a document reached, and where it lies in each."""
    datasets = {f"{m.stage}/{m.version}": m for m in road}
    passed: dict[str, Found] = {}  # the datasets that kept it
    for name, manifest in datasets.items():
        parents = {p: datasets[p] for p in manifest.parents if "@" in datasets[p].schema_label}
        if "@" not in manifest.schema_label or (parents and not parents.keys() & passed.keys()):
            continue
        found = document(store, manifest, doc_id, heir(manifest, parents, passed))
        if found is not None:
            if found.which == KEPT:
                passed[name] = found
            yield manifest, found


def _beside(store: Store, manifest: Manifest, which: str, found: Found, doc_id: str) -> list[dict[str, Any]]:
    """What lies beside a document in its shard."""
    return [row for _, row in rows_of(store, manifest, which, [doc_id], shards=[found.shard])]


def _paragraphs(taken: list[dict[str, Any]]) -> dict[str, Any]:
    """The documents that keep what the stage took out of this one, most paragraphs first."""
    counts = Counter(row["kept_in"] for row in taken)
    kept_in = sorted(counts, key=lambda name: (-counts[name], name))
    return {"paragraphs_kept_in": " ".join(kept_in)} if kept_in else {}


def _told(found: dict[str, Any]) -> dict[str, Any]:
    """A row of evidence as it is shown: what is known already left out."""
    return {k: v for k, v in found.items() if k not in ("doc_id", "source", "unit") and v is not None}
