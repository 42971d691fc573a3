"""汇集 collect: the facts of a run, from its journal, its datasets' manifests, and the folders of its programs."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterator, Sequence
from typing import Any

from data_contracts.dataset import SIGNALS, Manifest
from data_contracts.training import ReportConfig
from data_contracts.units import human
from data_contracts.verdict import Verdict
from tasks.reporting import assessed, curves, examples, passages
from tasks.reporting.facts import Facts, Node, Portion, Scores, StageFacts, Training, WordFacts
from tasks.reporting.scored import scored
from tasks.reporting.signals import distributions
from tasks.store import Store

TITLES = {
    "crawl": "抓取 crawl",
    "ingest_visits": "读入网页 ingest_visits",
    "ingest_archives": "读入归档 ingest_archives",
    "ingest_files": "读入文件 ingest_files",
    "ingest_benchmark": "读入测试集 ingest_benchmark",
    "extract": "正文提取 extract",
    "boilerplate": "套话 boilerplate",
    "clean": "清洗 clean",
    "ingest_examples": "读入样例 ingest_examples",
    "train_classifier": "训练分类器 train_classifier",
    "train_ngrams": "训练字符模型 train_ngrams",
    "score": "评分 score",
    "redact": "脱敏 redact",
    "dedup": "去重 dedup",
    "decontaminate": "去污染 decontaminate",
    "segment": "分词 segment",
    "gate": "质量门 gate",
    "vocab": "词表 vocab",
    "encode": "编码装箱 encode",
    "pretrain": "预训练 pretrain",
    "assess": "评测 assess",
    "vectors": "词向量 vectors",
    "hold_out": "留题 hold_out",
    "examine": "考试 examine",
    "compare": "比较 compare",
}
DOCUMENTS = ("VISIT", "PAGE", "DOCUMENT", "SEGMENTED")
UNITS = {"VISIT": "个网址", "PAGE": "个网页", "ITEMS": "题"} | dict.fromkeys(
    ("EXAMPLE", "DOCUMENT", "SEGMENTED", "BLOCKS"), "篇"
)


def collect(store: Store, run: str, cfg: ReportConfig | None = None, failure: str | None = None) -> Facts:
    """Everything a report of `run` shows: what it made, found, and all that lies behind it.

    Parts that a run does not have (no training in a corpus run) stay empty. `failure` is the message of the error that
    ended the run.
    """
    cfg = cfg or ReportConfig()
    told = _journal(store, run)
    entries: list[dict[str, Any]] = told.get("stages", [])
    road = road_of(store, [store.manifest(e["dataset"]) for e in entries])
    by_stage: dict[str, list[Manifest]] = {}
    for manifest in road:
        by_stage.setdefault(manifest.stage, []).append(manifest)
    config = json.loads(store.folder.read(f"runs/{run}/config.json") or b"{}")
    clean, dedup, tested = (by_stage.get(stage, []) for stage in ("clean", "dedup", "decontaminate"))
    return Facts(
        project=str(config.get("name", "")),
        run=run,
        flow=str(told.get("flow", "")),
        started_at=str(told.get("started_at", "")),
        machine=_machine(),
        failure=failure,
        verdict=str(by_stage["compare"][-1].measures["verdict"]) if "compare" in by_stage else "",
        stages=tuple(stage_facts(manifests, entries) for manifests in by_stage.values()),
        distributions=tuple(_distributions(store, clean[-1])) if clean else (),
        scored=scored(store, by_stage),
        redacted={f"{m.stage}/{m.version}": examples.redacted(m) for m in by_stage.get("redact", [])},
        duplicates=examples.duplicates(store, dedup[-1]) if dedup else None,
        decontaminated=passages.decontaminated(store, tested[-1]) if tested else None,
        verdicts=tuple(verdicts(store, run, by_stage.get("gate", []))),
        refused=tuple(r for m in road if _is_documents(m) for r in examples.refused(store, m, cfg.samples_per_stage)),
        words=words(by_stage.get("segment", [])),
        neighbours=tuple(neighbours(by_stage.get("vectors", []))),
        portions=tuple(portions(by_stage.get("encode", []))),
        training=_training(store, by_stage.get("pretrain", [])),
        scores=_scores(store, by_stage.get("assess", [])),
        lineage=tuple(_node(m) for m in road if m.stage != "gate"),
        config=config,
        libraries={name: version for m in road for name, version in m.libraries.items()},
    )


def _journal(store: Store, run: str) -> dict[str, Any]:
    content = store.folder.read(f"runs/{run}/stages.json")
    return dict(json.loads(content)) if content else {}


def road_of(store: Store, ends: Sequence[Manifest]) -> list[Manifest]:
    """These datasets and everything behind them, each once, parents before children."""
    ordered: dict[str, Manifest] = {}
    for end in ends:
        _add(store, end, ordered)
    return list(ordered.values())


def _add(store: Store, manifest: Manifest, ordered: dict[str, Manifest]) -> None:
    name = f"{manifest.stage}/{manifest.version}"
    if name not in ordered:
        for parent in manifest.parents:
            _add(store, store.manifest(parent), ordered)
        ordered[name] = manifest


def stage_facts(manifests: Sequence[Manifest], entries: Sequence[dict[str, Any]]) -> StageFacts:
    """The datasets of one stage, added up; `entries` are the journal's lines."""
    first = manifests[0]
    names = tuple(f"{m.stage}/{m.version}" for m in manifests)
    mine = [e for e in entries if e["dataset"] in names]
    reasons: dict[str, int] = {}
    for manifest in manifests:
        for reason, count in manifest.reasons.items():
            reasons[reason] = reasons.get(reason, 0) + count
    shards = [s for m in manifests for s in m.shards]
    state = "earlier" if not mine else "cached" if all(e["cached"] for e in mine) else "made"
    return StageFacts(
        stage=first.stage,
        title=TITLES.get(first.stage) or (mine[0]["title"] if mine else first.stage),
        datasets=names,
        rows_in=sum(s.rows_in for s in shards),
        kept=sum(s.rows_kept for s in shards),
        reasons=dict(sorted(reasons.items(), key=lambda kv: (-kv[1], kv[0]))),
        chars=sum(s.chars for s in shards),
        text_bytes=sum(s.text_bytes for s in shards),
        cpu_seconds=sum(m.cpu_seconds for m in manifests),
        seconds=sum(e["seconds"] for e in mine) if mine else None,
        state=state,
        is_documents=_is_documents(first),
    )


