"""污染 passages: what decontaminate found of every benchmark, with the longest passages."""

from __future__ import annotations

from data_contracts.dataset import EVIDENCE, Manifest
from tasks.reporting.examples import excerpt
from tasks.reporting.facts import BenchmarkFacts, Decontaminated, Passage
from tasks.store import Store

PASSAGES, EXCERPT_CHARS = 3, 60


def decontaminated(store: Store, manifest: Manifest) -> Decontaminated | None:
    """What a dataset of decontaminate found; None when no benchmark was configured."""
    told = manifest.measures.get("benchmarks")
    if not told:
        return None
    longest = _longest(store, manifest)
    total = {name: sum(s.measures.get(name, 0) for s in manifest.shards) for name in ("contaminated", "cut_chars")}
    return Decontaminated(
        remove=str(manifest.config.get("DecontaminateConfig", {}).get("remove", "")),
        documents=int(total["contaminated"]),
        refused=manifest.reasons.get("contaminated", 0),
        cut_chars=int(total["cut_chars"]),
        benchmarks=tuple(
            BenchmarkFacts(name=name, passages=tuple(longest.get(name, ())), **facts) for name, facts in told.items()
        ),
    )


def _longest(store: Store, manifest: Manifest) -> dict[str, list[Passage]]:
    """The longest passages of different items of every benchmark."""
    if not any(EVIDENCE in s.files for s in manifest.shards):
        return {}
    found = store.scan(f"{manifest.stage}/{manifest.version}", EVIDENCE)
    rows = (
        found.sort("chars", "doc_id", descending=[True, False])
        .unique(["benchmark", "item"], keep="first", maintain_order=True)
        .group_by("benchmark", maintain_order=True)
        .head(PASSAGES)
        .select("benchmark", "item", "field", "overlap", "chars", "source", "doc_id", excerpt("excerpt", EXCERPT_CHARS))
        .collect()
    )
    told: dict[str, list[Passage]] = {}
    for row in rows.to_dicts():
        told.setdefault(row.pop("benchmark"), []).append(Passage(**row))
    return told