def _is_documents(manifest: Manifest) -> bool:
    return manifest.schema_label.split("@")[0] in DOCUMENTS


def _distributions(store: Store, clean: Manifest) -> list[Any]:
    if not any(SIGNALS in s.files for s in clean.shards):
        return []
    return distributions(store.scan(f"{clean.stage}/{clean.version}", SIGNALS), clean.config.get("CleanConfig", {}))


def verdicts(store: Store, run: str, gates: Sequence[Manifest]) -> list[Verdict]:
    """Verdicts of the gates that passed, and those in the run's folder that did not."""
    found = [store.path(f).read_bytes() for m in gates for s in m.shards for f in s.files.values()]
    names = [n for n in store.folder.names(f"runs/{run}") if "/verdict-" in n and n.endswith(".json")]
    found += [content for n in names if (content := store.folder.read(n))]
    by_dataset = {(v.contract, v.dataset): v for v in map(Verdict.model_validate_json, found)}
    return list(by_dataset.values())


def words(segmented: Sequence[Manifest]) -> WordFacts | None:
    """The words of the newest segmented corpus."""
    told = segmented[-1].measures.get("vocabulary") if segmented else None
    return WordFacts.model_validate(told) if told else None


def portions(blocks: Sequence[Manifest]) -> list[Portion]:
    """Sources and quality deciles of the newest blocks; none for blocks of before the mixture."""
    for manifest in reversed(blocks):
        mixed = manifest.measures.get("mixture", {})
        graded = {
            f"{n} / 10" if n.isdecimal() else "没有质量分 no quality": p for n, p in mixed.get("by_decile", {}).items()
        }
        return [
            Portion(name=name, **one)
            for name, one in [*mixed.get("by_source", {}).items(), *graded.items()]
            if one["tokens"]
        ]
    return []


def _training(store: Store, models: Sequence[Manifest]) -> Training | None:
    for manifest in reversed(models):
        run = manifest.measures.get("run")
        if isinstance(run, str):
            figures = {k: v for k, v in manifest.measures.items() if k != "run"}
            return curves.training(store.folder.path(f"runs/{run}"), figures)
    return None


def _scores(store: Store, made: Sequence[Manifest]) -> Scores | None:
    for manifest in reversed(made):
        for shard in manifest.shards:
            for name, file in shard.files.items():
                if name.endswith(".json"):
                    return assessed.scores(curves.read_json(store.path(file)), manifest.measures.get("speed"))
    return None


def _node(manifest: Manifest) -> Node:
    rows, unit = manifest.total("rows_kept"), UNITS.get(manifest.schema_label.split("@")[0], "")
    size = sum(f.bytes for s in manifest.shards for f in s.files.values())
    return Node(
        name=f"{manifest.stage}/{manifest.version}",
        title=TITLES.get(manifest.stage, manifest.stage),
        detail=f"{rows:,} {unit}" if unit else f"{human(size)}B",
        parents=tuple(manifest.parents),
    )


def _machine() -> str:
    return f"{platform.system()} {platform.machine()}, {os.cpu_count()} 核 cores, Python {platform.python_version()}"


def neighbours(made: Sequence[Manifest]) -> Iterator[tuple[str, str]]:
    """Words of the newest word vectors, and what stands nearest to each, with cosines."""
    for word, near in made[-1].measures["neighbours"].items() if made else ():
        yield word, "、".join(f"{other} {cosine:.2f}" for other, cosine in near)
